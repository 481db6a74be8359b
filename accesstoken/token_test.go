package accesstoken_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"hash"
	"testing"
	"time"

	"switchboard/accesstoken"
)

// now is the moment of every check.
var now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

const (
	primary   = accesstoken.DevelopmentKey
	secondary = "fake_key"
)

// chat is what a client of hub chat needs a token for.
var chat = accesstoken.Audience{Path: "/client", Hub: "chat"}

const chatAudience = "http://localhost/client/?hub=chat"

// handmade signs a token without the package under test.
func handmade(algorithm func() hash.Hash, key, header, payload string) string {
	encode := base64.RawURLEncoding.EncodeToString
	signed := encode([]byte(header)) + "." + encode([]byte(payload))
	mac := hmac.New(algorithm, []byte(key))
	mac.Write([]byte(signed))
	return signed + "." + encode(mac.Sum(nil))
}

// hs256 is handmade as nearly every app server does it.
func hs256(payload string) string {
	return handmade(sha256.New, primary, `{"alg":"HS256","typ":"JWT"}`, payload)
}

func hs512(payload string) string {
	return handmade(sha512.New, primary, `{"alg":"HS512","typ":"JWT"}`, payload)
}

func keys(t testing.TB, k ...string) *accesstoken.Keys {
	t.Helper()
	ks, err := accesstoken.NewKeys(k...)
	if err != nil {
		t.Fatalf("NewKeys: %v", err)
	}
	return ks
}

func sign(t testing.TB, token accesstoken.Token) string {
	t.Helper()
	s, err := accesstoken.Sign(primary, accesstoken.HS256, token)
	if err != nil {
		t.Fatalf("Sign: %v", err)
	}
	return s
}

func check(t testing.TB, token string) *accesstoken.Token {
	t.Helper()
	got, err := keys(t, primary, secondary).Check(token, now, chat)
	if err != nil {
		t.Fatalf("Check: %v", err)
	}
	return got
}

func TestUserID(t *testing.T) {
	tests := []struct {
		name   string
		claims []accesstoken.Claim
		want   string
	}{
		{"nobody", []accesstoken.Claim{{Type: "name", Value: "n"}}, ""},
		{"asrs.s.uid before all", []accesstoken.Claim{{Type: "sub", Value: "s"}, {Type: "nameid", Value: "n"}, {Type: "asrs.s.uid", Value: "u"}}, "u"},
		{"empty asrs.s.uid", []accesstoken.Claim{{Type: "nameid", Value: "n"}, {Type: "asrs.s.uid"}}, ""},
		{"nameid", []accesstoken.Claim{{Type: "nameid", Value: "n"}, {Type: "sub", Value: "s"}}, "n"},
		{"sub", []accesstoken.Claim{{Type: "sub", Value: "s"}, {Type: "nameid", Value: "n"}}, "s"},
		{"long name", []accesstoken.Claim{{Type: accesstoken.ClaimNameIDLong, Value: "l"}}, "l"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			token := accesstoken.Token{Claims: tt.claims}
			if got := token.UserID(); got != tt.want {
				t.Errorf("UserID = %q, want %q", got, tt.want)
			}
		})
	}
}

func TestClaimIsTheFirstOfItsType(t *testing.T) {
	token := accesstoken.Token{Claims: []accesstoken.Claim{{Type: "role", Value: "a"}, {Type: "role", Value: "b"}, {Type: "empty"}}}
	tests := []struct {
		name, want string
		ok         bool
	}{
		{"role", "a", true},
		{"empty", "", true},
		{"Role", "", false},
	}
	for _, tt := range tests {
		if got, ok := token.Claim(tt.name); got != tt.want || ok != tt.ok {
			t.Errorf("Claim(%q) = %q, %v; want %q, %v", tt.name, got, ok, tt.want, tt.ok)
		}
	}
}

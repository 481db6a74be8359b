package accesstoken_test

import (
	"encoding/base64"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"switchboard/accesstoken"
)

func TestSign(t *testing.T) {
	exp := time.Unix(4102444800, 0)
	tests := []struct {
		name      string
		algorithm accesstoken.Algorithm
		token     accesstoken.Token
		want      string // the same, made by hand
	}{
		{"REST call, known text", accesstoken.HS256,
			accesstoken.Token{Audience: "http://localhost/api/hubs/chat/:send", Expires: exp},
			"eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJhdWQiOiJodHRwOi8vbG9jYWxob3N0L2FwaS9odWJzL2NoYXQvOnNlbmQiLCJleHAiOjQxMDI0NDQ4MDB9.-ObXzIeGlkqi-dkbbaZZiYIGDb1oQRrwBqaOzysjVcc"},
		{"HS256 unless told", "",
			accesstoken.Token{Audience: "a", Expires: exp},
			hs256(`{"aud":"a","exp":4102444800}`)},
		{"HS512", accesstoken.HS512,
			accesstoken.Token{Audience: "a", Expires: exp},
			hs512(`{"aud":"a","exp":4102444800}`)},
		{"all times", accesstoken.HS256,
			accesstoken.Token{Audience: "a", Expires: exp, IssuedAt: time.Unix(2, 9e8), NotBefore: time.Unix(1, 0)},
			hs256(`{"aud":"a","exp":4102444800,"iat":2,"nbf":1}`)},
		{"claims in order, repeated ones as an array at the first", accesstoken.HS256,
			accesstoken.Token{Audience: "a", Expires: exp, Claims: []accesstoken.Claim{
				{Type: "asrs.s.uid"}, {Type: "role", Value: "x"}, {Type: "name", Value: "n"}, {Type: "role", Value: "y"}, {Type: "role", Value: "x"}}},
			hs256(`{"aud":"a","exp":4102444800,"asrs.s.uid":"","role":["x","y","x"],"name":"n"}`)},
		{"nothing escaped without need", accesstoken.HS256,
			accesstoken.Token{Audience: "a?b&c", Expires: exp, Claims: []accesstoken.Claim{{Type: "http://x/<y>", Value: `"\`}, {Type: "é", Value: "a\nb"}}},
			hs256(`{"aud":"a?b&c","exp":4102444800,"http://x/<y>":"\"\\","é":"a\nb"}`)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := accesstoken.Sign(primary, tt.algorithm, tt.token)
			if err != nil || got != tt.want {
				t.Errorf("Sign = %s, %v\n%s\nwant %s\n%s", got, err, payloadOf(got), tt.want, payloadOf(tt.want))
			}
		})
	}
}

func TestSignErrors(t *testing.T) {
	valid := accesstoken.Token{Audience: "a", Expires: now}
	claiming := func(name string) accesstoken.Token {
		return accesstoken.Token{Audience: "a", Expires: now, Claims: []accesstoken.Claim{{Type: name, Value: "v"}}}
	}
	tests := []struct {
		name, key string
		algorithm accesstoken.Algorithm
		token     accesstoken.Token
		want      string
	}{
		{"no key", "", accesstoken.HS256, valid, "no access key"},
		{"none", primary, "none", valid, `sign access token: algorithm "none" is neither HS256 nor HS512`},
		{"HS384", primary, "HS384", valid, `sign access token: algorithm "HS384" is neither HS256 nor HS512`},
		{"no expiry", primary, accesstoken.HS256, accesstoken.Token{Audience: "a"}, "sign access token: it would never expire"},
		{"claim aud", primary, accesstoken.HS256, claiming("aud"), `sign access token: a claim is called "aud"; a user's needs the prefix asrs.u.`},
		{"claim exp", primary, accesstoken.HS256, claiming("exp"), `sign access token: a claim is called "exp"; a user's needs the prefix asrs.u.`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got, err := accesstoken.Sign(tt.key, tt.algorithm, tt.token); err == nil || err.Error() != tt.want {
				t.Errorf("Sign = %q, %v; want the error %q", got, err, tt.want)
			}
		})
	}
}

func TestSignRefusesMoreThan4096Characters(t *testing.T) {
	token := func(size int) accesstoken.Token {
		return accesstoken.Token{Audience: chatAudience, Expires: now.Add(time.Hour), Claims: []accesstoken.Claim{{Type: "c", Value: strings.Repeat("x", size)}}}
	}
	size := 0
	for len(sign(t, token(size+1))) < accesstoken.MaxLength {
		size++
	}
	longest := sign(t, token(size+1))
	if got := check(t, longest); len(longest) != accesstoken.MaxLength || len(got.Claims[0].Value) != size+1 {
		t.Errorf("longest token has %d characters, want %d", len(longest), accesstoken.MaxLength)
	}
	_, err := accesstoken.Sign(primary, accesstoken.HS256, token(size+2))
	if !errors.Is(err, accesstoken.ErrTooLong) || err.Error() != "AccessToken must not be longer than 4K." {
		t.Errorf("Sign of one more: %v, want ErrTooLong", err)
	}
}

func TestWhatIsSignedReadsBackTheSame(t *testing.T) {
	want := accesstoken.Token{
		Audience: chatAudience,
		Expires:  now.Add(time.Hour), IssuedAt: now, NotBefore: now.Add(-time.Minute),
		Claims: []accesstoken.Claim{
			{Type: "asrs.s.uid", Value: "ann"}, {Type: "role", Value: "a"}, {Type: "role", Value: "b"},
			{Type: "asrs.u.aud", Value: "x"}, {Type: "note", Value: "<é> \u2028 \x00"},
		},
	}
	for _, algorithm := range []accesstoken.Algorithm{accesstoken.HS256, accesstoken.HS512} {
		s, err := accesstoken.Sign(secondary, algorithm, want)
		if err != nil {
			t.Fatalf("Sign with %s: %v", algorithm, err)
		}
		if got := check(t, s); !reflect.DeepEqual(*got, want) {
			t.Errorf("%s: read back %+v, want %+v", algorithm, *got, want)
		}
	}
}

// payloadOf is for messages of failed tests.
func payloadOf(token string) string {
	_, rest, _ := strings.Cut(token, ".")
	payload, _, _ := strings.Cut(rest, ".")
	b, err := base64.RawURLEncoding.DecodeString(payload)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

func BenchmarkSign(b *testing.B) {
	token := clientToken()
	for _, algorithm := range []accesstoken.Algorithm{accesstoken.HS256, accesstoken.HS512} {
		b.Run("alg="+string(algorithm), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := accesstoken.Sign(primary, algorithm, token); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// clientToken is what an app server signs for a client with a few claims.
func clientToken() accesstoken.Token {
	return accesstoken.Token{
		Audience: chatAudience,
		Expires:  now.Add(time.Hour), IssuedAt: now, NotBefore: now,
		Claims: []accesstoken.Claim{
			{Type: "asrs.s.uid", Value: "ann"}, {Type: "asrs.s.sn", Value: "machine_0123456789abcdef0123456789abcdef"},
			{Type: "asrs.s.ssticky", Value: "Required"}, {Type: "nameid", Value: "ann"}, {Type: "unique_name", Value: "Ann Other"},
			{Type: "role", Value: "reader"}, {Type: "role", Value: "writer"},
		},
	}
}

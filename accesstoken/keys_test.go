package accesstoken_test

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"switchboard/accesstoken"
)

// sdkPayload is in the order in which the .NET SDK writes a client's token.
const sdkPayload = `{"asrs.s.uid":"ann","asrs.s.sn":"machine_0123","role":["reader","writer"],"nbf":1767323045,"exp":1767326645,"iat":1767323045,"aud":"http://localhost/client/?hub=chat"}`

func TestCheckAcceptsWhatTheSDKSigns(t *testing.T) {
	claims := []accesstoken.Claim{
		{Type: "asrs.s.uid", Value: "ann"}, {Type: "asrs.s.sn", Value: "machine_0123"},
		{Type: "role", Value: "reader"}, {Type: "role", Value: "writer"},
	}
	issued := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	want := &accesstoken.Token{Audience: chatAudience, Expires: issued.Add(time.Hour), IssuedAt: issued, NotBefore: issued, Claims: claims}
	tests := []struct{ name, token string }{
		{"primary key, a kid that means nothing", handmade(sha256.New, primary, `{"alg":"HS256","kid":"-1234567890","typ":"JWT"}`, sdkPayload)},
		{"secondary key, another kid", handmade(sha256.New, secondary, `{"alg":"HS256","kid":"17","typ":"JWT"}`, sdkPayload)},
		{"HS512", handmade(sha512.New, primary, `{"alg":"HS512","kid":"0","typ":"JWT"}`, sdkPayload)},
		{"issuer, as since 2024", hs256(strings.Replace(sdkPayload, `"aud"`, `"iss":"azure-signalr","aud"`, 1))},
		{"id of the token", hs256(strings.Replace(sdkPayload, `"aud"`, `"jti":"1","aud"`, 1))},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := check(t, tt.token); !reflect.DeepEqual(got, want) {
				t.Errorf("Check = %+v, want %+v", got, want)
			}
		})
	}
}

func TestCheckAcceptsTheTokenOfTheDocumentation(t *testing.T) {
	const token = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJhdWQiOiJodHRwOi8vbG9jYWxob3N0L2FwaS9odWJzL2NoYXQvOnNlbmQiLCJleHAiOjQxMDI0NDQ4MDB9.-ObXzIeGlkqi-dkbbaZZiYIGDb1oQRrwBqaOzysjVcc"
	got, err := keys(t, primary).Check(token, now, accesstoken.Audience{Path: "/api/hubs/chat/:send"})
	want := &accesstoken.Token{Audience: "http://localhost/api/hubs/chat/:send", Expires: time.Unix(4102444800, 0).UTC()}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("Check = %+v, %v; want %+v", got, err, want)
	}
	for n := range token {
		if _, err := keys(t, primary).Check(token[:n], now, accesstoken.Audience{Path: "/api/hubs/chat/:send"}); err == nil {
			t.Errorf("Check accepts the first %d characters", n)
		}
	}
}

func TestCheckReadsEveryKindOfClaim(t *testing.T) {
	tests := []struct {
		name, members string
		want          []accesstoken.Claim
	}{
		{"none", ``, nil},
		{"string", `,"a":"é\n"`, []accesstoken.Claim{{Type: "a", Value: "é\n"}}},
		{"numbers", `,"a":1,"b":1.50,"c":12345678901234567890`, []accesstoken.Claim{{Type: "a", Value: "1"}, {Type: "b", Value: "1.50"}, {Type: "c", Value: "12345678901234567890"}}},
		{"booleans", `,"a":true,"b":false`, []accesstoken.Claim{{Type: "a", Value: "true"}, {Type: "b", Value: "false"}}},
		{"null", `,"a":null`, []accesstoken.Claim{{Type: "a"}}},
		{"object", `,"a":{"b": [1]}`, []accesstoken.Claim{{Type: "a", Value: `{"b": [1]}`}}},
		{"array", `,"a":["x",1,true,null,{"b":2},[3]]`, []accesstoken.Claim{{Type: "a", Value: "x"}, {Type: "a", Value: "1"},
			{Type: "a", Value: "true"}, {Type: "a"}, {Type: "a", Value: `{"b":2}`}, {Type: "a", Value: "[3]"}}},
		{"empty array", `,"a":[]`, nil},
		{"white space", ",\r\n\t \"a\" : [ \"x\" , 1 ] , \"b\" : 2 ", []accesstoken.Claim{{Type: "a", Value: "x"}, {Type: "a", Value: "1"}, {Type: "b", Value: "2"}}},
		{"brackets and quotes in strings", `,"a":{"]":"}\\\"{"},"b\u0041\"":"\\"`, []accesstoken.Claim{{Type: "a", Value: `{"]":"}\\\"{"}`}, {Type: `bA"`, Value: `\`}}},
		{"what is not UTF-8", ",\"a\":\"\xff\"", []accesstoken.Claim{{Type: "a", Value: "\ufffd"}}},
		{"order, and a name that comes again", `,"z":"1","a":"2","z":"3"`, []accesstoken.Claim{{Type: "z", Value: "1"}, {Type: "a", Value: "2"}, {Type: "z", Value: "3"}}},
		{"names that look registered", `,"Exp":"1","asrs.u.aud":"2"`, []accesstoken.Claim{{Type: "Exp", Value: "1"}, {Type: "asrs.u.aud", Value: "2"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			token := hs256(`{"aud":"http://localhost/client/?hub=chat","exp":4102444800` + tt.members + `}`)
			if got := check(t, token).Claims; !slices.Equal(got, tt.want) {
				t.Errorf("claims %q, want %q", got, tt.want)
			}
		})
	}
}

func TestCheckReadsTimesLeniently(t *testing.T) {
	tests := []struct {
		name, members string
		want          time.Time
	}{
		{"fraction", `"exp":4102444800.9`, time.Unix(4102444800, 0).UTC()},
		{"exponent", `"exp":4.1024448e9`, time.Unix(4102444800, 0).UTC()},
		{"milliseconds by mistake", `"exp":4102444800000`, time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)},
		{"later than anything", `"exp":1e300`, time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)},
		{"iat and nbf are not looked at", `"exp":4102444800,"iat":"never","nbf":9e9`, time.Unix(4102444800, 0).UTC()},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := check(t, hs256(`{"aud":"http://localhost/client/?hub=chat",`+tt.members+`}`)).Expires; got != tt.want {
				t.Errorf("expires %v, want %v", got, tt.want)
			}
		})
	}
}

func TestCheckRefuses(t *testing.T) {
	const (
		malformed = "Access token refused: it is not a JSON Web Token."
		unsigned  = "Access token refused: it is not signed."
		algorithm = "Access token refused: its algorithm is neither HS256 nor HS512."
		signature = "Access token refused: its signature does not match any access key."
		header    = `{"alg":"HS256","typ":"JWT"}`
	)
	good := hs256(sdkPayload)
	signed := good[:strings.LastIndexByte(good, '.')]
	encode := base64.RawURLEncoding.EncodeToString
	audience := func(aud string) string { return `{"aud":` + aud + `,"exp":4102444800}` }
	tests := []struct {
		name, token string
		reason      accesstoken.Reason
		text        string
	}{
		{"empty", "", accesstoken.ReasonMalformed, malformed},
		{"garbage", "Zm9v", accesstoken.ReasonMalformed, malformed},
		{"two parts", signed, accesstoken.ReasonMalformed, malformed},
		{"four parts", good + ".x", accesstoken.ReasonMalformed, malformed},
		{"header is not base64", "!" + good, accesstoken.ReasonMalformed, malformed},
		{"header is an array", handmade(sha256.New, primary, `["alg","HS256"]`, sdkPayload), accesstoken.ReasonAlgorithm, algorithm},
		{"algorithm twice", handmade(sha256.New, primary, `{"alg":"HS256","alg":"HS256"}`, sdkPayload), accesstoken.ReasonMalformed, "Access token refused: alg is in it twice."},
		{"line break behind it", good + "\n", accesstoken.ReasonMalformed, malformed},
		{"header is not JSON", "Zm9v" + good[strings.IndexByte(good, '.'):], accesstoken.ReasonMalformed, malformed},
		{"signature is not base64", signed + ".!!!!", accesstoken.ReasonMalformed, malformed},
		{"signature with padding", good + "=", accesstoken.ReasonMalformed, malformed},
		{"payload is not JSON", hs256(`{"aud":`), accesstoken.ReasonMalformed, malformed},
		{"payload is an array", hs256(`[]`), accesstoken.ReasonMalformed, "Access token refused: its payload is not a JSON object."},
		{"payload is null", hs256(`null`), accesstoken.ReasonMalformed, "Access token refused: its payload is not a JSON object."},
		{"too long", good + strings.Repeat("A", accesstoken.MaxLength), accesstoken.ReasonTooLong, "Access token refused: it has more than 4096 characters."},

		{"algorithm none", encode([]byte(`{"alg":"none"}`)) + "." + encode([]byte(sdkPayload)) + ".", accesstoken.ReasonUnsigned, unsigned},
		{"algorithm none with a signature", handmade(sha256.New, primary, `{"alg":"none"}`, sdkPayload), accesstoken.ReasonUnsigned, unsigned},
		{"algorithm nOnE", handmade(sha256.New, primary, `{"alg":"nOnE"}`, sdkPayload), accesstoken.ReasonUnsigned, unsigned},
		{"signature left out", signed + ".", accesstoken.ReasonUnsigned, unsigned},
		{"no algorithm", handmade(sha256.New, primary, `{"typ":"JWT"}`, sdkPayload), accesstoken.ReasonAlgorithm, algorithm},
		{"algorithm is a number", handmade(sha256.New, primary, `{"alg":256}`, sdkPayload), accesstoken.ReasonAlgorithm, algorithm},
		{"header null", handmade(sha256.New, primary, `null`, sdkPayload), accesstoken.ReasonAlgorithm, algorithm},
		{"HS384", handmade(sha512.New384, primary, `{"alg":"HS384"}`, sdkPayload), accesstoken.ReasonAlgorithm, algorithm},
		{"unknown algorithm", handmade(sha256.New, primary, `{"alg":"XS256"}`, sdkPayload), accesstoken.ReasonAlgorithm, algorithm},
		{"HS512 said, HS256 done", handmade(sha256.New, primary, `{"alg":"HS512"}`, sdkPayload), accesstoken.ReasonSignature, signature},
		{"other key", handmade(sha256.New, "other", header, sdkPayload), accesstoken.ReasonSignature, signature},
		{"empty key", handmade(sha256.New, "", header, sdkPayload), accesstoken.ReasonSignature, signature},
		{"other payload under the signature", encode([]byte(header)) + "." + encode([]byte(`{}`)) + good[len(signed):], accesstoken.ReasonSignature, signature},
		{"signature cut short", good[:len(good)-3], accesstoken.ReasonSignature, signature},

		{"no expiry", hs256(`{"aud":"http://localhost/client/?hub=chat"}`), accesstoken.ReasonNoExpiry, "Access token refused: it has no exp."},
		{"expired this second", hs256(`{"aud":"http://localhost/client/?hub=chat","exp":1767323045}`), accesstoken.ReasonExpired, "Access token refused: it expired at 2026-01-02T03:04:05Z."},
		{"expiry before time began", hs256(`{"aud":"http://localhost/client/?hub=chat","exp":-1e30}`), accesstoken.ReasonExpired, "Access token refused: it expired at 1970-01-01T00:00:00Z."},
		{"expiry is a string", hs256(`{"exp":"4102444800"}`), accesstoken.ReasonMalformed, "Access token refused: exp is not a number."},
		{"expiry is null", hs256(`{"exp":null}`), accesstoken.ReasonMalformed, "Access token refused: exp is not a number."},
		{"expiry twice", hs256(`{"exp":1,"exp":4102444800}`), accesstoken.ReasonMalformed, "Access token refused: exp is in it twice."},
		{"audience twice", hs256(`{"aud":"a","aud":"b"}`), accesstoken.ReasonMalformed, "Access token refused: aud is in it twice."},
		{"audience is a number", hs256(audience(`1`)), accesstoken.ReasonMalformed, "Access token refused: aud is neither a string nor an array of strings."},
		{"audience is null", hs256(audience(`null`)), accesstoken.ReasonMalformed, "Access token refused: aud is neither a string nor an array of strings."},
		{"audience holds a number", hs256(audience(`["a",1]`)), accesstoken.ReasonMalformed, "Access token refused: aud is neither a string nor an array of strings."},

		{"no audience", hs256(`{"exp":4102444800}`), accesstoken.ReasonAudiencePath, audienceError("/client?hub=chat", "")},
		{"empty audiences", hs256(audience(`[]`)), accesstoken.ReasonAudiencePath, audienceError("/client?hub=chat", "")},
		{"other path", hs256(audience(`"http://localhost/server/?hub=chat"`)), accesstoken.ReasonAudiencePath,
			audienceError("/client?hub=chat", "http://localhost/server/?hub=chat")},
		{"other hub", hs256(audience(`"http://localhost/client/?hub=news"`)), accesstoken.ReasonAudienceHub,
			audienceError("/client?hub=chat", "http://localhost/client/?hub=news")},
	}
	ks := keys(t, primary, secondary)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ks.Check(tt.token, now, chat)
			refusal, ok := errors.AsType[*accesstoken.CheckError](err)
			if !ok || got != nil {
				t.Fatalf("Check = %+v, %v; want a CheckError", got, err)
			}
			if refusal.Reason != tt.reason || refusal.Error() != tt.text {
				t.Errorf("refused with %q, %q; want %q, %q", refusal.Reason, refusal, tt.reason, tt.text)
			}
		})
	}
}

func audienceError(expected, actual string) string {
	return fmt.Sprintf("Failed to validate audience. Expected Audiences: {%s}. Actual Audiences: {%s}", expected, actual)
}

// A verifier that takes the algorithm from the token can be made to use a
// public key as a shared secret. There is no public key here; the reverse, a
// token with a good RSA signature, is refused too.
func TestCheckRefusesRSA(t *testing.T) {
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	public := string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: x509.MarshalPKCS1PublicKey(&private.PublicKey)}))
	token, err := jwt.NewWithClaims(jwt.SigningMethodRS256, jwt.MapClaims{"aud": chatAudience, "exp": 4102444800}).SignedString(private)
	if err != nil {
		t.Fatal(err)
	}
	_, err = keys(t, public).Check(token, now, chat)
	if refusal, ok := errors.AsType[*accesstoken.CheckError](err); !ok || refusal.Reason != accesstoken.ReasonAlgorithm {
		t.Errorf("Check: %v, want a CheckError about the algorithm", err)
	}
}

func TestEveryChangedCharacterIsNoticed(t *testing.T) {
	good := hs256(sdkPayload)
	ks := keys(t, primary, secondary)
	for i := range good {
		for _, c := range []byte{'A', '-', '.', '=', '\n', good[i] ^ 1} {
			changed := good[:i] + string(c) + good[i+1:]
			if _, err := ks.Check(changed, now, chat); err == nil && changed != good {
				t.Errorf("character %d may be %q as well as %q", i, c, good[i])
			}
		}
	}
}

func TestLeeway(t *testing.T) {
	token := hs256(`{"aud":"http://localhost/client/?hub=chat","exp":1767323045}`)
	ks := keys(t, primary)
	ks.Leeway = 5 * time.Minute
	tests := []struct {
		after time.Duration
		ok    bool
	}{
		{-time.Nanosecond, true},
		{5*time.Minute - time.Nanosecond, true},
		{5 * time.Minute, false},
	}
	for _, tt := range tests {
		if _, err := ks.Check(token, time.Unix(1767323045, 0).Add(tt.after), chat); (err == nil) != tt.ok {
			t.Errorf("%v after the expiry: %v, want accepted %v", tt.after, err, tt.ok)
		}
	}
}

func TestNewKeysWantsKeys(t *testing.T) {
	for _, list := range [][]string{nil, {""}, {"a", ""}} {
		if k, err := accesstoken.NewKeys(list...); !errors.Is(err, accesstoken.ErrNoKey) {
			t.Errorf("NewKeys(%q) = %v, %v; want ErrNoKey", list, k, err)
		}
	}
}

func TestKeysPrintTheirNumber(t *testing.T) {
	for _, verb := range []string{"%v", "%+v", "%s"} {
		if got, want := fmt.Sprintf(verb, keys(t, primary, secondary)), "2 access keys"; got != want {
			t.Errorf("%s prints %q, want %q", verb, got, want)
		}
	}
}

func TestManyCheckAtOnce(t *testing.T) {
	ks := keys(t, primary, secondary)
	token := handmade(sha256.New, secondary, `{"alg":"HS256"}`, sdkPayload)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 50 {
				if got, err := ks.Check(token, now, chat); err != nil || got.UserID() != "ann" {
					t.Errorf("Check = %+v, %v", got, err)
				}
			}
		})
	}
	all.Wait()
}

// Whatever is accepted carries a signature by one of the keys, made here again
// with crypto/hmac alone.
func FuzzCheck(f *testing.F) {
	f.Add(hs256(sdkPayload))
	f.Add(hs512(sdkPayload))
	f.Add(handmade(sha256.New, primary, `{"alg":"none"}`, sdkPayload))
	f.Add(handmade(sha256.New, secondary, `{"alg":"HS256","kid":"1"}`, `{"aud":["a","http://localhost/client/?hub=chat"],"exp":4102444800}`))
	f.Add("e30.e30.")
	f.Add("..")
	ks := keys(f, primary, secondary)
	f.Fuzz(func(t *testing.T, token string) {
		_, err := ks.Check(token, now, chat)
		if err != nil {
			if _, ok := errors.AsType[*accesstoken.CheckError](err); !ok {
				t.Errorf("error %v is a %T, want a CheckError", err, err)
			}
			return
		}
		i := strings.LastIndexByte(token, '.')
		signature, err := base64.RawURLEncoding.DecodeString(token[i+1:])
		if err != nil {
			t.Fatalf("accepted, and the signature is not base64: %v", err)
		}
		for _, key := range []string{primary, secondary} {
			short, long := hmac.New(sha256.New, []byte(key)), hmac.New(sha512.New, []byte(key))
			short.Write([]byte(token[:i]))
			long.Write([]byte(token[:i]))
			if hmac.Equal(signature, short.Sum(nil)) || hmac.Equal(signature, long.Sum(nil)) {
				return
			}
		}
		t.Errorf("accepted without a good signature: %q", token)
	})
}

// A payload that its signer made of anything: no panic, and what is accepted
// reads back the same once it is signed again.
func FuzzPayload(f *testing.F) {
	f.Add(sdkPayload)
	f.Add(`{"aud":["http://localhost/client/?hub=chat"],"exp":4102444800.5,"a":[1,{"b":null},[]],"z":"\ud800","a":"again"}`)
	f.Add(`{"aud":"http://localhost/client/?hub=chat","exp":1e300,"iat":-1,"nbf":"x"}`)
	ks := keys(f, primary)
	f.Fuzz(func(t *testing.T, payload string) {
		first, err := ks.Check(hs256(payload), now, chat)
		if err != nil {
			return
		}
		again, err := accesstoken.Sign(primary, accesstoken.HS256, *first)
		if errors.Is(err, accesstoken.ErrTooLong) {
			return
		}
		if err != nil {
			t.Fatalf("Sign: %v", err)
		}
		second, err := ks.Check(again, now, chat)
		if err != nil {
			t.Fatalf("Check of what was signed again: %v", err)
		}
		slices.SortStableFunc(first.Claims, byType)
		slices.SortStableFunc(second.Claims, byType)
		if !slices.Equal(first.Claims, second.Claims) || !first.Expires.Equal(second.Expires) || first.Audience != second.Audience {
			t.Errorf("read %+v, then %+v", first, second)
		}
	})
}

func byType(a, b accesstoken.Claim) int { return strings.Compare(a.Type, b.Type) }

func BenchmarkCheck(b *testing.B) {
	for _, signer := range []string{primary, secondary} {
		for _, algorithm := range []accesstoken.Algorithm{accesstoken.HS256, accesstoken.HS512} {
			b.Run(fmt.Sprintf("alg=%s/key=%d", algorithm, 1+strings.Count(signer, secondary)), func(b *testing.B) {
				token, err := accesstoken.Sign(signer, algorithm, clientToken())
				if err != nil {
					b.Fatal(err)
				}
				ks := keys(b, primary, secondary)
				b.ReportAllocs()
				for b.Loop() {
					if _, err := ks.Check(token, now, chat); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

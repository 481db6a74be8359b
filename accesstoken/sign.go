package accesstoken

import (
	"cmp"
	"crypto/hmac"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"
)

// Sign returns the token as text, signed with the UTF-8 bytes of the access key
// as it stands in the connection string. Claims of one type become one array at
// the place of the first; names are written as they are, so a caller that has
// .NET's long names shortens them first.
//
// The header has no kid: that of the SDK is a hash which differs in every
// process. A token of more than MaxLength characters is ErrTooLong.
func Sign(key string, algorithm Algorithm, t Token) (string, error) {
	hash := algorithm.hash()
	if hash == nil {
		return "", fmt.Errorf("sign access token: algorithm %q is neither HS256 nor HS512", string(algorithm))
	}
	if key == "" {
		return "", ErrNoKey
	}
	payload, err := t.appendPayload(nil)
	if err != nil {
		return "", err
	}
	b := encodeSegment(nil, `{"alg":"`+string(cmp.Or(algorithm, HS256))+`","typ":"JWT"}`)
	b = encodeSegment(append(b, '.'), payload)
	mac := hmac.New(hash, []byte(key))
	mac.Write(b)
	b = encodeSegment(append(b, '.'), mac.Sum(nil))
	if len(b) > MaxLength {
		return "", ErrTooLong
	}
	return string(b), nil
}

func encodeSegment[T string | []byte](b []byte, segment T) []byte {
	return base64.RawURLEncoding.AppendEncode(b, []byte(segment))
}

// appendPayload writes the JSON object.
func (t *Token) appendPayload(b []byte) ([]byte, error) {
	if t.Expires.IsZero() {
		return nil, errors.New("sign access token: it would never expire")
	}
	b = appendString(append(b, `{"aud":`...), t.Audience)
	b = appendTime(b, "exp", t.Expires)
	b = appendTime(b, "iat", t.IssuedAt)
	b = appendTime(b, "nbf", t.NotBefore)
	for i, c := range t.Claims {
		if registered(c.Type) {
			return nil, fmt.Errorf("sign access token: a claim is called %q; a user's needs the prefix %s", c.Type, UserPrefix)
		}
		first := !slices.ContainsFunc(t.Claims[:i], func(o Claim) bool { return o.Type == c.Type })
		if first {
			b = appendClaims(b, c.Type, t.Claims[i:])
		}
	}
	return append(b, '}'), nil
}

func appendTime(b []byte, name string, t time.Time) []byte {
	if t.IsZero() {
		return b
	}
	b = append(append(append(b, `,"`...), name...), `":`...)
	return strconv.AppendInt(b, t.Unix(), 10)
}

// appendClaims writes the claims of one type: a string, or an array of several.
func appendClaims(b []byte, name string, claims []Claim) []byte {
	b = append(appendString(append(b, ','), name), ':')
	start, n := len(b), 0
	for _, c := range claims {
		if c.Type == name {
			b = appendString(append(b, ','), c.Value)
			n++
		}
	}
	if n == 1 {
		return slices.Delete(b, start, start+1)
	}
	b[start] = '['
	return append(b, ']')
}

// appendString writes s as JSON. A token is short of room, so "&" stays "&",
// which encoding/json would write as six characters.
func appendString(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			quoted, _ := json.Marshal(s) // strings do not fail
			return append(b, quoted...)
		}
	}
	return append(append(append(b, '"'), s...), '"')
}

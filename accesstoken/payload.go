package accesstoken

import (
	"bytes"
	"strconv"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// A payload is a Token being read. It walks the JSON object itself, because a
// map would lose the order of the claims.
type payload struct {
	jwt.RegisteredClaims // stays empty; makes a payload fit the parser, which is told to check none of them

	token     Token
	audiences []string
	aud, exp  bool // seen
}

// UnmarshalJSON reads the object; json.Unmarshal has made sure that b is valid
// JSON. The error is a *CheckError.
func (p *payload) UnmarshalJSON(b []byte) error {
	if b[0] != '{' {
		return refuse(ReasonMalformed, "its payload is not a JSON object")
	}
	for name, rest := nextValue(b[1:]); name != nil; name, rest = nextValue(rest) {
		var value []byte
		value, rest = nextValue(rest)
		if err := p.member(text(name), value); err != nil {
			return err
		}
	}
	return nil
}

func (p *payload) member(name string, value []byte) error {
	switch name {
	case "aud":
		return p.setAudiences(value)
	case "exp":
		return p.setExpires(value)
	case "iat":
		p.token.IssuedAt, _ = unixTime(value)
	case "nbf":
		p.token.NotBefore, _ = unixTime(value)
	case "iss", "jti":
	default:
		p.addClaims(name, value)
	}
	return nil
}

// setAudiences refuses a second aud, because readers differ on which one counts.
func (p *payload) setAudiences(value []byte) error {
	if p.aud {
		return refuse(ReasonMalformed, "aud is in it twice")
	}
	p.aud = true
	for _, aud := range elements(value) {
		if aud[0] != '"' {
			return refuse(ReasonMalformed, "aud is neither a string nor an array of strings")
		}
		p.audiences = append(p.audiences, text(aud))
	}
	return nil
}

func (p *payload) setExpires(value []byte) error {
	if p.exp {
		return refuse(ReasonMalformed, "exp is in it twice")
	}
	if p.token.Expires, p.exp = unixTime(value); !p.exp {
		return refuse(ReasonMalformed, "exp is not a number")
	}
	return nil
}

func (p *payload) addClaims(name string, value []byte) {
	for _, v := range elements(value) {
		p.token.Claims = append(p.token.Claims, Claim{Type: name, Value: claimValue(v)})
	}
}

// elements returns those of an array; any other value is its own only element.
func elements(value []byte) [][]byte {
	if value[0] != '[' {
		return [][]byte{value}
	}
	var all [][]byte
	for v, rest := nextValue(value[1:]); v != nil; v, rest = nextValue(rest) {
		all = append(all, v)
	}
	return all
}

// claimValue returns what a string says, nothing for null, and the JSON text of
// anything else.
func claimValue(v []byte) string {
	switch {
	case v[0] == '"':
		return text(v)
	case bytes.Equal(v, []byte("null")):
		return ""
	}
	return string(v)
}

// unixTime reads seconds. A time after the year 9999 becomes the end of it, as
// in .NET, for whom that is the last one.
func unixTime(number []byte) (time.Time, bool) {
	const last = 253402300799
	seconds, err := strconv.ParseFloat(string(number), 64)
	if err != nil {
		return time.Time{}, false
	}
	return time.Unix(int64(min(max(seconds, 0), last)), 0).UTC(), true
}

package accesstoken

import (
	"iter"
	"strconv"
	"strings"
	"time"
)

// A payload is a Token being read. It walks the JSON object itself, because a
// map would lose the order of the claims.
type payload struct {
	token     Token
	audiences []string
	aud, exp  bool // seen
}

// read reads the object, which is valid JSON. The error is a *CheckError.
func (p *payload) read(b string) error {
	if b = strings.TrimLeft(b, space); b[0] != '{' {
		return refuse(ReasonMalformed, "its payload is not a JSON object")
	}
	for name, value := range members(b) {
		if err := p.member(text(name), value); err != nil {
			return err
		}
	}
	return nil
}

func (p *payload) member(name, value string) error {
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
func (p *payload) setAudiences(value string) error {
	if p.aud {
		return refuse(ReasonMalformed, "aud is in it twice")
	}
	p.aud = true
	for aud := range elements(value) {
		if aud[0] != '"' {
			return refuse(ReasonMalformed, "aud is neither a string nor an array of strings")
		}
		p.audiences = append(p.audiences, text(aud))
	}
	return nil
}

func (p *payload) setExpires(value string) error {
	if p.exp {
		return refuse(ReasonMalformed, "exp is in it twice")
	}
	if p.token.Expires, p.exp = unixTime(value); !p.exp {
		return refuse(ReasonMalformed, "exp is not a number")
	}
	return nil
}

func (p *payload) addClaims(name, value string) {
	for v := range elements(value) {
		p.token.Claims = append(p.token.Claims, Claim{Type: name, Value: claimValue(v)})
	}
}

// elements yields those of an array; any other value is its own only element.
func elements(value string) iter.Seq[string] {
	return func(yield func(string) bool) {
		if value[0] != '[' {
			yield(value)
			return
		}
		for v, rest := nextValue(value[1:]); v != "" && yield(v); v, rest = nextValue(rest) {
		}
	}
}

// claimValue returns what a string says, nothing for null, and the JSON text of
// anything else.
func claimValue(v string) string {
	switch {
	case v[0] == '"':
		return text(v)
	case v == "null":
		return ""
	}
	return v
}

// unixTime reads seconds. A time after the year 9999 becomes the end of it, as
// in .NET, for whom that is the last one.
func unixTime(number string) (time.Time, bool) {
	const last = 253402300799
	seconds, err := strconv.ParseFloat(number, 64)
	if err != nil {
		return time.Time{}, false
	}
	return time.Unix(int64(min(max(seconds, 0), last)), 0).UTC(), true
}

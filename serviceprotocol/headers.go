package serviceprotocol

import (
	"slices"
	"strings"
)

// A Header is one HTTP header with all of its values.
type Header struct {
	Name   string
	Values []string
}

// Headers are ordered. A name must not occur twice, whatever its case: the .NET
// SDK fails on a message in which one does. Build them with Add.
type Headers []Header

// Get returns the first value of the header, in any case, or "".
func (h Headers) Get(name string) string {
	for i := range h {
		if strings.EqualFold(h[i].Name, name) && len(h[i].Values) > 0 {
			return h[i].Values[0]
		}
	}
	return ""
}

// Add adds a value to the header, which keeps the case that it was first added in.
func (h *Headers) Add(name, value string) {
	for i := range *h {
		if strings.EqualFold((*h)[i].Name, name) {
			(*h)[i].Values = append((*h)[i].Values, value)
			return
		}
	}
	*h = append(*h, Header{Name: name, Values: []string{value}})
}

func (h Headers) append(b []byte) []byte {
	b = appendMap(b, len(h))
	for i := range h {
		b = appendStrs(appendStr(b, h[i].Name), h[i].Values)
	}
	return b
}

// headers reads headers as they are: a peer that repeats a name is not corrected.
func (r *reader) headers() Headers {
	n := r.mapLen("headers")
	h := slices.Grow(Headers(nil), min(n, maxReuse))
	for ; n > 0 && r.err == nil; n-- {
		name := r.str("headers")
		h = append(h, Header{Name: name, Values: r.strs(nil, "headers")})
	}
	return h
}

func appendClaims(b []byte, claims []Claim) []byte {
	b = appendMap(b, len(claims))
	for i := range claims {
		b = appendStr(appendStr(b, claims[i].Type), claims[i].Value)
	}
	return b
}

func (r *reader) claims() []Claim {
	n := r.mapLen("claims")
	claims := slices.Grow([]Claim(nil), min(n, maxReuse))
	for ; n > 0 && r.err == nil; n-- {
		claims = append(claims, Claim{Type: r.str("claims"), Value: r.str("claims")})
	}
	return claims
}

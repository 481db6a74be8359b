// Package bearer finds the access token in a request and answers requests
// whose token is refused, in the same way at every endpoint.
package bearer

import (
	"errors"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"switchboard/accesstoken"
)

// FromHeader returns the token of the Authorization header, or "".
func FromHeader(r *http.Request) string {
	scheme, token, ok := strings.Cut(r.Header.Get("Authorization"), " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}

// FromHeaderOrQuery returns the token of the Authorization header, or else that of
// the parameter access_token in the request's query, which browsers use for WebSockets and
// Server-Sent Events, where they cannot set headers.
func FromHeaderOrQuery(r *http.Request, query url.Values) string {
	if token := FromHeader(r); token != "" {
		return token
	}
	return query.Get("access_token")
}

// Refusals answers the requests whose token is refused, and counts them. The
// zero value is ready to use.
type Refusals struct {
	mu     sync.Mutex
	counts map[string]int64 // by accesstoken.Reason; guarded by mu
}

// Refuse answers 401, or 413 for a token that is too long, and tells why in
// WWW-Authenticate (RFC 6750). The body stays empty: JavaScript clients show
// it instead of "Unauthorized".
func (f *Refusals) Refuse(w http.ResponseWriter, err error) {
	f.Count(err)
	status, description := http.StatusUnauthorized, "The access token is refused."
	if refusal, ok := errors.AsType[*accesstoken.CheckError](err); ok {
		description = refusal.Error()
		if refusal.Reason == accesstoken.ReasonTooLong {
			status = http.StatusRequestEntityTooLarge
		}
	}
	w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token", error_description="`+strings.Map(quotable, description)+`"`)
	w.Header().Set("Content-Type", "text/plain")
	w.WriteHeader(status)
}

// Count counts a refusal that is answered in another way.
func (f *Refusals) Count(err error) {
	reason := ""
	if refusal, ok := errors.AsType[*accesstoken.CheckError](err); ok {
		reason = string(refusal.Reason)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.counts == nil {
		f.counts = map[string]int64{}
	}
	f.counts[reason]++
}

// Counts returns how many requests were refused, by reason.
func (f *Refusals) Counts() map[string]int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return maps.Clone(f.counts)
}

// quotable keeps the characters that may stand in error_description.
func quotable(r rune) rune {
	if r < 0x20 || r > 0x7e || r == '"' || r == '\\' {
		return '\''
	}
	return r
}

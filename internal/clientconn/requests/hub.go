package requests

import (
	"net"
	"net/http"
	"net/textproto"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"switchboard/accesstoken"
	"switchboard/serviceprotocol"
)

// Diagnostic tells whether the app wants the client to be traced.
func Diagnostic(token *accesstoken.Token) bool {
	claim, _ := token.Claim(accesstoken.ClaimDiagnostic)
	return strings.EqualFold(claim, "true")
}

// PollWait returns how long a client may take between two polls.
func PollWait(token *accesstoken.Token, usual time.Duration) time.Duration {
	claim, _ := token.Claim(accesstoken.ClaimPollWait)
	if seconds, err := strconv.Atoi(claim); err == nil && seconds >= 1 && seconds <= 300 {
		return time.Duration(seconds) * time.Second
	}
	return usual
}

// LongClaims gives claims the long names that .NET apps look for.
func LongClaims(claims []serviceprotocol.Claim) []serviceprotocol.Claim {
	long := make([]serviceprotocol.Claim, len(claims))
	for i, c := range claims {
		long[i] = serviceprotocol.Claim{Type: accesstoken.LongName(c.Type), Value: c.Value}
	}
	return long
}

// hopByHop headers end at the service, as does the token.
var hopByHop = []string{
	"Authorization", "Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Connection",
	"Te", "Trailer", "Transfer-Encoding", "Upgrade",
}

// Headers returns the client's headers as its hub shall see them.
func Headers(r *http.Request, diagnostic bool, instanceID string) serviceprotocol.Headers {
	headers := serviceprotocol.Headers{{Name: "Host", Values: []string{r.Host}}}
	for _, name := range sortedNames(r.Header) {
		ours := slices.Contains(hopByHop, name) || strings.HasPrefix(name, "Asrs-") ||
			strings.HasPrefix(name, "Sec-Websocket-") || name == "X-Forwarded-For"
		if !ours {
			headers = append(headers, serviceprotocol.Header{Name: name, Values: r.Header[name]})
		}
	}
	if diagnostic {
		headers = append(headers, serviceprotocol.Header{Name: serviceprotocol.HeaderDiagnosticClient, Values: []string{"true"}})
	}
	return append(headers,
		serviceprotocol.Header{Name: "X-Forwarded-For", Values: []string{forwardedFor(r)}},
		serviceprotocol.Header{Name: "Asrs-Instance-Id", Values: []string{instanceID}},
	)
}

func sortedNames(header http.Header) []string {
	names := make([]string, 0, len(header))
	for name := range header {
		names = append(names, textproto.CanonicalMIMEHeaderKey(name))
	}
	slices.Sort(names)
	return names
}

// forwardedFor appends the peer's address to what proxies before us noted.
func forwardedFor(r *http.Request) string {
	ip, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		ip = r.RemoteAddr
	}
	return strings.Join(append(slices.Clone(r.Header["X-Forwarded-For"]), ip), ", ")
}

// WithoutSecrets returns the query as the client sent it, with its question mark, but
// without our token and the connection token.
func WithoutSecrets(u *url.URL, connectionToken string) string {
	var kept []string
	for pair := range strings.SplitSeq(u.RawQuery, "&") {
		name, value, _ := strings.Cut(pair, "=")
		if plain, err := url.QueryUnescape(name); err == nil {
			name = plain // as it is read
		}
		secret := strings.EqualFold(name, "access_token") || connectionToken != "" && value == url.QueryEscape(connectionToken)
		if pair != "" && !secret {
			kept = append(kept, pair)
		}
	}
	if len(kept) == 0 {
		return ""
	}
	return "?" + strings.Join(kept, "&")
}

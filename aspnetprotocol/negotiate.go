package aspnetprotocol

import (
	"math"
	"net/url"
	"strconv"
	"strings"
)

// A version is that of .NET: two to four numbers.
type version []int

// parseVersion follows Version.TryParse.
func parseVersion(text string) (v version, ok bool) {
	parts := strings.Split(text, ".")
	if len(parts) < 2 || len(parts) > 4 {
		return nil, false
	}
	for _, part := range parts {
		n, err := strconv.ParseUint(part, 10, 64)
		if err != nil || n > math.MaxInt32 {
			return nil, false
		}
		v = append(v, int(n))
	}
	return v, true
}

// compare takes what is not there for less than 0, as .NET does.
func (v version) compare(other version) int {
	for i := range 4 {
		a, b := -1, -1
		if i < len(v) {
			a = v[i]
		}
		if i < len(other) {
			b = other[i]
		}
		if a != b {
			return a - b
		}
	}
	return 0
}

func (v version) String() string {
	var parts []string
	for _, n := range v {
		parts = append(parts, strconv.Itoa(n))
	}
	return strings.Join(parts, ".")
}

var (
	oldest   = version{1, 2}
	newest   = version{2, 0}
	queries  = version{2, 1} // clients that understand a query in a redirect
	redirect = version{2, 0} // what a redirect says
)

// ProtocolVersion returns the version that a server answers a client with: its own, the
// parameter clientProtocol, as long as that is from 1.2 to 2.0; else the nearest. What is no
// version is answered 1.2, at which newer clients give up, as they shall.
//
// Source: SignalR Core/Infrastructure/ProtocolResolver.cs.
func ProtocolVersion(clientProtocol string) string {
	v, ok := parseVersion(clientProtocol)
	switch {
	case !ok || v.compare(oldest) < 0:
		v = oldest
	case v.compare(newest) > 0:
		v = newest
	}
	return v.String()
}

// A Negotiation is the answer of a service to negotiate.
//
// Source: SignalR Core/PersistentConnection.cs.
type Negotiation struct {
	URL                     string  // absolute path of the endpoint
	ConnectionToken         string  // secret
	ConnectionID            string  // has no dot and no |
	KeepAliveTimeout        float64 // seconds, as are all below; 0 is none
	DisconnectTimeout       float64
	ConnectionTimeout       float64
	TransportConnectTimeout float64
	LongPollDelay           float64
	TryWebSockets           bool
	ProtocolVersion         string
}

// Append appends the answer as JSON, in the order of the self-hosted library.
func (n Negotiation) Append(b []byte) []byte {
	b = appendString(append(b, `{"Url":`...), n.URL)
	b = appendString(append(b, `,"ConnectionToken":`...), n.ConnectionToken)
	b = appendString(append(b, `,"ConnectionId":`...), n.ConnectionID)
	b = append(b, `,"KeepAliveTimeout":`...)
	if n.KeepAliveTimeout > 0 {
		b = appendSeconds(b, n.KeepAliveTimeout)
	} else {
		b = append(b, "null"...)
	}
	b = appendSeconds(append(b, `,"DisconnectTimeout":`...), n.DisconnectTimeout)
	b = appendSeconds(append(b, `,"ConnectionTimeout":`...), n.ConnectionTimeout)
	b = strconv.AppendBool(append(b, `,"TryWebSockets":`...), n.TryWebSockets)
	b = appendString(append(b, `,"ProtocolVersion":`...), n.ProtocolVersion)
	b = appendSeconds(append(b, `,"TransportConnectTimeout":`...), n.TransportConnectTimeout)
	b = appendSeconds(append(b, `,"LongPollDelay":`...), n.LongPollDelay)
	return append(b, '}')
}

// appendSeconds writes a fraction always: some clients want a double.
func appendSeconds(b []byte, seconds float64) []byte {
	if seconds == math.Trunc(seconds) {
		return strconv.AppendFloat(b, seconds, 'f', 1, 64)
	}
	return strconv.AppendFloat(b, seconds, 'f', -1, 64)
}

// AppendRedirect appends the answer of an app server to negotiate: the client shall go to url,
// with the token.
//
// Source: azure-signalr AspNet/Middleware/NegotiateMiddleware.cs.
func AppendRedirect(b []byte, url, token string) []byte {
	b = appendString(append(b, `{"ProtocolVersion":`...), redirect.String())
	b = appendString(append(b, `,"RedirectUrl":`...), url)
	b = appendString(append(b, `,"AccessToken":`...), token)
	return append(b, `,"TryWebSockets":true}`...)
}

// RedirectQuery returns the query of the URL that a client is sent to, with its question mark:
// the client's own parameters, an id of the request, and path, where the client was before
// without the final /negotiate. It is empty for clients before 2.1, which cannot have one.
// rawQuery is that of the client's request, without question mark.
//
// Source: azure-signalr AspNet/Middleware/NegotiateMiddleware.cs, AspNet/EndpointProvider/ServiceEndpointProvider.cs.
func RedirectQuery(path, rawQuery, requestID string) string {
	var b strings.Builder
	newEnough := false
	for pair := range strings.SplitSeq(rawQuery, "&") {
		name, value, _ := strings.Cut(pair, "=")
		name, value = unescape(name), unescape(value)
		switch name {
		case "clientProtocol":
			v, ok := parseVersion(value)
			newEnough = ok && v.compare(queries) >= 0
			continue
		case "connectionToken", "connectionData", "":
			continue
		}
		b.WriteString(escape(name) + "=" + escape(value) + "&")
	}
	if !newEnough {
		return ""
	}
	b.WriteString("asrs_request_id=" + escape(requestID))
	if path != "" {
		b.WriteString("&asrs.op=" + url.QueryEscape(path))
	}
	return "?" + b.String()
}

// unescape leaves what cannot be read as it is.
func unescape(text string) string {
	if plain, err := url.QueryUnescape(text); err == nil {
		return plain
	}
	return text
}

// escape leaves the unreserved characters of RFC 3986 only.
func escape(text string) string {
	return strings.ReplaceAll(url.QueryEscape(text), "+", "%20")
}

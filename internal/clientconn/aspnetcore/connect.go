package aspnetcore

import (
	"net"
	"net/http"
	"net/textproto"
	"slices"
	"strconv"
	"strings"
	"time"

	"switchboard/accesstoken"
	"switchboard/internal/clientconn"
	"switchboard/internal/router"
	"switchboard/serviceprotocol"
)

// connect opens the transport of a connection, negotiated or not.
func (h *Handler) connect(w http.ResponseWriter, r *http.Request) {
	token, hub := h.admit(w, r)
	if hub == nil {
		return
	}
	if !isWebSocket(r) {
		refuse(w, http.StatusNotFound, "Only the WebSockets transport is supported by this end point")
		return
	}
	connectionToken := r.URL.Query().Get("id")
	e, err := h.table.claim(connectionToken, hub.Name(), time.Now(), func(id string) *clientconn.Conn {
		h.open.Add(1)
		return h.newConn(id, connectionToken, token, hub, r)
	})
	if err != nil {
		h.refuseConnection(w, err)
		return
	}
	defer h.open.Done()
	defer h.table.forget(e)
	serveWebSocket(w, r, e.conn)
}

func (h *Handler) newConn(id, connectionToken string, token *accesstoken.Token, hub *router.Hub, r *http.Request) *clientconn.Conn {
	limits := h.config.Limits
	handshake, _ := token.Claim(accesstoken.ClaimHandshakeWait)
	if seconds, err := strconv.Atoi(handshake); err == nil && seconds >= 1 && seconds <= 30 {
		limits.HandshakeTimeout = time.Duration(seconds) * time.Second
	}
	detailed, _ := token.Claim(accesstoken.ClaimDetailedErrors)
	return clientconn.New(hub, clientconn.Origin{
		ID:             id,
		UserID:         token.UserID(),
		Claims:         longClaims(token.Claims),
		Headers:        h.headers(r),
		QueryString:    withoutSecrets(r.URL, connectionToken),
		DetailedErrors: strings.EqualFold(detailed, "true"),
	}, limits, h.config.Log)
}

// longClaims gives claims the long names that .NET apps look for.
func longClaims(claims []serviceprotocol.Claim) []serviceprotocol.Claim {
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

// headers returns the client's headers as its hub shall see them.
func (h *Handler) headers(r *http.Request) serviceprotocol.Headers {
	headers := serviceprotocol.Headers{{Name: "Host", Values: []string{r.Host}}}
	for _, name := range sortedNames(r.Header) {
		ours := slices.Contains(hopByHop, name) || strings.HasPrefix(name, "Asrs-") ||
			strings.HasPrefix(name, "Sec-Websocket-") || name == "X-Forwarded-For"
		if !ours {
			headers = append(headers, serviceprotocol.Header{Name: name, Values: r.Header[name]})
		}
	}
	return append(headers,
		serviceprotocol.Header{Name: "X-Forwarded-For", Values: []string{forwardedFor(r)}},
		serviceprotocol.Header{Name: "Asrs-Instance-Id", Values: []string{h.config.InstanceID}},
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

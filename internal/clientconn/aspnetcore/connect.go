package aspnetcore

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
	"switchboard/internal/clientconn"
	"switchboard/internal/clientconn/websocket"
	"switchboard/serviceprotocol"
)

// connect opens the transport of a connection, negotiated or not.
func (h *Handler) connect(w http.ResponseWriter, r *http.Request, query url.Values) {
	token, hub := h.admit(w, r, query)
	if hub == nil {
		return
	}
	if !strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
		refuse(w, http.StatusNotFound, "Only the WebSockets transport is supported by this end point")
		return
	}
	h.config.WebSockets.Serve(w, r, func(t clientconn.Transport) (*clientconn.Conn, websocket.Owner, error) {
		connectionToken := query.Get("id")
		e, err := h.table.claim(connectionToken, hub.Name(), time.Now(), func(id string) *clientconn.Conn {
			h.open.Add(1) // while the table is locked: none is added once Shutdown waits
			return clientconn.New(hub, h.origin(id, connectionToken, token, r), h.env, t)
		})
		if err != nil {
			h.refuseConnection(w, err)
			return nil, nil, err
		}
		return e.conn, &owned{h, e}, nil
	})
}

// owned is a connection with an open transport in the table of its handler.
type owned struct {
	h *Handler
	e *entry
}

// Ended is called when the transport has ended.
func (o *owned) Ended() {
	o.h.table.forget(o.e)
	o.h.open.Done()
}

func (h *Handler) origin(id, connectionToken string, token *accesstoken.Token, r *http.Request) clientconn.Origin {
	var wait time.Duration
	handshake, _ := token.Claim(accesstoken.ClaimHandshakeWait)
	if seconds, err := strconv.Atoi(handshake); err == nil && seconds >= 1 && seconds <= 30 {
		wait = time.Duration(seconds) * time.Second
	}
	detailed, _ := token.Claim(accesstoken.ClaimDetailedErrors)
	return clientconn.Origin{
		ID:             id,
		UserID:         strings.Clone(token.UserID()), // outlives the token
		Claims:         longClaims(token.Claims),
		Headers:        h.headers(r),
		QueryString:    withoutSecrets(r.URL, connectionToken),
		DetailedErrors: strings.EqualFold(detailed, "true"),
		Handshake:      wait,
	}
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

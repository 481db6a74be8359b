package aspnetcore

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/textproto"
	"slices"
	"strconv"
	"strings"
	"time"

	"switchboard/accesstoken"
	"switchboard/internal/clientconn"
	"switchboard/internal/clientconn/websocket"
	"switchboard/internal/pairing"
	"switchboard/internal/router"
	"switchboard/negotiate"
	"switchboard/serviceprotocol"
)

// connect opens the transport of a connection, negotiated or not.
func (h *Handler) connect(w http.ResponseWriter, r *http.Request, id string, token *accesstoken.Token, hub *router.Hub) {
	transport := transportOf(r)
	claim := func(t clientconn.Transport, x *exchange) (*entry, error) {
		e, err := h.table.claim(id, entry{hub: hub.Name(), traced: diagnostic(token)}, transport, x, time.Now(), func(e *entry) *clientconn.Conn {
			h.open.Add(1) // while the table is locked: none is added once Shutdown waits
			origin := h.origin(e.id, id, token, r)
			origin.Resumable = e.resumes && transport == negotiate.WebSockets
			origin.TextOnly = transport == negotiate.ServerSentEvents
			return clientconn.New(hub, origin, h.env, t)
		})
		if err != nil {
			h.refuseConnection(w, err)
			return nil, err
		}
		if end, ok := authenticationEnd(token); ok {
			h.table.closeAfter(e, time.Until(end))
		}
		return e, nil
	}
	switch {
	case transport&allowed(token) == 0:
		refuse(w, http.StatusNotFound, transport.String()+" transport not supported by this end point type")
	case transport == negotiate.WebSockets:
		h.config.WebSockets.Serve(w, r, func(t clientconn.Transport) (websocket.Conn, error) {
			e, err := claim(t, nil)
			if err != nil {
				return nil, err
			}
			return &owned{e.conn, h, e}, nil
		})
	case id == "":
		refuse(w, http.StatusBadRequest, noID)
	default:
		x := newExchange(h, transport)
		x.pollWait = pollWait(token, h.config.PollWait)
		if _, err := claim(x, x); err != nil {
			return
		}
		if transport == negotiate.ServerSentEvents {
			x.stream(w, r)
		} else {
			x.answerFirstPoll(w)
		}
	}
}

// resume carries a connection over another WebSocket, since it has lost its own.
// There is no handshake again.
func (h *Handler) resume(w http.ResponseWriter, r *http.Request, e *entry, conn *clientconn.Conn) {
	h.config.WebSockets.Serve(w, r, func(t clientconn.Transport) (websocket.Conn, error) {
		switch err := conn.Attach(t); {
		case errors.Is(err, clientconn.ErrGone):
			h.refuseConnection(w, errUnknown)
			return nil, err
		case err != nil:
			h.refuseConnection(w, errBusy)
			return nil, err
		}
		return &owned{conn, h, e}, nil
	})
}

const noID = "Connection ID required"

// awaitTransport waits for the first GET of a connection; opened is nil if it has
// come.
func (h *Handler) awaitTransport(ctx context.Context, opened <-chan struct{}) {
	if opened == nil {
		return
	}
	timeout := time.NewTimer(h.config.ConnectTimeout)
	defer timeout.Stop()
	select {
	case <-opened:
	case <-timeout.C:
	case <-ctx.Done():
	}
}

// transportOf tells what a GET is for, in the order of ASP.NET Core. Only the exact
// media type is one of Server-Sent Events.
//
// Source: dotnet/aspnetcore HttpConnectionDispatcher.cs, ExecuteAsync.
func transportOf(r *http.Request) negotiate.Transport {
	for _, accept := range r.Header["Accept"] {
		for media := range strings.SplitSeq(accept, ",") {
			media, _, _ = strings.Cut(media, ";")
			if strings.EqualFold(strings.TrimSpace(media), "text/event-stream") {
				return negotiate.ServerSentEvents
			}
		}
	}
	if strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
		return negotiate.WebSockets
	}
	return negotiate.LongPolling
}

// allowed returns the transports that the app lets its clients use.
func allowed(token *accesstoken.Token) negotiate.Transport {
	claim, ok := token.Claim(accesstoken.ClaimTransports)
	mask, err := strconv.Atoi(claim)
	if !ok || err != nil {
		return negotiate.All
	}
	return negotiate.Transport(mask) & negotiate.All
}

// diagnostic tells whether the app wants the client to be traced.
func diagnostic(token *accesstoken.Token) bool {
	claim, _ := token.Claim(accesstoken.ClaimDiagnostic)
	return strings.EqualFold(claim, "true")
}

// authenticationEnd returns when the user's authentication ends, if the app wants
// connections to end with it.
func authenticationEnd(token *accesstoken.Token) (end time.Time, ok bool) {
	wanted, _ := token.Claim(accesstoken.ClaimCloseOnExpiry)
	claim, _ := token.Claim(accesstoken.ClaimExpiry)
	seconds, err := strconv.ParseInt(claim, 10, 64)
	return time.Unix(seconds, 0), strings.EqualFold(wanted, "true") && err == nil
}

// pollWait returns how long a client may take between two polls.
func pollWait(token *accesstoken.Token, usual time.Duration) time.Duration {
	claim, _ := token.Claim(accesstoken.ClaimPollWait)
	if seconds, err := strconv.Atoi(claim); err == nil && seconds >= 1 && seconds <= 300 {
		return time.Duration(seconds) * time.Second
	}
	return usual
}

// before answers a POST or DELETE whose connection is not carried by requests, or
// not yet: a POST then waits.
func (h *Handler) before(w http.ResponseWriter, r *http.Request, id, hub string) {
	if id == "" {
		refuse(w, http.StatusBadRequest, noID)
		return
	}
	transport, opened, err := h.table.transport(id, hub, time.Now())
	switch {
	case err != nil:
		h.refuseConnection(w, err)
	case transport == negotiate.WebSockets && r.Method == http.MethodPost:
		refuse(w, http.StatusMethodNotAllowed, "POST requests are not allowed for WebSocket connections.")
	case r.Method == http.MethodDelete:
		refuse(w, http.StatusBadRequest, "Cannot terminate this connection using the DELETE endpoint.")
	default:
		h.awaitTransport(r.Context(), opened)
		if x := h.table.open(id, hub); x != nil {
			x.further(w, r)
			return
		}
		h.refuseConnection(w, errUnknown)
	}
}

// owned is a connection in the table of its handler that a WebSocket carries.
type owned struct {
	*clientconn.Conn
	h *Handler
	e *entry
}

// Receive passes bytes on, whatever the type of the frame: only the handshake decides
// the encoding. What a closing connection still gets is dropped.
func (o *owned) Receive(p []byte, _, _ bool) error { return o.Conn.Receive(p) }

// Finish ends the connection, unless that goes on over another socket.
func (o *owned) Finish(reason *pairing.Reason) {
	o.Conn.Finish(reason, func() {
		o.h.table.forget(o.e)
		o.h.open.Done()
	})
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
		Headers:        h.headers(r, diagnostic(token)),
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
func (h *Handler) headers(r *http.Request, diagnostic bool) serviceprotocol.Headers {
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

package aspnetcore

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"switchboard/accesstoken"
	"switchboard/internal/clientconn"
	"switchboard/internal/clientconn/requests"
	"switchboard/internal/clientconn/websocket"
	"switchboard/internal/pairing"
	"switchboard/internal/router"
	"switchboard/negotiate"
)

// connect opens the transport of a connection, negotiated or not.
func (h *Handler) connect(w http.ResponseWriter, r *http.Request, id string, token *accesstoken.Token, hub *router.Hub) {
	transport := transportOf(r)
	claim := func(t clientconn.Transport, x *exchange) (*entry, error) {
		e, err := h.table.claim(id, entry{hub: hub.Name(), traced: requests.Diagnostic(token)}, transport, x, time.Now(), func(e *entry) *clientconn.Conn {
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
		requests.Refuse(w, http.StatusNotFound, transport.String()+" transport not supported by this end point type")
	case transport == negotiate.WebSockets:
		h.config.WebSockets.Serve(w, r, func(t clientconn.Transport) (websocket.Conn, error) {
			e, err := claim(t, nil)
			if err != nil {
				return nil, err
			}
			return &owned{e.conn, h, e}, nil
		})
	case id == "":
		requests.Refuse(w, http.StatusBadRequest, noID)
	default:
		x := newExchange(h, transport)
		x.pollWait = requests.PollWait(token, h.config.PollWait)
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

// authenticationEnd returns when the user's authentication ends, if the app wants
// connections to end with it.
func authenticationEnd(token *accesstoken.Token) (end time.Time, ok bool) {
	wanted, _ := token.Claim(accesstoken.ClaimCloseOnExpiry)
	claim, _ := token.Claim(accesstoken.ClaimExpiry)
	seconds, err := strconv.ParseInt(claim, 10, 64)
	return time.Unix(seconds, 0), strings.EqualFold(wanted, "true") && err == nil
}

// before answers a POST or DELETE whose connection is not carried by requests, or
// not yet: a POST then waits.
func (h *Handler) before(w http.ResponseWriter, r *http.Request, id, hub string) {
	if id == "" {
		requests.Refuse(w, http.StatusBadRequest, noID)
		return
	}
	transport, opened, err := h.table.transport(id, hub, time.Now())
	switch {
	case err != nil:
		h.refuseConnection(w, err)
	case transport == negotiate.WebSockets && r.Method == http.MethodPost:
		requests.Refuse(w, http.StatusMethodNotAllowed, "POST requests are not allowed for WebSocket connections.")
	case r.Method == http.MethodDelete:
		requests.Refuse(w, http.StatusBadRequest, "Cannot terminate this connection using the DELETE endpoint.")
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
		Claims:         requests.LongClaims(token.Claims),
		Headers:        requests.Headers(r, requests.Diagnostic(token), h.config.InstanceID),
		QueryString:    requests.WithoutSecrets(r.URL, connectionToken),
		DetailedErrors: strings.EqualFold(detailed, "true"),
		Handshake:      wait,
	}
}

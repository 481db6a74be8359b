package aspnet

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"switchboard/accesstoken"
	"switchboard/aspnetprotocol"
	"switchboard/internal/clientconn"
	"switchboard/internal/clientconn/requests"
	"switchboard/internal/clientconn/websocket"
	"switchboard/internal/pairing"
	"switchboard/internal/router"
	"switchboard/serviceprotocol"
)

// The transports by their names in requests, in lower case.
const (
	webSockets       = "websockets"
	serverSentEvents = "serversentevents"
	longPolling      = "longpolling"
)

// maxHubs is how many hubs a client may listen to.
const maxHubs = 100

// connect opens a connection, or has one that is open carried by another transport: a client whose
// transport does not come up tries the next one with the same token.
func (h *Handler) connect(w http.ResponseWriter, r *request) {
	transport := transportOf(w, r)
	if transport == "" {
		return
	}
	c := h.find(w, r)
	if c == nil {
		return
	}
	if err := h.opened(w, r, c); err != nil {
		h.refuseConnect(w, r, c, transport, err, true)
		return
	}
	switch transport {
	case webSockets:
		h.serveWebSocket(w, r, c, true)
	case serverSentEvents:
		h.stream(w, r, c, true)
	case longPolling:
		h.answerConnect(w, r, c)
	}
}

// refuseConnect answers for a connection that could not be opened, or has been closed at once: then it
// is opened all the same, and its client told why.
func (h *Handler) refuseConnect(w http.ResponseWriter, r *request, c *Conn, transport string, err error, first bool) {
	words := c.lastWords()
	switch {
	case errors.Is(err, errAnswered):
	case errors.Is(err, router.ErrNoServer):
		requests.Refuse(w, http.StatusServiceUnavailable, noServer)
	case errors.Is(err, errConnecting):
		requests.Refuse(w, http.StatusConflict, err.Error())
	case words == nil:
		requests.Refuse(w, http.StatusNotFound, "The connection has ended.")
	default:
		h.say(w, r, transport, words, first)
	}
}

// reconnect has an open connection carried by a new transport, and tells the app server. The client
// is not told again that the connection is open.
func (h *Handler) reconnect(w http.ResponseWriter, r *request) {
	transport := transportOf(w, r)
	if transport == "" {
		return
	}
	if words := h.table.lastWords(r.query.Get("connectionToken")); words != nil {
		h.say(w, r, transport, words, false)
		return
	}
	if h.config.AlwaysErrors && h.table.find(r.query.Get("connectionToken")) == nil {
		h.sayEnded(w, r, transport)
		return
	}
	c := h.find(w, r)
	switch {
	case c == nil:
	case !c.isOpen():
		requests.Refuse(w, http.StatusNotFound, notConnected)
	case transport == webSockets:
		h.serveWebSocket(w, r, c, false)
	case transport == serverSentEvents:
		_ = c.post([]byte(aspnetprotocol.Reconnect)) // else it ends
		h.stream(w, r, c, false)
	case transport == longPolling:
		_ = c.post([]byte(aspnetprotocol.Reconnect))
		h.answerPoll(w, r, c)
	}
}

// sayEnded tells a client that reconnects to a connection that is no more, perhaps because it was
// that of another service, so that it need not try again and again.
func (h *Handler) sayEnded(w http.ResponseWriter, r *request, transport string) {
	h.say(w, r, transport, aspnetprotocol.AppendError(nil, "The connection has ended; start a new one."), false)
}

// say answers with a message that ends the client's connection. first says that the client waits for
// the connection to be open, which is then what it is told before.
func (h *Handler) say(w http.ResponseWriter, r *request, transport string, farewell []byte, first bool) {
	switch transport {
	case webSockets:
		h.config.WebSockets.Serve(w, r.Request, func(t clientconn.Transport) (websocket.Conn, error) {
			return h.lastStream(t, farewell, first), nil
		})
	case serverSentEvents:
		w.Header().Set("Content-Type", "text/event-stream")
		noCache(w.Header())
		events := "data: initialized\n\n"
		if first {
			events += "data: " + string(firstEnvelope) + "\n\n"
		}
		_, _ = w.Write([]byte(events + "data: " + string(farewell) + "\n\n"))
	default:
		if first {
			farewell = firstEnvelope // it comes with the first poll
		}
		writeJSON(w, farewell)
	}
}

// lastStream returns the stream of a connection that is no more, by which its client is told so.
func (h *Handler) lastStream(t clientconn.Transport, farewell []byte, first bool) *stream {
	c := &Conn{h: h, id: clientconn.NewID(), reason: pairing.TransportLost, farewell: farewell, ended: true}
	c.stream = &stream{c: c, transport: t, first: first}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stream.endLocked()
	return c.stream
}

// transportOf returns the transport that a request is of. If it is none, it writes the answer and
// returns "".
func transportOf(w http.ResponseWriter, r *request) string {
	transport := strings.ToLower(r.query.Get("transport"))
	switch transport {
	case webSockets:
		if !strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
			requests.Refuse(w, http.StatusBadRequest, "Not a valid web socket request.")
			return ""
		}
	case serverSentEvents, longPolling:
	default:
		requests.Refuse(w, http.StatusBadRequest, "Protocol error: Unknown transport.")
		return ""
	}
	return transport
}

// serveWebSocket carries an open connection. first says that its client is to be told so; else it reconnects.
func (h *Handler) serveWebSocket(w http.ResponseWriter, r *request, c *Conn, first bool) {
	h.config.WebSockets.Serve(w, r.Request, func(t clientconn.Transport) (websocket.Conn, error) {
		s := &stream{c: c, transport: t}
		if !c.attach(s, first, !first) {
			if words := c.lastWords(); words != nil {
				return h.lastStream(t, words, first), nil
			}
			requests.Refuse(w, http.StatusNotFound, notConnected)
			return nil, errAnswered
		}
		h.keeper.add(s)
		if !first {
			_ = c.post([]byte(aspnetprotocol.Reconnect)) // else it ends
		}
		return s, nil
	})
}

// opened opens the connection, if that has not been done before.
func (h *Handler) opened(w http.ResponseWriter, r *request, c *Conn) error {
	hubs, err := aspnetprotocol.ParseHubs(r.query.Get("connectionData"))
	if err == nil && len(hubs) > maxHubs {
		err = fmt.Errorf("connectionData: more than %d hubs", maxHubs)
	}
	if err != nil {
		requests.Refuse(w, http.StatusBadRequest, err.Error())
		return errAnswered
	}
	if hub := forbidden(hubs, r.token); hub != "" {
		requests.Refuse(w, http.StatusForbidden, "The access token does not let the client listen to hub '"+hub+"'.")
		return errAnswered
	}
	return c.open(hubs, r)
}

// forbidden returns a hub that the app does not let the client listen to, or "".
func forbidden(hubs []string, token *accesstoken.Token) string {
	claim, restricted := token.Claim(accesstoken.ClaimAspNetHubs)
	if !restricted {
		return ""
	}
	allowed := strings.Fields(strings.ToLower(claim))
	for _, hub := range hubs {
		if !slices.Contains(allowed, hub) {
			return hub
		}
	}
	return ""
}

var (
	errAnswered   = errors.New("the request has been answered")
	errConnecting = errors.New("the connection is about to be opened by another request")
	errClosed     = errors.New("the connection has ended")
)

// open announces the connection to an app server, once. The client can be reached before: what
// the app server does when it hears of the client may be faster than we are.
func (c *Conn) open(hubs []string, r *request) error {
	c.mu.Lock()
	switch {
	case c.reason != nil:
		c.mu.Unlock()
		return errClosed
	case c.state == connecting:
		c.mu.Unlock()
		return errConnecting
	case c.state == open:
		c.mu.Unlock()
		return nil
	}
	c.state = connecting
	c.stopTimerLocked()
	c.mu.Unlock()

	err := c.announce(hubs, r)
	c.mu.Lock()
	c.state = open
	if err == nil && c.reason != nil {
		err = errClosed // meanwhile
	}
	if err != nil && c.reason == nil {
		c.reason = pairing.NoServer
	}
	c.expectLocked(c.h.config.Timeouts.Connect) // until the stream has come
	c.mu.Unlock()
	if err != nil {
		c.end()
	}
	return err
}

func (c *Conn) announce(hubs []string, r *request) (err error) {
	c.hubs, c.born = hubs, time.Now()
	defer func() {
		if err != nil {
			c.unlisten()
		}
	}()
	for _, name := range hubs {
		name = aspnetprotocol.ServiceHub(c.app, name)
		if !accesstoken.ValidHubName(name) {
			continue // no app server can have it; that of the client will say so
		}
		listening, err := c.h.config.Router.Listen(name, c)
		if err != nil {
			return err
		}
		c.listens = append(c.listens, listening)
	}
	c.pair, err = c.hub.Connect(c, &serviceprotocol.OpenConnection{
		ConnectionID: c.id,
		Claims:       requests.LongClaims(r.token.Claims),
		Headers:      requests.Headers(r.Request, c.traced, c.h.config.InstanceID),
		QueryString:  queryForHub(r.URL, c.id),
	})
	return err
}

// queryForHub returns the query as the client sent it, but for secrets. The connection token, without
// which app servers refuse a client, is the connection id.
func queryForHub(u *url.URL, id string) string {
	query := requests.WithoutSecrets(u, "")
	pairs := strings.Split(strings.TrimPrefix(query, "?"), "&")
	for i, pair := range pairs {
		name, _, _ := strings.Cut(pair, "=")
		if plain, err := url.QueryUnescape(name); err == nil && plain == "connectionToken" {
			pairs[i] = "connectionToken=" + id
		}
	}
	return "?" + strings.Join(pairs, "&")
}

// Joins tells whether a client can have messages of a group: one of a hub that it listens to.
// Others would be calls of a hub that JavaScript clients do not know, at which they break. It is
// router.Config.Joins.
func Joins(c pairing.Client, group string) bool {
	conn, ok := c.(*Conn)
	return !ok || aspnetprotocol.GroupIsOf(group, conn.hubs)
}

package loadgen

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"switchboard/hubprotocol"
	"switchboard/internal/wsframe"
	"switchboard/negotiate"
)

// A client is one SignalR client.
type client struct {
	loop   *loop
	number int
	state  state
	socket socket
	reader wsframe.Reader
	nonce  [16]byte
	held   []byte // the beginning of something whose rest has not come
	worker *worker

	service *endpoint // where the app server sent it, and with which token
	url     *url.URL
	token   string
	id      string // connection id

	first    int      // the first stream that it gets
	expected []uint32 // number of the next message of each stream that it gets
}

// A state is how far a client is.
type state byte

const (
	closed state = iota
	upgrading
	handshaking
	open
	leaving // has sent its close frame
)

// redirect asks the app server where to go, if there is one.
func (c *client) redirect(w *worker) {
	hub := *c.loop.target.hub
	if c.loop.config.Peer != PeerHub {
		var err error
		c.url = c.loop.target.hub
		c.service, err = c.loop.target.endpoint(c.url)
		w.finished(err)
		return
	}
	hub.Path = negotiate.Path(hub.Path)
	query := "negotiateVersion=1"
	if c.loop.config.Users {
		query = UserParameter + "=" + userID(c.number) + "&" + query
	}
	hub.RawQuery = strings.TrimPrefix(hub.RawQuery+"&"+query, "&")
	to, err := c.loop.target.endpoint(&hub)
	if err != nil {
		w.finished(err)
		return
	}
	w.fetch.post(to, &hub, "", func(body []byte, err error) {
		if err == nil {
			err = c.setRedirect(body)
		}
		w.finished(wrap("negotiate with the app server", err))
	})
}

func (c *client) setRedirect(body []byte) error {
	answer, err := negotiate.ParseAnswer(body)
	switch {
	case err != nil:
		return err
	case answer.Error != "":
		return errors.New(answer.Error)
	case answer.URL == "":
		return errors.New("the app server does not send clients to a service")
	}
	if c.url, err = url.Parse(answer.URL); err != nil {
		return fmt.Errorf("parse URL of the service: %w", err)
	}
	c.token = answer.AccessToken
	c.service, err = c.loop.target.endpoint(c.url)
	return err
}

// connect takes the client from negotiating with the service to the end of the
// handshake.
func (c *client) connect(w *worker) {
	c.worker = w
	if c.url == nil {
		c.end(errors.New("the client has no token"))
		return
	}
	if c.loop.config.Negotiation == NegotiateSkip {
		c.upgrade("")
		return
	}
	u := *c.url
	u.Path = negotiate.Path(u.Path)
	u.RawQuery += "&negotiateVersion=1"
	w.fetch.post(c.service, &u, c.token, func(body []byte, err error) {
		if err == nil && c.loop.config.Negotiation == NegotiateOwn {
			w.fetch.socket.close(true)
		}
		token := ""
		if err == nil {
			c.id, token, err = parseNegotiated(body)
		}
		if err != nil {
			c.end(wrap("negotiate with the service", err))
			return
		}
		c.upgrade(token)
	})
}

// parseNegotiated finds what a client needs to connect.
func parseNegotiated(body []byte) (id, token string, err error) {
	id, ok1 := plainField(body, "connectionId")
	token, ok2 := plainField(body, "connectionToken")
	if ok1 && ok2 {
		return id, token, nil
	}
	answer, err := negotiate.ParseAnswer(body)
	switch {
	case err != nil:
		return "", "", err
	case answer.Error != "":
		return "", "", errors.New(answer.Error)
	case answer.ConnectionToken == "":
		return answer.ConnectionID, answer.ConnectionID, nil
	}
	return answer.ConnectionID, answer.ConnectionToken, nil
}

// plainField returns the text of a JSON member that has no escapes.
func plainField(body []byte, name string) (string, bool) {
	_, rest, ok := bytes.Cut(body, []byte(`"`+name+`":"`))
	value, _, whole := bytes.Cut(rest, []byte{'"'})
	return string(value), ok && whole && len(value) > 0 && bytes.IndexByte(value, '\\') < 0
}

func (c *client) upgrade(connectionToken string) {
	c.held = c.held[:0]
	c.reader = wsframe.Reader{Options: wsframe.FromServer | wsframe.TrustText}
	for i := 0; i < len(c.nonce); i += 4 {
		k := c.loop.mask()
		copy(c.nonce[i:], k[:])
	}
	u := *c.url
	if connectionToken != "" {
		u.RawQuery += "&id=" + url.QueryEscape(connectionToken)
	}
	c.state = upgrading
	if err := c.socket.connect(c.loop, c.service, c); err != nil {
		c.end(err)
		return
	}
	var header http.Header
	if c.token != "" {
		header = http.Header{"Authorization": {"Bearer " + c.token}}
	}
	b := wsframe.AppendRequest(c.loop.scratch[:0], c.service.host, u.RequestURI(), header, c.nonce)
	c.loop.scratch = b
	if err := c.socket.write(b); err != nil {
		c.end(err)
	}
}

// ready takes what the socket has.
func (c *client) ready(uint32) {
	if err := c.socket.flush(); err != nil {
		c.end(err)
		return
	}
	for c.socket.open {
		n, err := c.socket.read(c.loop.buffer)
		c.loop.now = monotonic()
		if err == nil && n == 0 {
			return
		}
		if err == nil {
			err = c.handle(c.loop.buffer[:n])
		}
		if err != nil {
			c.end(err)
			return
		}
	}
}

func (c *client) handle(b []byte) error {
	if c.state != upgrading {
		return c.reader.Feed(b, c)
	}
	c.held = append(c.held, b...) // CheckResponse bounds it
	n, err := wsframe.CheckResponse(c.held, c.nonce)
	if err != nil {
		return err
	}
	if n == 0 {
		return nil
	}
	rest := c.held[n:]
	c.held, c.state = nil, handshaking
	if hello := c.loop.words.hello(c.loop.plan, c.number); hello == nil {
		c.opened()
	} else if err := c.send(hello); err != nil {
		return err
	}
	return c.reader.Feed(rest, c)
}

// Data takes a piece of a WebSocket message. What it means is for the hub
// protocol to say, whose messages need not begin and end where those of the
// WebSocket do.
func (c *client) Data(p []byte, _, _, _ bool) error {
	if len(c.held) > 0 {
		c.held = append(c.held, p...)
		p = c.held
	}
	if c.state == handshaking {
		rest, err := c.loop.words.welcome(p)
		switch {
		case errors.Is(err, hubprotocol.ErrIncomplete):
			return c.hold(p)
		case err != nil:
			return err
		}
		p = rest
		c.opened()
	}
	rest, err := c.messages(p)
	if err != nil {
		return err
	}
	return c.hold(rest)
}

// maxHeld bounds a message of which a part has come. Payloads are shorter.
const maxHeld = 4 << 20

// hold keeps the beginning of a message. An idle client keeps nothing.
func (c *client) hold(rest []byte) error {
	if len(rest) == 0 {
		c.held = nil
		return nil
	}
	if len(rest) > maxHeld {
		return errors.New("message from the hub is too long")
	}
	c.held = append(c.held[:0], rest...) // rest may lie in held
	return nil
}

// messages handles every whole hub message in b, and returns what is left.
func (c *client) messages(b []byte) (rest []byte, err error) {
	for {
		n, err := c.loop.words.next(b)
		if err != nil || n == 0 {
			return b, err
		}
		m, err := c.loop.words.read(b[:n])
		switch {
		case err != nil:
			return nil, err
		case m.stamped:
			c.deliver(m.stamp)
		case m.reply != nil:
			if err := c.send(m.reply); err != nil {
				return nil, err
			}
		case m.answer && c.worker != nil:
			w := c.worker
			c.worker = nil
			w.finished(nil)
		}
		b = b[n:]
	}
}

// Control answers pings. A close frame ends the connection.
func (c *client) Control(op wsframe.Opcode, p []byte) error {
	switch op {
	case wsframe.OpPing:
		return c.frame(wsframe.OpPong, p)
	case wsframe.OpClose:
		code, reason := wsframe.ParseClose(p)
		return fmt.Errorf("service closes the connection: %d %s", code, reason)
	}
	return nil
}

// send sends hub messages.
func (c *client) send(b []byte) error {
	op := wsframe.OpText
	if c.loop.words.Binary() {
		op = wsframe.OpBinary
	}
	return c.frame(op, b)
}

func (c *client) frame(op wsframe.Opcode, p []byte) error {
	c.loop.framed = wsframe.AppendMasked(c.loop.framed[:0], op, p, c.loop.mask())
	return c.socket.write(c.loop.framed)
}

// opened says that the handshake is done.
func (c *client) opened() {
	l := c.loop
	c.state = open
	l.seen.Open++
	l.seen.Opened++
	w := c.worker
	c.worker = nil
	if l.config.Scenario == Connect {
		l.latency.Record(time.Duration(l.now - w.begun))
	}
	w.finished(nil)
}

// join has the hub add the client to its group.
func (c *client) join(w *worker) {
	if c.state != open {
		w.finished(nil)
		return
	}
	c.worker = w
	message, err := c.loop.words.join(groupName(c.loop.plan.group(c.number)))
	if err == nil {
		err = c.send(message)
	}
	if err != nil {
		c.end(err)
	}
}

// leave closes the connection in good order.
func (c *client) leave(w *worker) {
	if c.state != open {
		w.finished(nil)
		return
	}
	c.worker = w
	c.state = leaving
	c.loop.seen.Open--
	if err := c.frame(wsframe.OpClose, []byte{1000 >> 8, 1000 & 0xff}); err != nil {
		c.end(err)
	}
}

// end ends the connection, for a reason that matters unless it was asked for.
func (c *client) end(err error) {
	was := c.state
	c.state, c.held = closed, nil
	c.socket.close(true)
	switch {
	case was == leaving:
		err = nil
	case was == open:
		c.loop.seen.Open--
		c.loop.seen.Dropped++
		err = fmt.Errorf("client %d: %w", c.number, unexpected(err))
	default:
		c.loop.seen.Failed++
		err = wrap("connect", unexpected(err))
	}
	if w := c.worker; w != nil {
		c.worker = nil
		w.finished(err)
	} else if err != nil {
		c.loop.fail(err)
	}
}

// giveUp ends what takes too long.
func (c *client) giveUp(w *worker, err error) {
	w.fetch.done = nil
	w.fetch.socket.close(true)
	if c.worker == w {
		c.end(err)
		return
	}
	w.finished(err)
}

func (c *client) failed(err error) { c.end(err) }

func wrap(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", what, err)
}

// ping sends the hub pings that are due: each tick those of some clients.
func (l *loop) ping() {
	if l.config.Ping <= 0 || len(l.clients) == 0 {
		return
	}
	due := int((l.now - l.started) * int64(len(l.clients)) / int64(l.config.Ping))
	due = min(due-l.pinged, len(l.clients))
	for i := range due {
		c := &l.clients[(l.pinged+i)%len(l.clients)]
		if c.state == open {
			l.seen.Pings++
			if err := c.send(l.words.keepAlive()); err != nil {
				c.end(err)
			}
		}
	}
	l.pinged += max(due, 0)
}

var _ wsframe.Handler = (*client)(nil)

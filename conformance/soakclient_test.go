package conformance_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"time"

	"switchboard/internal/wsframe"
)

// A soakClient is one connection of a client. It has no goroutine but its
// user's, and next to no buffer.
type soakClient struct {
	net.Conn
	frames  wsframe.Reader
	partial []byte        // of a hub message
	inbox   []soakMessage // hub messages that were not asked for yet
	closed  bool          // the service's close frame has come
	id      string        // connection id, told by Join
	reading [2 << 10]byte
}

// A soakMessage is a hub message, as far as a soak looks at it.
type soakMessage struct {
	Type           int
	Target         string
	Arguments      []json.RawMessage
	InvocationID   string
	Result         string
	Error          string
	AllowReconnect bool
}

const hubClose = 7

// dialService opens a TCP connection from one of many addresses, as one has too
// few ports.
func dialService(ctx context.Context, s *service) (net.Conn, error) {
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 1, byte(1+rand.IntN(250)))}}
	return d.DialContext(ctx, "tcp", s.address())
}

func (s *service) address() string { return s.endpoint.Base.Host }

// upgradeClient opens a WebSocket without negotiation; nothing is sent on it.
func upgradeClient(ctx context.Context, s *service, hub, token string) (*soakClient, error) {
	conn, err := dialService(ctx, s)
	if err != nil {
		return nil, err
	}
	c := &soakClient{Conn: conn, frames: wsframe.Reader{Options: wsframe.FromServer}}
	_ = conn.SetDeadline(time.Now().Add(wait))
	nonce := [16]byte{1}
	header := http.Header{"Authorization": {"Bearer " + token}}
	if _, err := conn.Write(wsframe.AppendRequest(nil, s.address(), "/client/?hub="+url.QueryEscape(hub), header, nonce)); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	var answer []byte
	for {
		n, err := conn.Read(c.reading[:])
		answer = append(answer, c.reading[:n]...)
		head, wrong := wsframe.CheckResponse(answer, nonce)
		switch err := cmp.Or(wrong, err); {
		case err != nil:
			return nil, errors.Join(err, conn.Close())
		case head > 0:
			return c, c.frames.Feed(answer[head:], c)
		}
	}
}

// connectClient opens a connection that the hub has accepted.
func connectClient(ctx context.Context, s *service, hub, token string) (*soakClient, error) {
	c, err := upgradeClient(ctx, s, hub, token)
	if err != nil {
		return nil, err
	}
	if err = c.send(`{"protocol":"json","version":1}`); err == nil {
		var answer soakMessage // {} or a refusal
		answer, err = c.next(time.Now().Add(wait))
		if answer.Error != "" {
			answer.AllowReconnect = answer.Error == "Server connection dropped." || answer.Error == "No server available."
			err = &closeError{answer}
		}
	}
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// send sends a hub message.
func (c *soakClient) send(message string) error {
	return c.write(wsframe.OpText, message+"\x1e")
}

func (c *soakClient) write(op wsframe.Opcode, payload string) error {
	_ = c.SetWriteDeadline(time.Now().Add(wait))
	_, err := c.Write(wsframe.AppendMasked(nil, op, []byte(payload), [4]byte{1, 2, 3, 4}))
	return err
}

// next returns the next hub message. It can be called again after
// os.ErrDeadlineExceeded.
func (c *soakClient) next(deadline time.Time) (m soakMessage, err error) {
	for len(c.inbox) == 0 {
		_ = c.SetReadDeadline(deadline)
		n, err := c.Read(c.reading[:])
		if wrong := c.frames.Feed(c.reading[:n], c); wrong != nil {
			return m, wrong
		}
		if err != nil && len(c.inbox) == 0 {
			return m, err
		}
	}
	m, c.inbox = c.inbox[0], c.inbox[1:]
	if m.Type == hubClose {
		return m, &closeError{m}
	}
	return m, nil
}

// A closeError is the hub's goodbye.
type closeError struct{ message soakMessage }

func (e *closeError) Error() string {
	return fmt.Sprintf("closed: %s (allowReconnect %v)", e.message.Error, e.message.AllowReconnect)
}

func (c *soakClient) Data(p []byte, _, _, fin bool) error {
	c.partial = append(c.partial, p...)
	if !fin {
		return nil
	}
	for text := range bytes.SplitAfterSeq(c.partial, []byte{0x1e}) {
		if len(text) == 0 {
			continue
		}
		var m soakMessage
		if err := json.Unmarshal(bytes.TrimSuffix(text, []byte{0x1e}), &m); err != nil {
			return fmt.Errorf("hub message %q: %w", text, err)
		}
		c.inbox = append(c.inbox, m)
	}
	if c.partial = c.partial[:0]; cap(c.partial) > 4<<10 {
		c.partial = nil
	}
	return nil
}

func (c *soakClient) Control(op wsframe.Opcode, _ []byte) error {
	c.closed = c.closed || op == wsframe.OpClose
	return nil
}

// join joins a group and learns the connection id. Messages that come before the
// answer are lost on it.
func (c *soakClient) join(group string) error {
	if err := c.send(`{"type":1,"invocationId":"j","target":"Join","arguments":["` + group + `"]}`); err != nil {
		return err
	}
	deadline := time.Now().Add(wait)
	for {
		m, err := c.next(deadline)
		if err != nil {
			return err
		}
		if m.InvocationID == "j" {
			c.id = m.Result
			return nil
		}
	}
}

// drain reads until the connection ends.
func (c *soakClient) drain() error {
	for {
		switch _, err := c.next(time.Now().Add(wait)); {
		case errors.Is(err, os.ErrDeadlineExceeded):
			return errors.New("the service does not end the connection")
		case err != nil && !isClose(err):
			return nil
		}
	}
}

func isClose(err error) bool {
	_, ok := errors.AsType[*closeError](err)
	return ok
}

// A goodbye is a way for a client to leave.
type goodbye func(c *soakClient) error

var goodbyes = []goodbye{
	func(c *soakClient) error { // in good order
		if err := c.write(wsframe.OpClose, "\x03\xe8"); err != nil {
			return err
		}
		return c.drain()
	},
	func(c *soakClient) error { // by SignalR's own message
		if err := c.send(`{"type":7}`); err != nil {
			return err
		}
		return c.drain()
	},
	func(c *soakClient) error { return c.Close() }, // without a word
	func(c *soakClient) error { // reset
		_ = c.Conn.(*net.TCPConn).SetLinger(0)
		return c.Close()
	},
}

// garbage are things that no client sends. Each returns when the service has
// dealt with it.
var garbage = []func(ctx context.Context, s *service, hub, token string) error{
	func(ctx context.Context, s *service, _, _ string) error { // noise instead of HTTP
		conn, err := dialService(ctx, s)
		if err != nil {
			return err
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(wait))
		_, _ = conn.Write(noise(512))
		return ends(conn)
	},
	func(ctx context.Context, s *service, _, _ string) error { // half a request
		conn, err := dialService(ctx, s)
		if err != nil {
			return err
		}
		_, err = io.WriteString(conn, "GET /client/?hub=x HTTP/1.1\r\nHo")
		return errors.Join(err, conn.Close())
	},
	func(ctx context.Context, s *service, hub, token string) error { // a forged token
		_, err := upgradeClient(ctx, s, hub, token[:len(token)-8]+"AAAAAAAA")
		if refusal, ok := errors.AsType[*wsframe.UpgradeError](err); ok && refusal.Status == http.StatusUnauthorized {
			return nil
		}
		return fmt.Errorf("forged token: %v, want 401", err)
	},
	func(ctx context.Context, s *service, hub, token string) error { // noise instead of frames
		return afterUpgrade(ctx, s, hub, token, noise(512))
	},
	func(ctx context.Context, s *service, hub, token string) error { // a frame of 2^62 bytes
		return afterUpgrade(ctx, s, hub, token, []byte("\x81\xff\x40\x00\x00\x00\x00\x00\x00\x00mask{"))
	},
	func(ctx context.Context, s *service, hub, token string) error { // a handshake that is none
		return afterUpgrade(ctx, s, hub, token, wsframe.AppendMasked(nil, wsframe.OpText, []byte("{\"protocol\":5}\x1e"), [4]byte{}))
	},
	func(ctx context.Context, s *service, hub, token string) error { // no handshake
		return afterUpgrade(ctx, s, hub, token, nil)
	},
	func(ctx context.Context, s *service, hub, token string) error { // hub messages that are none
		c, err := connectClient(ctx, s, hub, token)
		if err != nil {
			return err
		}
		defer c.Close()
		if err := c.write(wsframe.OpText, `{"type":1,"target":`+"\x1e"); err != nil {
			return err
		}
		return c.drain()
	},
}

func afterUpgrade(ctx context.Context, s *service, hub, token string, wire []byte) error {
	c, err := upgradeClient(ctx, s, hub, token)
	if err != nil {
		return err
	}
	defer c.Close()
	_, _ = c.Write(wire)
	_ = c.SetDeadline(time.Now().Add(wait))
	switch {
	case len(wire) == 0: // nothing comes
	case rand.IntN(2) == 0:
		return c.Close() // it does not wait for the answer
	default:
		_ = c.write(wsframe.OpClose, "\x03\xe8") // what follows garbage may still be a goodbye
	}
	return ends(c.Conn)
}

// ends waits for the end of the connection.
func ends(conn net.Conn) error {
	if _, err := io.Copy(io.Discard, conn); errors.Is(err, os.ErrDeadlineExceeded) {
		return errors.New("the service does not end a connection that sent garbage")
	}
	return nil
}

func noise(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rand.Uint32())
	}
	return b
}

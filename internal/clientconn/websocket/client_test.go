package websocket_test

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"time"

	"switchboard/internal/wsdeflate"
	"switchboard/internal/wsframe"
)

const (
	jsonRequest = `{"protocol":"json","version":1}` + "\x1e"
	packRequest = `{"protocol":"messagepack","version":1}` + "\x1e"
	accepted    = "{}\x1e"
)

// upgrade is the request of the client with this id.
func upgrade(id string) string {
	return "GET /?id=" + url.QueryEscape(id) + " HTTP/1.1\r\nHost: h\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
}

// First bytes of frames.
const (
	fin    = 0x80
	cont   = 0x00
	text   = 0x01
	binary = 0x02
	closed = 0x88
	ping   = 0x89
	pong   = 0x8a
)

// frame makes a client's frame, bits of the first byte as given.
func frame(head byte, payload string) string {
	b := []byte{head}
	switch n := len(payload); {
	case n < 126:
		b = append(b, 0x80|byte(n))
	case n < 1<<16:
		b = append(b, 0xfe, byte(n>>8), byte(n))
	default:
		b = append(b, 0xff, 0, 0, 0, 0, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
	}
	key := [4]byte{0x37, 0xfa, 0x21, 0x3d}
	b = append(b, key[:]...)
	for i := range len(payload) {
		b = append(b, payload[i]^key[i%4])
	}
	return string(b)
}

func message(payload string) string { return frame(fin|text, payload) }

// goodbye is a close frame with a code, or without one for 0.
func goodbye(code int) string {
	if code == 0 {
		return frame(closed, "")
	}
	return frame(closed, string([]byte{byte(code >> 8), byte(code)})+"bye")
}

// A client is a raw WebSocket client.
type client struct {
	net.Conn
	t      testing.TB
	id     string
	agreed string // extension
	in     *bufio.Reader
	frames wsframe.Reader
	data   []byte   // of a message that is not complete
	events []string // that were not asked for yet
}

func (s *service) tlsDialer(address string, certificate *x509.Certificate) func() (net.Conn, error) {
	roots := x509.NewCertPool()
	roots.AddCert(certificate)
	s.secure = tls.Config{RootCAs: roots, ServerName: "example.com"}
	return func() (net.Conn, error) {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			return nil, err
		}
		if s.below != nil {
			conn = s.below(conn)
		}
		secure := tls.Client(conn, &s.secure)
		return secure, secure.Handshake()
	}
}

// connect opens a connection, on which nothing has been sent.
func (s *service) connect(id string) *client {
	s.t.Helper()
	conn, err := s.dial()
	if err != nil {
		s.t.Fatal(err)
	}
	limitBuffers(conn)
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	c := &client{
		Conn: conn, t: s.t, id: id, in: bufio.NewReader(conn),
		frames: wsframe.Reader{Options: wsframe.FromServer}, agreed: s.agreed,
	}
	if c.agreed != "" {
		c.frames.Options |= wsframe.MayCompress
	}
	s.t.Cleanup(func() { c.Conn.Close() })
	return c
}

// upgraded opens a WebSocket; early follows the request at once.
func (s *service) upgraded(id, early string) *client {
	s.t.Helper()
	c := s.connect(id)
	request := upgrade(id)
	if s.offer != "" {
		request = strings.TrimSuffix(request, "\r\n") + "Sec-WebSocket-Extensions: " + s.offer + "\r\n\r\n"
	}
	c.send(request + early)
	c.readAnswer()
	return c
}

func (c *client) readAnswer() {
	c.t.Helper()
	var answer strings.Builder
	for !strings.HasSuffix(answer.String(), "\r\n\r\n") {
		b, err := c.in.ReadByte()
		if err != nil {
			c.t.Fatalf("answer to the upgrade: %q, %v", answer.String(), err)
		}
		answer.WriteByte(b)
	}
	want := "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
	if c.agreed != "" {
		want += "Sec-WebSocket-Extensions: " + c.agreed + "\r\n"
	}
	want += "\r\n"
	if answer.String() != want {
		c.t.Fatalf("answer to the upgrade: %q, want %q", answer.String(), want)
	}
}

// open opens a connection that the app server has accepted.
func (s *service) open(id, request string) *client {
	s.t.Helper()
	c := s.upgraded(id, message(request))
	c.accept(s, request)
	return c
}

// accept plays the app server's part of the handshake.
func (c *client) accept(s *service, request string) {
	c.t.Helper()
	protocol := strings.Split(request, `"`)[3]
	s.app.expect("open " + protocol + request)
	s.deliver(c.id, accepted)
	c.expect(map[bool]string{true: "text ", false: "binary "}[protocol == "json"] + accepted)
}

func (c *client) send(wire string) {
	c.t.Helper()
	if _, err := io.WriteString(c.Conn, wire); err != nil {
		c.t.Fatal(err)
	}
}

// next returns what comes next: "text hello", "binary x", "deflated text hello",
// "pong x", "close 1000", "EOF" or "reset".
func (c *client) next() string {
	c.t.Helper()
	for len(c.events) == 0 {
		_, err := c.in.Peek(1)
		switch {
		case errors.Is(err, syscall.ECONNRESET):
			return "reset"
		case errors.Is(err, io.EOF):
			return "EOF"
		case err != nil:
			c.t.Fatal(err)
		}
		b := make([]byte, c.in.Buffered())
		_, _ = c.in.Read(b)
		if err := c.frames.Feed(b, c); err != nil {
			c.t.Fatalf("the service broke the WebSocket protocol: %v", err)
		}
	}
	event := c.events[0]
	c.events = c.events[1:]
	return event
}

func (c *client) Data(p []byte, text, first, fin bool) error {
	if c.data = append(c.data, p...); !fin {
		return nil
	}
	event := map[bool]string{true: "text ", false: "binary "}[text]
	if c.frames.Compressed() {
		event = "deflated " + event
		if err := wsdeflate.Inflate(c.data, 64<<20, func(p []byte) error { event += string(p); return nil }); err != nil {
			return err
		}
	} else {
		event += string(c.data)
	}
	c.events, c.data = append(c.events, event), c.data[:0]
	return nil
}

func (c *client) Control(op wsframe.Opcode, p []byte) error {
	switch op {
	case wsframe.OpClose:
		code, _ := wsframe.ParseClose(p)
		c.events = append(c.events, fmt.Sprintf("close %d", code))
	case wsframe.OpPong:
		c.events = append(c.events, "pong "+string(p))
	default:
		c.events = append(c.events, "ping "+string(p))
	}
	return nil
}

// expect reads events, which must be these.
func (c *client) expect(want ...string) {
	c.t.Helper()
	for _, event := range want {
		if got := c.next(); got != event {
			c.t.Fatalf("client got %s, want %s", short(got), short(event))
		}
	}
}

// expectText reads messages until exactly want has come, in one or several. It
// returns how many there were. A hub message must not be cut.
func (c *client) expectText(want string) (messages int) {
	c.t.Helper()
	for ; want != ""; messages++ {
		event := c.next()
		text, ok := strings.CutPrefix(event, "text ")
		rest, expected := strings.CutPrefix(want, text)
		if !ok || !expected || !strings.HasSuffix(text, "\x1e") {
			c.t.Fatalf("client got %s, want text that ends with a whole message: %s", short(event), short(want))
		}
		want = rest
	}
	return messages
}

// short makes a text fit for an error message.
func short(text string) string {
	if len(text) > 100 {
		return fmt.Sprintf("%q… (%d bytes)", text[:100], len(text))
	}
	return fmt.Sprintf("%q", text)
}

package websocket_test

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"switchboard/internal/clientconn"
	"switchboard/internal/clientconn/websocket"
	"switchboard/internal/eventloop"
	"switchboard/internal/memnet"
	"switchboard/internal/pairing"
)

// startSecure runs a service whose loops serve TLS.
func startSecure(t *testing.T, l clientconn.Limits) *service {
	t.Helper()
	loops, err := eventloop.Start(1)
	if err != nil {
		t.Skip(err)
	}
	loops.Stop()
	return start(t, engine{loops: true, tls: true, listener: true}, l)
}

// onEveryVersion runs a test for each version of TLS that the service speaks.
func onEveryVersion(t *testing.T, test func(t *testing.T, version uint16)) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		t.Run(tls.VersionName(version), func(t *testing.T) { test(t, version) })
	}
}

// slicer sends each byte by itself.
type slicer struct{ net.Conn }

func (s slicer) Write(b []byte) (int, error) {
	for i := range b {
		if n, err := s.Conn.Write(b[i : i+1]); err != nil {
			return i + n, err
		}
	}
	return len(b), nil
}

func (s slicer) NetConn() net.Conn { return s.Conn }

func TestRecordsByteByByte(t *testing.T) {
	onEveryVersion(t, func(t *testing.T, version uint16) {
		s := startSecure(t, clientconn.Limits{})
		s.secure.MaxVersion = version
		s.below = func(conn net.Conn) net.Conn { return slicer{conn} }
		c := s.upgraded("c", session[:10])
		c.send(session[10:])
		s.app.expect("open json" + jsonRequest + sessionData + strings.Repeat("z", 200) + "\x1eé\x1e")
		c.expect("pong now?")
	})
}

// Both directions at once, in records of all sizes.
func TestRecordsOfAllSizes(t *testing.T) {
	onEveryVersion(t, func(t *testing.T, version uint16) {
		s := startSecure(t, clientconn.Limits{QueueBytes: 64 << 20})
		s.secure.MaxVersion = version
		c := s.open("c", jsonRequest)
		var want strings.Builder
		written := make(chan struct{})
		for size := 1; size < 200_000; size = size*3/2 + 1 {
			fmt.Fprintf(&want, "%s\x1e", strings.Repeat("x", size))
		}
		go func() {
			defer close(written)
			for text := range strings.SplitAfterSeq(want.String(), "\x1e") {
				if _, err := c.Write([]byte(message(text))); err != nil {
					t.Error(err)
				}
			}
		}()
		for text := range strings.SplitAfterSeq(want.String(), "\x1e") {
			s.deliver("c", text)
		}
		s.app.expect(want.String())
		c.expectText(want.String())
		next(t, written, "the end of writing")
	})
}

// frank does not call it EOF when the peer closes the socket: what is EOF above
// TLS then is a goodbye of TLS.
type frank struct{ net.Conn }

var errCut = errors.New("closed by the peer")

func (f frank) Read(b []byte) (int, error) {
	n, err := f.Conn.Read(b)
	if errors.Is(err, io.EOF) {
		err = errCut
	}
	return n, err
}

func (f frank) NetConn() net.Conn { return f.Conn }

func TestGoodbyeOfTLS(t *testing.T) {
	onEveryVersion(t, func(t *testing.T, version uint16) {
		s := startSecure(t, clientconn.Limits{})
		s.secure.MaxVersion = version
		s.below = func(conn net.Conn) net.Conn { return frank{conn} }

		c := s.open("closed by the service", jsonRequest)
		s.conn(c.id).Close(pairing.ServiceShutdown, "")
		c.expect(farewell(pairing.ServiceShutdown), "close 1000")
		c.send(goodbye(1000))
		c.expect("EOF")
		s.app.expect("closed " + pairing.ServiceShutdown.Text)
		s.expectEnd(c.id, pairing.ServiceShutdown)

		c = s.open("closed by the client", jsonRequest)
		c.send(goodbye(1000))
		c.expect("close 1000", "EOF")
		s.app.expect("closed ")
		s.expectEnd(c.id, pairing.ClosedByClient)

		c = s.open("TLS closed by the client", jsonRequest)
		if err := c.Conn.(*tls.Conn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		c.expect("EOF")
		s.app.expect("closed ")
		s.expectEnd(c.id, pairing.TransportLost)

		c = s.open("aborted", jsonRequest)
		s.conn(c.id).Abort()
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, errCut) {
			t.Errorf("an aborted client got %v, want the end of the socket", err)
		}
		s.expectEnd(c.id, pairing.TransportLost)
	})
}

func TestBrokenRecords(t *testing.T) {
	tests := []struct{ name, wire, want string }{
		{"no TLS", "GET / HTTP/1.1\r\n\r\n", "protocol version not supported"},
		{"a record that was not encrypted with the key", "\x17\x03\x03\x00\x20" + strings.Repeat("x", 32), "bad record MAC"},
		{"a record that is too large", "\x17\x03\x03\xff\xff" + strings.Repeat("x", 100), "record overflow"},
	}
	onEveryVersion(t, func(t *testing.T, version uint16) {
		s := startSecure(t, clientconn.Limits{})
		s.secure.MaxVersion = version
		for _, tt := range tests {
			c := s.open(tt.name, jsonRequest)
			c.send(message("before\x1e"))
			if _, err := io.WriteString(c.Conn.(*tls.Conn).NetConn(), tt.wire); err != nil {
				t.Fatal(err)
			}
			s.app.expect("before\x1eclosed ")
			s.expectEnd(tt.name, pairing.TransportLost)
			if _, err := c.Read(make([]byte, 1)); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%s: client got %v, want %q", tt.name, err, tt.want)
			}
		}
		c := s.open("half a record", jsonRequest)
		below := c.Conn.(*tls.Conn).NetConn()
		if _, err := io.WriteString(below, "\x17\x03\x03\x01\x00half"); err != nil {
			t.Fatal(err)
		}
		below.Close()
		s.app.expect("closed ")
		s.expectEnd(c.id, pairing.TransportLost)
	})
}

// A sealer is a TLS 1.3 client that makes its records itself, so that it can
// change its key. Wire: RFC 8446, sections 4.6.3, 5.2 and 7.
type sealer struct {
	*tls.Conn
	secret []byte // client_application_traffic_secret
	number byte   // of the next record with this key
}

// secrets takes the client's secret out of a key log.
type secrets struct{ client []byte }

func (s *secrets) Write(line []byte) (int, error) {
	if f := strings.Fields(string(line)); f[0] == "CLIENT_TRAFFIC_SECRET_0" {
		s.client, _ = hex.DecodeString(f[2])
	}
	return len(line), nil
}

func (s *service) sealer(id string) (*client, *sealer) {
	s.t.Helper()
	var keys secrets
	s.secure.MinVersion, s.secure.KeyLogWriter = tls.VersionTLS13, &keys
	c := s.connect(id)
	seal := &sealer{Conn: c.Conn.(*tls.Conn), secret: keys.client}
	if got := seal.ConnectionState().CipherSuite; got != tls.TLS_AES_128_GCM_SHA256 {
		s.t.Skip("cannot seal for", tls.CipherSuiteName(got))
	}
	c.Conn = seal
	c.send(upgrade(id) + message(jsonRequest))
	c.readAnswer()
	c.accept(s, jsonRequest)
	return c, seal
}

func (s *sealer) expand(label string, size int) []byte {
	info := fmt.Sprintf("%c%c%ctls13 %s\x00", 0, size, len("tls13 "+label), label)
	key, err := hkdf.Expand(sha256.New, s.secret, info, size)
	if err != nil {
		panic(err)
	}
	return key
}

// record makes a record of what kind says: 23 for data, 22 for handshake messages.
func (s *sealer) record(kind byte, content string) []byte {
	block, _ := aes.NewCipher(s.expand("key", 16))
	aead, _ := cipher.NewGCM(block)
	nonce := s.expand("iv", 12)
	nonce[11] ^= s.number
	s.number++
	size := len(content) + 1 + aead.Overhead()
	head := []byte{23, 3, 3, byte(size >> 8), byte(size)}
	return aead.Seal(head, nonce, append([]byte(content), kind), head)
}

func (s *sealer) Write(b []byte) (int, error) {
	if _, err := s.NetConn().Write(s.record(23, string(b))); err != nil {
		return 0, err
	}
	return len(b), nil
}

// update changes the client's key, and asks the service to do the same.
func (s *sealer) update() []byte {
	record := s.record(22, "\x18\x00\x00\x01\x01")
	s.secret, s.number = s.expand("traffic upd", 32), 0
	return record
}

func TestKeyUpdates(t *testing.T) {
	s := startSecure(t, clientconn.Limits{})
	c, seal := s.sealer("c")
	for i := range 5 {
		text := fmt.Sprintf("%d\x1e", i)
		wire := append(seal.update(), seal.record(23, message(text)+frame(ping, "x"))...)
		if _, err := seal.NetConn().Write(wire[:40]); err != nil { // both are cut
			t.Fatal(err)
		}
		if _, err := seal.NetConn().Write(wire[40:]); err != nil {
			t.Fatal(err)
		}
		s.app.expect(text)
		c.expect("pong x")
		s.deliver("c", text)
		c.expectText(text)
	}
}

// The answers wait behind what a client has not read; with too many of them it
// is closed.
func TestKeyUpdatesOfAClientThatDoesNotRead(t *testing.T) {
	s := startSecure(t, clientconn.Limits{SendTimeout: time.Hour, CloseTimeout: time.Hour})
	const few = 10 // crypto/tls takes 16 in a row
	for _, updates := range []int{few, 500} {
		c, seal := s.sealer(fmt.Sprint(updates))
		s.deliver(c.id, strings.Repeat("x", tooMuch)+"\x1e")
		if _, err := c.in.Peek(4000); err != nil { // writing has begun
			t.Fatal(err)
		}
		for range updates {
			wire := append(seal.update(), seal.record(23, message("x\x1e"))...)
			if _, err := seal.NetConn().Write(wire); err != nil && updates == few {
				t.Fatal(err)
			}
		}
		if updates > few {
			s.expectEnd(c.id, pairing.SlowClient)
			continue
		}
		s.app.expect(strings.Repeat("x\x1e", updates))
		s.deliver(c.id, "last\x1e")
		c.expectText(strings.Repeat("x", tooMuch) + "\x1elast\x1e")
	}
}

// What is not for TLS or not TCP works on a Listener all the same.
func TestListenerOfOtherConnections(t *testing.T) {
	inMemory := memnet.Listen()
	l := websocket.Listener(inMemory)
	defer l.Close()
	go func() {
		if conn, err := inMemory.Dial(t.Context()); err == nil {
			conn.Close()
		}
	}()
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, wrapped := conn.(interface{ NetConn() net.Conn }); wrapped {
		t.Error("a connection in memory is wrapped")
	}
	for _, loops := range []bool{false, true} {
		s := start(t, engine{loops: loops, listener: true}, clientconn.Limits{})
		c := s.open("c", jsonRequest)
		c.send(message("x\x1e"))
		s.app.expect("x\x1e")
	}
}

// Without a Listener below it, TLS is served by goroutines.
func TestTLSWithoutAListener(t *testing.T) {
	s := start(t, engine{loops: true, tls: true}, clientconn.Limits{})
	c := s.open("c", jsonRequest)
	c.send(message("x\x1e"))
	s.app.expect("x\x1e")
	s.deliver("c", "y\x1e")
	c.expectText("y\x1e")
}

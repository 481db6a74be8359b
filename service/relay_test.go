package service_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"switchboard/internal/servicetest"
	"switchboard/internal/wsframe"
	"switchboard/service"
	"switchboard/serviceprotocol"
)

// A wire is a WebSocket of a peer that allocates nothing: it knows how many
// bytes are to come.
type wire struct {
	net.Conn
	t      testing.TB
	buffer []byte
	unread []byte // service messages
}

func dialWire(t testing.TB, s *servicetest.Service, path, hub, query string) *wire {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	fmt.Fprintf(conn, "GET %s/?hub=%s%s HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\nUpgrade: websocket\r\n"+
		"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n",
		path, hub, query, servicetest.Token(t, path, hub))
	w := &wire{Conn: conn, t: t, buffer: make([]byte, 64<<10)}
	var answer []byte
	for !bytes.HasSuffix(answer, []byte("\r\n\r\n")) {
		w.read(1)
		answer = append(answer, w.buffer[0])
	}
	if !bytes.HasPrefix(answer, fmt.Append(nil, "HTTP/1.1 ", http.StatusSwitchingProtocols)) {
		t.Fatalf("upgrade answered %q", answer)
	}
	return w
}

func (w *wire) write(b []byte) {
	if _, err := w.Write(b); err != nil {
		w.t.Fatal(err)
	}
}

func (w *wire) read(n int) []byte {
	if _, err := io.ReadFull(w, w.buffer[:n]); err != nil {
		w.t.Fatal(err)
	}
	return w.buffer[:n]
}

// masked makes a frame of a client, whose mask is 0.
func masked(op wsframe.Opcode, payload []byte) []byte {
	b := wsframe.AppendHeader(nil, op, true, len(payload))
	b[1] |= 0x80
	return append(append(b, 0, 0, 0, 0), payload...)
}

func frameOf(m serviceprotocol.Message) []byte {
	return masked(wsframe.OpBinary, serviceprotocol.AppendFrame(nil, m))
}

// wireSize is what a payload takes on the way from the service.
func wireSize(payload int) int { return wsframe.HeaderLen(payload) + payload }

// relay is a service with an app server and clients, all of which are wires.
type relay struct {
	service *servicetest.Service
	app     *wire
	clients []*wire
	ids     []string
}

func startRelay(t testing.TB, clients int) *relay {
	t.Helper()
	s := servicetest.Start(t, service.Config{Logger: slog.New(slog.DiscardHandler), Timeouts: service.Timeouts{Ping: time.Hour, ServerIdle: time.Hour}})
	r := &relay{service: s, app: dialWire(t, s, "/server", "chat", "&cid=1")}
	r.app.write(frameOf(&serviceprotocol.HandshakeRequest{Version: 1}))
	r.app.message() // the answer
	for range clients {
		c, id := r.connect()
		r.app.write(frameOf(&serviceprotocol.JoinGroup{ConnectionID: id, Group: "all"}))
		r.clients, r.ids = append(r.clients, c), append(r.ids, id)
	}
	return r
}

// connect connects a client that the app server accepts, and tells its id.
func (r *relay) connect() (c *wire, id string) {
	c = dialWire(r.app.t, r.service, "/client", "chat", "")
	c.write(masked(wsframe.OpText, []byte(`{"protocol":"json","version":1}`+"\x1e")))
	for id == "" { // what else comes is of the service
		if open, ok := r.app.message().(*serviceprotocol.OpenConnection); ok {
			id = strings.Clone(open.ConnectionID)
		}
	}
	r.app.message() // the handshake request
	r.app.write(frameOf(&serviceprotocol.ConnectionData{ConnectionID: id, Payload: []byte("{}\x1e")}))
	c.read(wireSize(len("{}\x1e")))
	return c, id
}

// message reads a service message. Several may be in one WebSocket message.
func (w *wire) message() serviceprotocol.Message {
	w.t.Helper()
	if len(w.unread) == 0 {
		size := int(w.read(2)[1])
		if size == 126 {
			size = int(binary.BigEndian.Uint16(w.read(2)))
		}
		w.unread = bytes.Clone(w.read(size))
	}
	body, rest, err := serviceprotocol.SplitFrame(w.unread, 0)
	if err != nil || body == nil {
		w.t.Fatalf("service message: %v", err)
	}
	w.unread = rest
	m, err := serviceprotocol.Parse(body)
	if err != nil {
		w.t.Fatal(err)
	}
	return m
}

// A relayed message costs the service no memory: not up, not down, not to a group.
func TestRelayAllocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	const clients, rounds, warmup = 10, 3000, 300
	payload := []byte(`{"type":1,"target":"receive","arguments":["` + strings.Repeat("x", 100) + `"]}` + "\x1e")
	r := startRelay(t, clients)
	up := masked(wsframe.OpText, payload)
	upSize := wireSize(len(serviceprotocol.AppendFrame(nil, &serviceprotocol.ConnectionData{ConnectionID: r.ids[0], Payload: payload})))
	down := frameOf(&serviceprotocol.ConnectionData{ConnectionID: r.ids[0], Payload: payload})
	group := frameOf(&serviceprotocol.GroupBroadcastData{Group: "all", Payloads: serviceprotocol.Payloads{{Protocol: "json", Data: payload}}})
	tests := []struct {
		name  string
		round func()
	}{
		{"up", func() { r.clients[0].write(up); r.app.read(upSize) }},
		{"down", func() { r.app.write(down); r.clients[0].read(wireSize(len(payload))) }},
		{"to a group", func() {
			r.app.write(group)
			for _, c := range r.clients {
				c.read(wireSize(len(payload)))
			}
		}},
	}
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // it empties pools
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for range warmup {
				tt.round()
			}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			for range rounds {
				tt.round()
			}
			runtime.ReadMemStats(&after)
			if n := after.Mallocs - before.Mallocs; n > rounds/50 {
				t.Errorf("%d allocations for %d messages", n, rounds)
			} else {
				t.Logf("%d allocations for %d messages", n, rounds)
			}
		})
	}
}

// BenchmarkConnect is a client that connects without negotiation and is accepted
// by its app server. The peers are a part of it.
func BenchmarkConnect(b *testing.B) {
	r := startRelay(b, 0)
	b.ReportAllocs()
	for b.Loop() {
		r.connect()
	}
}

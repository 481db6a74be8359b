package conformance_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"

	"switchboard/accesstoken"
	"switchboard/internal/mux"
	"switchboard/serviceprotocol"
)

// hostileTime is short, so that the test can run with all others; "make hostile" takes longer.
var hostileTime = flag.Duration("hostile", 4*time.Second, "how long each app server of TestHostileAppServers misbehaves")

const (
	hostileHub     = "spread"
	hostileClients = 20
	hostileBytes   = 16 << 10 // of a message
	hostileMemory  = 96 << 10 // KiB that the service may grow by, with the race detector
)

// TestHostileAppServers has an app server misbehave, next to one that does not, for the same
// hub. The service must not grow without bound, the clients of the other app server must not
// lose anything, and what ends must have a reason. How late answers are is logged.
func TestHostileAppServers(t *testing.T) {
	long(t)
	tests := []struct {
		name  string
		flags []string
		act   func(h *hostile)
	}{
		{"reads nothing", nil, (*hostile).readNothing},
		{"floods", nil, (*hostile).flood},
		{"asks and reads no answer", nil, (*hostile).askWithoutReading},
		{"answers nothing", []string{"--timeouts-handshake", "1s", "--timeouts-move", "1s"}, (*hostile).answerNothing},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			stall := *hostileTime / 2
			h := newHostile(t, startService(t, engines[0], append([]string{"--timeouts-server-stall", stall.String()}, tt.flags...)...))
			alone := h.neighbours(func() { time.Sleep(time.Second) })
			before := residentMemory(t, h.service.pid)
			h.before = before
			beside := h.neighbours(func() { tt.act(h) })
			if most := int(h.most.Load()); most > hostileMemory {
				t.Errorf("the service grew by %d KiB, want at most %d", most, hostileMemory)
			}
			t.Logf("99th percentile of %d round trips of the neighbours: %v; alone: %v; the service grew by %d KiB; %s",
				h.trips.Load(), beside, alone, h.most.Load(), h.story)
		})
	}
}

// hostile is a test: a service, a good app server and a bad one.
type hostile struct {
	*testing.T
	service *service
	good    *spreadServer
	before  int          // KiB of the service
	most    atomic.Int64 // KiB that it has grown by
	trips   atomic.Int64
	story   string
}

func newHostile(t *testing.T, s *service) *hostile {
	return &hostile{T: t, service: s, good: newSpread(t, s).start("good")}
}

// token is for a client of one app server.
func (h *hostile) token(server string) string {
	h.Helper()
	token, err := accesstoken.Sign(accessKey, accesstoken.HS256, accesstoken.Token{
		Audience: h.service.endpoint.ClientAudience(hostileHub), Expires: time.Now().Add(time.Hour),
		Claims: []accesstoken.Claim{
			{Type: accesstoken.ClaimServerName, Value: server}, {Type: accesstoken.ClaimSticky, Value: accesstoken.StickyRequired},
		},
	})
	if err != nil {
		h.Fatal(err)
	}
	return token
}

// neighbours has clients of the good app server call it all the time while act runs, and
// returns the 99th percentile of how long that takes.
func (h *hostile) neighbours(act func()) time.Duration {
	h.Helper()
	token := h.token("good")
	var stop atomic.Bool
	var calling sync.WaitGroup
	var mu sync.Mutex
	var took []time.Duration
	for range 10 {
		c, err := connectClient(h.Context(), h.service, hostileHub, token)
		if err != nil {
			h.Fatal(err)
		}
		calling.Go(func() {
			defer c.Close()
			for n := 0; !stop.Load(); n++ {
				began := time.Now()
				if err := c.echo(fmt.Sprint(n)); err != nil {
					h.Errorf("neighbour: %v", err)
					return
				}
				mu.Lock()
				took = append(took, time.Since(began))
				mu.Unlock()
				time.Sleep(5 * time.Millisecond)
			}
		})
	}
	act()
	stop.Store(true)
	calling.Wait()
	slices.Sort(took)
	h.trips.Store(int64(len(took)))
	return took[len(took)*99/100]
}

// echo calls the hub.
func (c *soakClient) echo(text string) error {
	if err := c.send(`{"type":1,"invocationId":"1","target":"Echo","arguments":["` + text + `"]}`); err != nil {
		return err
	}
	for {
		m, err := c.next(time.Now().Add(wait))
		switch {
		case err != nil:
			return err
		case m.Type == 3 && m.Result == text:
			return nil
		case m.Type != 6:
			return fmt.Errorf("got %+v, want the result %q", m, text)
		}
	}
}

// watch waits until ok, for as long as the bad app server may act and some more, and measures
// the service meanwhile.
func (h *hostile) watch(what string, ok func() bool) {
	h.Helper()
	for deadline := time.Now().Add(*hostileTime + wait); !ok(); time.Sleep(50 * time.Millisecond) {
		h.most.Store(max(h.most.Load(), int64(residentMemory(h.T, h.service.pid)-h.before)))
		if time.Now().After(deadline) {
			h.Fatalf("not so in time: %s", what)
		}
	}
}

func (h *hostile) metric(name, label string) (sum int) {
	for labels, value := range h.service.samples(h.T, name) {
		if strings.Contains(labels, label) {
			sum += int(value)
		}
	}
	return sum
}

func (h *hostile) ended(reason string) int {
	return h.metric("switchboard_server_connections_closed_total", `reason="`+reason+`"`)
}

// A bad app server does with what it gets what handle says.
type bad struct {
	conn *mux.Conn
	stop func()
}

func (h *hostile) bad(request serviceprotocol.HandshakeRequest, header http.Header, handle func(*bad, serviceprotocol.Message) error) *bad {
	h.Helper()
	endpoint := h.service.endpoint
	token, err := accesstoken.Sign(accessKey, accesstoken.HS256, accesstoken.Token{
		Audience: endpoint.ServerAudience(hostileHub), Expires: time.Now().Add(time.Hour),
		Claims: []accesstoken.Claim{{Type: accesstoken.ClaimNameID, Value: "bad"}},
	})
	if err != nil {
		h.Fatal(err)
	}
	header = header.Clone()
	header.Set("Authorization", "Bearer "+token)
	socket, _, err := websocket.Dial(h.Context(), endpoint.ServerURL(hostileHub, "bad"), &websocket.DialOptions{HTTPHeader: header})
	if err != nil {
		h.Fatal(err)
	}
	b := &bad{conn: mux.New(mux.WebSocket(socket), mux.Options{StallTimeout: time.Hour})}
	request.Version = serviceprotocol.Version
	if err := b.conn.Handshake(h.Context(), &request); err != nil {
		h.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = b.conn.Serve(ctx, func(_ context.Context, m serviceprotocol.Message) error { return handle(b, m) })
	}()
	b.stop = sync.OnceFunc(func() {
		cancel()
		<-ended
	})
	return b
}

// accept answers the handshake of clients, and nothing else.
func accept(b *bad, m serviceprotocol.Message) error {
	if open, ok := m.(*serviceprotocol.OpenConnection); ok {
		return b.conn.Post(&serviceprotocol.ConnectionData{ConnectionID: open.ConnectionID, Payload: []byte("{}\x1e")})
	}
	return nil
}

// clients are some of the bad app server. They are open until the test ends.
func (h *hostile) clients(n int) (clients []*soakClient) {
	h.Helper()
	token := h.token("bad")
	for range n {
		c, err := connectClient(h.Context(), h.service, hostileHub, token)
		if err != nil {
			h.Fatal(err)
		}
		h.Cleanup(func() { _ = c.Close() })
		_ = c.SetDeadline(time.Time{})
		clients = append(clients, c)
	}
	return clients
}

// readNothing: clients send as much as they can to an app server that does not read. They
// are held up, and told to come again when it is given up.
func (h *hostile) readNothing() {
	held := make(chan struct{})
	var stopped atomic.Bool
	b := h.bad(serviceprotocol.HandshakeRequest{}, http.Header{}, func(b *bad, m serviceprotocol.Message) error {
		if stopped.Load() {
			<-held
		}
		return accept(b, m)
	})
	defer b.stop()
	defer close(held)
	clients := h.clients(hostileClients)
	stopped.Store(true)
	text := `{"type":1,"target":"` + strings.Repeat("x", hostileBytes) + `","arguments":[]}`
	var sent atomic.Int64
	var told atomic.Int64
	var talking sync.WaitGroup
	for _, c := range clients {
		talking.Go(func() {
			for c.write(1, text+"\x1e") == nil {
				sent.Add(hostileBytes)
				_ = c.SetWriteDeadline(time.Time{})
			}
		})
		talking.Go(func() {
			for {
				_, err := c.next(time.Time{})
				if closed, ok := errors.AsType[*closeError](err); ok && closed.message.AllowReconnect {
					told.Add(1)
				}
				if err != nil {
					_ = c.Close()
					return
				}
			}
		})
	}
	h.watch("the app server is seen to be congested", func() bool { return h.metric("switchboard_server_connections_congested", "") == 1 })
	h.watch("it is given up", func() bool { return h.ended("stalled") == 1 })
	talking.Wait()
	if told.Load() != hostileClients {
		h.Errorf("%d clients were told to come again, want %d", told.Load(), hostileClients)
	}
	h.watch("they are counted", func() bool { return h.service.closedFor(h.T, "server_connection_lost") == hostileClients })
	h.story = fmt.Sprintf("clients sent %d MiB before they were held up", sent.Load()>>20)
}

// flood: an app server sends all that it can to a group of clients, of which one does not
// read. The others get all that it sends.
func (h *hostile) flood() {
	var ids sync.Map
	b := h.bad(serviceprotocol.HandshakeRequest{}, http.Header{}, func(b *bad, m serviceprotocol.Message) error {
		if open, ok := m.(*serviceprotocol.OpenConnection); ok {
			ids.Store(strings.Clone(open.ConnectionID), true)
		}
		return accept(b, m)
	})
	defer b.stop()
	clients := h.clients(4)
	for id := range ids.Range {
		if err := b.conn.Send(h.Context(), &serviceprotocol.JoinGroup{ConnectionID: id.(string), Group: "victims"}); err != nil {
			h.Fatal(err)
		}
	}
	var reading sync.WaitGroup
	got := make([]atomic.Int64, len(clients)-1)
	for i, c := range clients[1:] {
		reading.Go(func() {
			buffer := make([]byte, 256<<10)
			for {
				n, err := c.Read(buffer)
				got[i].Add(int64(n))
				if err != nil {
					return
				}
			}
		})
	}
	payload := []byte(`{"type":1,"target":"` + strings.Repeat("x", hostileBytes) + `","arguments":[]}` + "\x1e")
	sent := 0
	flooding := make(chan struct{})
	go func() {
		defer close(flooding)
		m := &serviceprotocol.GroupBroadcastData{Group: "victims", Payloads: serviceprotocol.Payloads{{Protocol: "json", Data: payload}}}
		ask := &serviceprotocol.CheckGroupExistenceWithAck{Group: "victims", AckID: 1}
		for deadline := time.Now().Add(*hostileTime); time.Now().Before(deadline); sent++ {
			if err := errors.Join(b.conn.Send(h.Context(), m), b.conn.Send(h.Context(), ask)); err != nil {
				h.Errorf("after %d messages: %v", sent, err)
				return
			}
		}
	}()
	h.watch("the flood is over", func() bool {
		select {
		case <-flooding:
			return true
		default:
			return false
		}
	})
	slow := h.service.closedFor(h.T, "slow_client")
	if slow == 0 {
		h.Error("the client that does not read is not closed")
	}
	whole := 0
	h.watch("who reads has all, or is closed as slow", func() bool {
		whole = 0
		for i := range got {
			if got[i].Load() >= int64(sent*len(payload)) {
				whole++
			}
		}
		slow = h.service.closedFor(h.T, "slow_client")
		return whole+slow == len(clients)
	})
	h.story = fmt.Sprintf("%d messages of %d KiB in %v; %d of 3 readers got all, %d of 4 clients closed as slow", sent, hostileBytes>>10, *hostileTime, whole, slow)
	for _, c := range clients {
		_ = c.Close()
	}
	reading.Wait()
}

// askWithoutReading: an app server asks and asks, and reads no answer.
func (h *hostile) askWithoutReading() {
	held := make(chan struct{})
	b := h.bad(serviceprotocol.HandshakeRequest{}, http.Header{}, func(*bad, serviceprotocol.Message) error {
		<-held
		return nil
	})
	defer b.stop()
	defer close(held)
	var asked atomic.Int64
	go func() {
		ask := &serviceprotocol.CheckUserExistenceWithAck{UserID: "nobody", AckID: 1}
		for b.conn.Send(h.Context(), ask) == nil {
			asked.Add(1)
		}
	}()
	h.watch("it is given up", func() bool { return h.ended("stalled") == 1 })
	h.story = fmt.Sprintf("%d questions", asked.Load())
}

// answerNothing: an app server takes clients and does not answer their handshake; another one
// says goodbye to its clients and then does not let go of them.
func (h *hostile) answerNothing() {
	silent := h.bad(serviceprotocol.HandshakeRequest{}, http.Header{}, func(*bad, serviceprotocol.Message) error { return nil })
	token := h.token("bad")
	for range hostileClients {
		c, err := upgradeClient(h.Context(), h.service, hostileHub, token)
		if err != nil {
			h.Fatal(err)
		}
		h.Cleanup(func() { _ = c.Close() })
		if err := c.send(`{"protocol":"json","version":1}`); err != nil {
			h.Fatal(err)
		}
		go func() { _, _ = io.Copy(io.Discard, c.Conn) }()
	}
	h.watch("clients are closed", func() bool { return h.service.closedFor(h.T, "app_server_silent") == hostileClients })
	silent.stop()

	b := h.bad(serviceprotocol.HandshakeRequest{MigrationLevel: serviceprotocol.MigrationShutdownOnly},
		http.Header{serviceprotocol.HeaderHandOver: {"true"}}, accept)
	defer b.stop()
	// Its clients may go elsewhere, so they cannot be bound to it. They come to it since it has none.
	token = newSpread(h.T, h.service).token
	before := h.good.clients.Load()
	var clients []*soakClient
	for h.metric("switchboard_client_connections", "") < int(before)+3 {
		c, err := connectClient(h.Context(), h.service, hostileHub, token)
		if err != nil {
			h.Fatal(err)
		}
		h.Cleanup(func() { _ = c.Close() })
		clients = append(clients, c)
	}
	if err := b.conn.Send(h.Context(), &serviceprotocol.Ping{Messages: []string{"shutdown", "fin:1"}}); err != nil {
		h.Fatal(err)
	}
	h.watch("its clients are moved all the same", func() bool { return h.good.clients.Load() == before+int64(len(clients)) })
	for _, c := range clients {
		if err := c.echo("moved"); err != nil {
			h.Errorf("a client that was moved: %v", err)
		}
	}
	h.story = fmt.Sprintf("%d clients closed, %d moved", hostileClients, h.metric("switchboard_client_connections_moved_total", ""))
}

package conformance_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"switchboard/client"
	"switchboard/negotiate"
)

const (
	slowNeighbours = 3        // of each transport
	slowBytes      = 16 << 10 // of a broadcast
	slowPace       = 5 * time.Millisecond
	slowMemory     = 64 << 10 // KiB that the service may grow by: three queues of 4 MiB, and what is on its way
)

// TestSlowReaders has a client of each transport stop reading while a hub sends to
// everybody. Each is closed with the reason slow_client, the service holds no more than
// its bound for it, and the others get everything in order; how late is logged.
func TestSlowReaders(t *testing.T) {
	long(t)
	svc := startService(t, engines[0], "--timeouts-poll-wait", "5m") // a client that stops polling is not ended for that first
	app := startApp(t, svc, "slow readers")
	r := &readers{t: t, app: app}
	for _, transport := range []negotiate.Transport{client.WebSockets, client.ServerSentEvents, client.LongPolling} {
		for range slowNeighbours {
			r.neighbour(transport)
		}
	}
	before := residentMemory(t, svc.pid)
	alone := r.flood(func(n int) bool { return n == 200 })

	var stopped []*stalled
	for _, transport := range []negotiate.Transport{client.WebSockets, client.ServerSentEvents, client.LongPolling} {
		s := &stalled{released: make(chan struct{})}
		r.connect(transport, s.dial)
		s.stalls.Store(true)
		stopped = append(stopped, s)
	}
	most := 0
	deadline := time.Now().Add(4 * wait)
	beside := r.flood(func(n int) bool {
		if n%20 == 0 {
			most = max(most, residentMemory(t, svc.pid)-before)
		}
		return n%100 == 99 && svc.closedFor(t, "slow_client") >= len(stopped) || time.Now().After(deadline)
	})
	for _, s := range stopped {
		close(s.released)
	}
	if n := svc.closedFor(t, "slow_client"); n != len(stopped) {
		t.Errorf("%d clients were closed as slow, want %d", n, len(stopped))
	}
	if most > slowMemory {
		t.Errorf("the service grew by %d KiB, want at most %d", most, slowMemory)
	}
	t.Logf("99th percentile of a broadcast of %d bytes to %d neighbours: %v alone, %v beside slow readers; the service grew by %d KiB",
		slowBytes, 3*slowNeighbours, alone, beside, most)
}

// closedFor returns how many clients were closed for a reason.
func (s *service) closedFor(t *testing.T, reason string) (count int) {
	t.Helper()
	for labels, value := range s.samples(t, "switchboard_client_connections_closed_total") {
		if strings.Contains(labels, `reason="`+reason+`"`) {
			count += int(value)
		}
	}
	return count
}

// readers are clients that get what the hub sends to all.
type readers struct {
	t   *testing.T
	app *app

	neighbours []*neighbour
}

// A neighbour reads everything, and notes how late it comes.
type neighbour struct {
	mu    sync.Mutex
	next  int // guarded by mu, as is late
	late  []time.Duration
	wrong string
}

func (r *readers) neighbour(transport negotiate.Transport) {
	n := &neighbour{}
	r.connect(transport, nil).On("Receive", n.receive)
	r.neighbours = append(r.neighbours, n)
}

func (n *neighbour) receive(text string) {
	now := time.Now()
	number, at := 0, int64(0)
	_, err := fmt.Sscanf(text, "%d %d", &number, &at)
	n.mu.Lock()
	defer n.mu.Unlock()
	if err != nil || number != n.next {
		n.wrong = fmt.Sprintf("got number %d, want %d (%v)", number, n.next, err)
	}
	n.next = number + 1
	n.late = append(n.late, now.Sub(time.Unix(0, at)))
}

func (r *readers) connect(transport negotiate.Transport, dial func(context.Context, string, string) (net.Conn, error)) *client.Conn {
	r.t.Helper()
	h := &http.Transport{DialContext: dial}
	c, err := client.New(r.app.url+"/hub", client.Config{Transports: transport, HTTPClient: &http.Client{Transport: h}})
	if err != nil {
		r.t.Fatal(err)
	}
	if err := c.Start(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), wait)
		defer cancel()
		if err := c.Stop(ctx); err != nil {
			r.t.Error(err)
		}
		h.CloseIdleConnections()
	})
	return c
}

// flood sends to all until enough is told so, waits until the neighbours have it, and
// returns the 99th percentile of how late it came.
func (r *readers) flood(enough func(n int) bool) time.Duration {
	r.t.Helper()
	padding := strings.Repeat("x", slowBytes)
	all := r.app.running().hub.Clients().All()
	pace := time.NewTicker(slowPace)
	defer pace.Stop()
	for _, n := range r.neighbours {
		n.mu.Lock()
		n.next, n.late = 0, nil
		n.mu.Unlock()
	}
	sent := 0
	for ; !enough(sent); sent++ {
		<-pace.C
		if err := all.Send(r.t.Context(), "Receive", fmt.Sprintf("%d %d %s", sent, time.Now().UnixNano(), padding)); err != nil {
			r.t.Fatal(err)
		}
	}
	var late []time.Duration
	for i, n := range r.neighbours {
		for deadline := time.Now().Add(wait); !n.has(sent) && time.Now().Before(deadline); <-pace.C {
		}
		n.mu.Lock()
		if n.next != sent || n.wrong != "" {
			r.t.Errorf("neighbour %d got %d of %d; %s", i, n.next, sent, n.wrong)
		}
		late = append(late, n.late...)
		n.mu.Unlock()
	}
	slices.Sort(late)
	return late[len(late)*99/100]
}

func (n *neighbour) has(sent int) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.next >= sent
}

// stalled are the connections of a client that reads nothing once stalls is set.
type stalled struct {
	stalls   atomic.Bool
	released chan struct{} // closed when it may read again
}

func (s *stalled) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	return &stalledConn{conn, s}, err
}

type stalledConn struct {
	net.Conn
	client *stalled
}

func (c *stalledConn) Read(b []byte) (int, error) {
	if c.client.stalls.Load() {
		<-c.client.released
	}
	return c.Conn.Read(b)
}

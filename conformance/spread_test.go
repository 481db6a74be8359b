package conformance_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"switchboard/accesstoken"
	"switchboard/appserver"
)

// spreadClients are few, so that the test can run with all others; "make spread" has more.
var spreadClients = flag.Int("spread-clients", 500, "clients of TestSpread")

// TestSpread has clients come to two app servers with five connections each, kills one of
// those, starts another, and has half as many clients more come. It prints who has how many.
func TestSpread(t *testing.T) {
	long(t)
	n := *spreadClients
	limit := n / 8 // clients for each server connection: enough for two app servers, too few for one
	s := newSpread(t, startService(t, engines[0], "--load-balancing-clients", fmt.Sprint(limit), "--timeouts-ping", "200ms"))
	a, b := s.start("a"), s.start("b")
	s.come(n)
	s.row("%d clients have come", n)
	s.even(a, b)
	here := int(a.clients.Load())

	a.kill()
	s.await("the clients of a have come to b", func() bool { return int(b.clients.Load()) == n })
	s.wantAgain(here)
	s.await("b opens more connections", func() bool { return s.metric("switchboard_server_connections") >= float64(n/limit) })
	s.row("a is killed")

	c := s.start("c")
	s.row("c has started")
	s.come(n / 2)
	s.row("%d more have come", n/2)
	if least := n / 4; int(c.clients.Load()) < least { // b's new connections had few as well
		t.Errorf("c has %d clients, want at least %d", c.clients.Load(), least)
	}
	s.wantAgain(here)

	s.stop()
	s.clients.Wait()
	s.await("all clients have gone", func() bool { return b.clients.Load()+c.clients.Load() == 0 })
	t.Logf("\n\n%s", s.table.String())
}

// A spread is the test: a service, app servers and clients.
type spread struct {
	*testing.T
	service *service
	token   string
	ctx     context.Context // of the clients
	stop    context.CancelFunc
	servers []*spreadServer
	clients sync.WaitGroup
	dialing chan struct{} // bounds how many connect at once
	again   atomic.Int64  // clients that came again
	table   strings.Builder
}

func newSpread(t *testing.T, service *service) *spread {
	s := &spread{T: t, service: service, dialing: make(chan struct{}, 64)}
	s.ctx, s.stop = context.WithCancel(t.Context())
	var err error
	s.token, err = accesstoken.Sign(accessKey, accesstoken.HS256, accesstoken.Token{
		Audience: service.endpoint.ClientAudience("spread"), Expires: time.Now().Add(time.Hour),
	})
	if err != nil {
		t.Fatal(err)
	}
	s.table.WriteString("| | clients of a | of b | of c | server connections | clients that came again |\n|---|---|---|---|---|---|\n")
	return s
}

func (s *spread) await(what string, ok func() bool) {
	s.Helper()
	(&rolling{T: s.T}).await(what, ok)
}

func (s *spread) metric(name string) (sum float64) {
	for _, value := range s.service.samples(s.T, name) {
		sum += value
	}
	return sum
}

// row notes who has how many clients.
func (s *spread) row(format string, arguments ...any) {
	counts := []any{"", "", ""}
	for i, server := range s.servers {
		counts[i] = server.clients.Load()
	}
	fmt.Fprintf(&s.table, "| %s | %v | %v | %v | %v | %d |\n", append(append([]any{fmt.Sprintf(format, arguments...)}, counts...),
		s.metric("switchboard_server_connections"), s.again.Load())...)
}

// even wants app servers to have equally many clients, within three per cent.
func (s *spread) even(servers ...*spreadServer) {
	s.Helper()
	var counts []int64
	for _, server := range servers {
		counts = append(counts, server.clients.Load())
	}
	if least, most := slices.Min(counts), slices.Max(counts); (most-least)*100 > 3*most {
		s.Errorf("%v clients, want as many each", counts)
	}
}

func (s *spread) wantAgain(n int) {
	s.Helper()
	if got := int(s.again.Load()); got != n {
		s.Errorf("%d clients came again, want the %d of the app server that was killed and no other", got, n)
	}
}

// A spreadServer is an app server.
type spreadServer struct {
	links   links
	clients atomic.Int64
	end     func()
}

// Spread is its hub.
type Spread struct{ server *spreadServer }

func (h *Spread) OnConnected(*appserver.Context) error {
	h.server.clients.Add(1)
	return nil
}

// Echo returns text.
func (h *Spread) Echo(text string) string { return text }

func (h *Spread) OnDisconnected(*appserver.Context, error) { h.server.clients.Add(-1) }

func (s *spread) start(id string) *spreadServer {
	s.Helper()
	server := &spreadServer{}
	app, err := appserver.New(appserver.Config{
		ConnectionString: s.service.connectionString,
		ServerID:         id,
		HTTPClient:       server.links.client(nil),
		Logger:           slog.New(slog.DiscardHandler), // that it is killed is what it would tell
	})
	if err != nil {
		s.Fatal(err)
	}
	if _, err := app.MapHub("/spread", &Spread{server}); err != nil {
		s.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	connections := s.metric("switchboard_server_connections")
	go func() { ended <- app.Run(ctx) }()
	server.end = sync.OnceFunc(func() {
		stop()
		if err := <-ended; err != nil {
			s.Error(err)
		}
	})
	s.Cleanup(server.end)
	s.servers = append(s.servers, server)
	s.await("five connections of "+id, func() bool { return s.metric("switchboard_server_connections") >= connections+5 })
	return server
}

// kill ends an app server without a word, as a crash does.
func (a *spreadServer) kill() {
	a.links.die()
	a.end()
}

// come has n clients connect. Each comes again when it is closed and may.
func (s *spread) come(n int) {
	s.Helper()
	var connected atomic.Int64
	for range n {
		s.clients.Go(func() {
			first := sync.OnceFunc(func() { connected.Add(1) })
			// Once for each: one that comes again at once may get a connection of the
			// app server whose end the service is yet to see.
			again := sync.OnceFunc(func() { s.again.Add(1) })
			for s.ctx.Err() == nil {
				if err := s.connect(first, again); err != nil && s.ctx.Err() == nil {
					s.Error(err)
					return
				}
			}
		})
	}
	s.await("all clients have connected", func() bool { return connected.Load() == int64(n) })
}

// connect is one connection, up to its end. An error is an end that must not be.
func (s *spread) connect(connected, again func()) error {
	s.dialing <- struct{}{}
	c, err := connectClient(s.ctx, s.service, "spread", s.token)
	<-s.dialing
	var closed *closeError
	if err == nil {
		connected()
		defer context.AfterFunc(s.ctx, func() { _ = c.Close() })()
		for err == nil {
			_, err = c.next(time.Time{})
		}
		_ = c.Close()
	}
	if errors.As(err, &closed) && closed.message.AllowReconnect {
		again()
		return nil
	}
	if errors.Is(err, net.ErrClosed) || errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) {
		return fmt.Errorf("client ended without a word: %w", err)
	}
	return err
}

package aspnetcore_test

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"flag"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"net"
	"net/http"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"switchboard/accesstoken"
	"switchboard/internal/clientconn"
	"switchboard/internal/clientconn/aspnetcore"
	"switchboard/internal/clientconn/websocket"
	"switchboard/internal/eventloop"
	"switchboard/internal/pairing"
	"switchboard/internal/router"
	"switchboard/internal/wsframe"
	"switchboard/serviceprotocol"
)

var simulatedClients = flag.Int("simulated-clients", 20_000, "how many clients TestSimulatedClients connects")

const (
	smallGroup = 100
	// bytesPerClient is the budget of the heap for an idle client in two groups.
	// ARCHITECTURE.md tells what it is spent on.
	bytesPerClient = 1100
)

// A simulation is sockets without a network: they count what they are sent. All
// else is what a service has.
type simulation struct {
	want     atomic.Pointer[[]byte]
	arrived  atomic.Int64 // how often want was sent
	strange  atomic.Int64 // what else was sent
	sockets  []uint32     // how often each was sent want, by descriptor
	accepted atomic.Int64 // handshakes that were answered
}

func (s *simulation) Take(conn net.Conn) (int, error)    { return conn.(*simulated).fd, nil }
func (*simulation) Control(_, _, _ int, _ uint32) error  { return nil }
func (*simulation) Receive(_ int, _ []byte) (int, error) { return 0, unix.EAGAIN }
func (*simulation) Close(int) error                      { return nil }
func (s *simulation) Send(fd int, b []byte) (n int, err error) {
	want := *s.want.Load()
	switch {
	case bytes.Equal(b, want):
		s.sockets[fd]++
		s.arrived.Add(1)
	case bytes.Equal(b, accepted):
		s.accepted.Add(1)
	default:
		s.strange.Add(1)
	}
	return len(b), nil
}

// accepted is the answer to a handshake, on the wire.
var accepted = wsframe.AppendFrame(nil, wsframe.OpText, []byte("{}\x1e"))

// A simulated is the connection below a request, and its ResponseWriter.
type simulated struct {
	net.Conn
	fd     int
	header http.Header
	early  *bufio.Reader // the handshake request, which followed at once
}

func (c *simulated) Write(b []byte) (int, error) { return len(b), nil }
func (c *simulated) Close() error                { return nil }
func (c *simulated) Header() http.Header         { return c.header }
func (c *simulated) WriteHeader(int)             {}
func (c *simulated) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return c, bufio.NewReadWriter(c.early, nil), nil
}

// An appServer accepts every client and puts it into two groups.
type appServer struct {
	hub    *router.Hub
	opened chan string // connection ids
}

func (s *appServer) ID() string                     { return "server connection" }
func (s *appServer) ServerID() string               { return "server" }
func (s *appServer) Congested(pairing.Resumer) bool { return false }
func (s *appServer) Post(m serviceprotocol.Message) error {
	if m, ok := m.(*serviceprotocol.OpenConnection); ok {
		s.opened <- strings.Clone(m.ConnectionID)
	}
	return nil
}
func (s *appServer) Send(_ context.Context, m serviceprotocol.Message) error { return s.Post(m) }

func (s *appServer) run() error {
	n := 0
	for id := range s.opened {
		for _, m := range []serviceprotocol.Message{
			&serviceprotocol.ConnectionData{ConnectionID: id, Payload: []byte("{}\x1e")},
			&serviceprotocol.JoinGroup{ConnectionID: id, Group: "everybody"},
			&serviceprotocol.JoinGroup{ConnectionID: id, Group: "group " + strconv.Itoa(n/smallGroup)},
		} {
			if err := s.hub.FromServer(context.Background(), s, m); err != nil {
				return err
			}
		}
		n++
	}
	return nil
}

// TestSimulatedClients connects more clients than there are descriptors, sends to
// all and to groups, and tells what a client costs. "make million" is the long
// form of it.
func TestSimulatedClients(t *testing.T) {
	if testing.Short() {
		t.Skip("takes some seconds")
	}
	defer func(rate int) { runtime.MemProfileRate = rate }(runtime.MemProfileRate)
	runtime.MemProfileRate = 16 << 10
	n := *simulatedClients
	sim := &simulation{sockets: make([]uint32, n)}
	sim.want.Store(&[]byte{})
	loops, err := eventloop.StartOn(sim, runtime.GOMAXPROCS(0))
	if err != nil {
		t.Fatal(err)
	}
	keys, err := accesstoken.NewKeys("key")
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	places := clientconn.NewPlaces(0)
	routes := router.New(router.Config{Log: log})
	handler := aspnetcore.New(aspnetcore.Config{
		Keys: func() *accesstoken.Keys { return keys }, Router: routes, InstanceID: "simulation",
		Limits: clientconn.Limits{}.WithDefaults(), WebSockets: &websocket.Server{Loops: loops},
		ConnectTimeout: 15 * time.Second, Places: places, Log: log,
	})
	app := &appServer{routes.Hub("chat"), make(chan string, 1000)}
	app.hub.AddServer(app, router.Traits{CarriesClients: true})
	var serving sync.WaitGroup
	serving.Go(func() {
		if err := app.run(); err != nil {
			t.Error(err)
		}
	})

	before, partsBefore := heap(), heapByPart()
	start := time.Now()
	connectAll(t, handler, n)
	eventually(t, "all handshakes are answered", func() bool { return sim.accepted.Load() == int64(n) })
	eventually(t, "all are in their groups", func() bool { return app.hub.Stats().Groups == 1+(n+smallGroup-1)/smallGroup })
	took := time.Since(start)
	used, parts := heap()-before, heapByPart()

	var b strings.Builder
	row := func(name string, value any) { fmt.Fprintf(&b, "  %-58s %10v\n", name, value) }
	fmt.Fprintf(&b, "\n%d simulated clients\n", n)
	row("connected in", took.Round(time.Millisecond))
	row("bytes of heap for each", used/n)
	row("bytes of memory (RSS) for each, garbage included", resident()/n)
	for _, part := range slices.SortedFunc(maps.Keys(parts), func(a, b string) int { return cmp.Compare(parts[b], parts[a]) }) {
		if each := (parts[part] - partsBefore[part]) / n; each > 0 {
			row("  "+part, each)
		}
	}
	all := func(m serviceprotocol.Message, group string, want int) {
		took := sim.send(t, app, m, want)
		row(fmt.Sprintf("sent to %s: all %d have it after", group, want), took.Round(time.Microsecond))
		row("  for each", (took / time.Duration(want)).Round(time.Nanosecond))
	}
	payload := serviceprotocol.Payloads{{Protocol: "json", Data: []byte(`{"type":1,"target":"news","arguments":["` + strings.Repeat("x", 128) + `"]}` + "\x1e")}}
	all(&serviceprotocol.BroadcastData{Payloads: payload}, "all", n)
	all(&serviceprotocol.GroupBroadcastData{Group: "everybody", Payloads: payload}, "a group of all", n)
	all(&serviceprotocol.GroupBroadcastData{Group: "group 7", Payloads: payload}, "a small group", smallGroup)
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	row("longest pause of the garbage collector", time.Duration(slices.Max(stats.PauseNs[:])))
	t.Log(b.String())

	if counts := slices.Compact(slices.Sorted(slices.Values(sim.sockets))); !slices.Equal(counts, []uint32{2, 3}) {
		t.Errorf("clients were sent %v messages, want 2, and 3 those of one group", counts)
	}
	if sim.strange.Load() > 0 {
		t.Errorf("%d times something else was sent", sim.strange.Load())
	}
	if each := used / n; each > bytesPerClient {
		t.Errorf("%d bytes of heap for each client, want at most %d", each, bytesPerClient)
	}
	loops.Stop()
	close(app.opened)
	serving.Wait()
	if open := places.Taken(); open > 0 {
		t.Errorf("%d clients are left", open)
	}
}

// connectAll has n clients come, as from an HTTP server.
func connectAll(t *testing.T, handler http.Handler, n int) {
	now := time.Now()
	token, err := accesstoken.Sign("key", accesstoken.HS256, accesstoken.Token{
		Audience: "http://localhost/client/?hub=chat", Expires: now.Add(time.Hour),
		Claims: []accesstoken.Claim{{Type: "name", Value: "somebody"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	wire := fmt.Sprintf("GET /client/?hub=chat HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\nUser-Agent: simulated\r\n"+
		"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n", token)
	hello := wsframe.AppendMasked(nil, wsframe.OpText, []byte(`{"protocol":"json","version":1}`+"\x1e"), [4]byte{1, 2, 3, 4})
	ctx := context.WithValue(t.Context(), http.LocalAddrContextKey, net.Addr(&net.TCPAddr{}))
	early := bufio.NewReader(nil)
	for fd := range n {
		r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(wire)))
		if err != nil {
			t.Fatal(err)
		}
		r.RemoteAddr = "127.0.0.1:1"
		early.Reset(bytes.NewReader(hello))
		if _, err := early.Peek(1); err != nil {
			t.Fatal(err)
		}
		handler.ServeHTTP(&simulated{fd: fd, header: http.Header{}, early: early}, r.WithContext(ctx))
	}
}

// send sends m and returns when want clients have it.
func (s *simulation) send(t *testing.T, app *appServer, m serviceprotocol.Message, want int) time.Duration {
	t.Helper()
	payload := payloadOf(m)
	frame := wsframe.AppendFrame(nil, wsframe.OpText, payload)
	s.want.Store(&frame)
	s.arrived.Store(0)
	start := time.Now()
	if err := app.hub.FromServer(t.Context(), app, m); err != nil {
		t.Fatal(err)
	}
	eventually(t, "all have the message", func() bool { return s.arrived.Load() >= int64(want) })
	took := time.Since(start)
	if got := s.arrived.Load(); got != int64(want) {
		t.Errorf("%d clients got the message, want %d", got, want)
	}
	return took
}

func payloadOf(m serviceprotocol.Message) []byte {
	var payloads serviceprotocol.Payloads
	switch m := m.(type) {
	case *serviceprotocol.BroadcastData:
		payloads = m.Payloads
	case *serviceprotocol.GroupBroadcastData:
		payloads = m.Payloads
	}
	data, _ := payloads.Get("json")
	return data
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !ok(); runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatal("not so in time: " + what)
		}
	}
}

// heap returns the bytes in use.
func heap() int {
	runtime.GC()
	runtime.GC() // what was in a sync.Pool is gone after the second
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

// heapByPart returns the bytes in use by the function of the project that asked
// for them, scaled up from a sample.
func heapByPart() map[string]int {
	records := make([]runtime.MemProfileRecord, 10_000)
	n, ok := runtime.MemProfile(records, false)
	if !ok {
		return nil
	}
	parts := map[string]int{}
	for _, r := range records[:n] {
		objects, bytes := r.InUseObjects(), r.InUseBytes()
		if objects == 0 {
			continue
		}
		// A sample stands for all: the chance that a block is in it grows with its size.
		size := float64(bytes) / float64(objects)
		scale := 1 / (1 - math.Exp(-size/float64(runtime.MemProfileRate)))
		parts[partOf(r.Stack())] += int(float64(bytes) * scale)
	}
	return parts
}

func partOf(stack []uintptr) string {
	frames := runtime.CallersFrames(stack)
	for {
		frame, more := frames.Next()
		if name, ok := strings.CutPrefix(frame.Function, "switchboard/"); ok {
			return strings.TrimPrefix(name, "internal/")
		}
		if !more {
			return "other"
		}
	}
}

// resident returns the resident memory of this process in bytes.
func resident() int {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	_, after, _ := strings.Cut(string(status), "VmRSS:")
	var kib int
	_, _ = fmt.Sscan(after, &kib)
	return kib << 10
}

var (
	_ eventloop.System = (*simulation)(nil)
	_ http.Hijacker    = (*simulated)(nil)
)

package eventloop_test

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"switchboard/internal/eventloop"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bound is how long a test waits for what must happen.
const bound = 10 * time.Second

// start runs n loops until the test ends.
func start(t testing.TB, n int) *eventloop.Loops {
	t.Helper()
	loops, err := eventloop.Start(n)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(loops.Stop)
	return loops
}

// A socket is a handler that does what the test says, and notes the rest. What
// it does runs in the loop.
type socket struct {
	eventloop.Socket
	t       testing.TB
	receive hook[func(b []byte)] // none: to received
	flush   hook[func()]         // none: nothing
	tick    hook[func()]         // none: nothing

	received chan string
	gone     chan error // capacity 1
	flushes  atomic.Int64
	ended    atomic.Bool
}

// A hook is what a test sets while a loop may call it.
type hook[F any] struct {
	mu sync.Mutex
	f  F
}

func (h *hook[F]) set(f F) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.f = f
}

func (h *hook[F]) get() F {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.f
}

func newSocket(t testing.TB, loops *eventloop.Loops) *socket {
	s := &socket{t: t, received: make(chan string, 1024), gone: make(chan error, 1)}
	s.Init(loops.Next(), s)
	return s
}

func (s *socket) Readable() bool { return true }

func (s *socket) Receive(b []byte) {
	s.alive("Receive")
	if receive := s.receive.get(); receive != nil {
		receive(b)
	} else {
		s.received <- string(b)
	}
	clear(b)
}

func (s *socket) Flush() {
	s.alive("Flush")
	s.flushes.Add(1)
	if flush := s.flush.get(); flush != nil {
		flush()
	}
}

func (s *socket) Tick(time.Time) {
	s.alive("Tick")
	if tick := s.tick.get(); tick != nil {
		tick()
	}
}

func (s *socket) Gone(err error) {
	s.alive("Gone")
	s.ended.Store(true)
	s.gone <- err
}

func (s *socket) alive(method string) {
	if s.ended.Load() {
		s.t.Errorf("%s was called after Gone", method)
	}
}

// echo makes s send back what it receives.
func (s *socket) echo() {
	s.receive.set(func(b []byte) {
		if n, err := s.Write(b); n < len(b) || err != nil {
			s.t.Errorf("Write of %d bytes = %d, %v", len(b), n, err)
		}
	})
}

// add has the loop serve a new connection and returns the peer's end of it.
func (s *socket) add(early string) *net.TCPConn {
	s.t.Helper()
	peer, conn := connect(s.t)
	var b []byte
	if early != "" {
		b = []byte(early)
	}
	if err := s.Add(conn, b); err != nil {
		s.t.Fatal(err)
	}
	return peer
}

// connect returns the two ends of a TCP connection. The first is closed when
// the test ends.
func connect(t testing.TB) (peer, conn *net.TCPConn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	dialled, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dialled.Close() })
	accepted, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	_ = dialled.SetDeadline(time.Now().Add(time.Minute))
	return dialled.(*net.TCPConn), accepted.(*net.TCPConn)
}

// next returns the next value, which must come.
func next[T any](t testing.TB, from <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(bound):
		t.Fatalf("%s did not come", what)
	}
	panic("unreachable")
}

// expectGone waits for the end of s, which must be for the reason.
func (s *socket) expectGone(want error) {
	s.t.Helper()
	if got := next(s.t, s.gone, "Gone"); !errors.Is(got, want) || want == nil && got != nil {
		s.t.Errorf("Gone(%v), want %v", got, want)
	}
}

// expect reads from the peer's end.
func expect(t testing.TB, peer net.Conn, want string) {
	t.Helper()
	got := make([]byte, len(want))
	if n, err := io.ReadFull(peer, got); err != nil || string(got) != want {
		t.Fatalf("the peer read %q, %v, want %q", got[:n], err, want)
	}
}

func send(t testing.TB, peer net.Conn, text string) {
	t.Helper()
	if _, err := io.WriteString(peer, text); err != nil {
		t.Fatal(err)
	}
}

// eventually waits until a condition holds that nothing tells of.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	poll := time.NewTicker(time.Millisecond)
	defer poll.Stop()
	for limit := time.Now().Add(bound); !holds(); <-poll.C {
		if time.Now().After(limit) {
			t.Fatalf("%s: not within %v", what, bound)
		}
	}
}

// openDescriptors counts those of the process.
func openDescriptors(t testing.TB) int {
	t.Helper()
	all, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(all)
}

// hold keeps a loop busy until the returned function is called, and at most for
// the bound.
func hold(t testing.TB, s *socket) (release func()) {
	t.Helper()
	eventually(t, "the first Flush", func() bool { return s.flushes.Load() > 0 })
	held, free := make(chan struct{}), make(chan struct{})
	old, done := s.flush.get(), make(chan struct{})
	s.flush.set(func() {
		close(held)
		select {
		case <-free:
		case <-time.After(bound):
			t.Error("the loop was held for too long")
		}
		s.flush.set(old)
		close(done)
	})
	s.Wake()
	next(t, held, "Flush")
	return func() {
		close(free)
		next(t, done, "the end of Flush")
	}
}

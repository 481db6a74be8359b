package eventloop_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"switchboard/internal/eventloop"
)

func TestReadsAllInOrder(t *testing.T) {
	s := newSocket(t, start(t, 1))
	want := []byte(strings.Repeat("0123456789abcdef-", 100<<10)) // many buffers
	var got bytes.Buffer
	done := make(chan struct{})
	s.receive.set(func(b []byte) {
		if got.Write(b); got.Len() == len(want) {
			close(done)
		}
	})
	peer := s.add("")
	if _, err := peer.Write(want); err != nil {
		t.Fatal(err)
	}
	next(t, done, "the last byte")
	if !bytes.Equal(got.Bytes(), want) {
		t.Error("the bytes are not those that were sent")
	}
}

// What the socket refuses is written when the peer has read, however much it is.
func TestWriteGoesOnWhenThePeerReads(t *testing.T) {
	s := newSocket(t, start(t, 1))
	want := bytes.Repeat([]byte("0123456789abcdef-"), 1<<20)
	unsent, partial, whole := want, make(chan int, 1), make(chan struct{})
	s.flush.set(func() {
		n, err := s.Write(unsent)
		if err != nil {
			t.Errorf("Write: %v", err)
		}
		if unsent = unsent[n:]; len(unsent) == 0 {
			s.flush.set(nil)
			close(whole)
			return
		}
		select {
		case partial <- n:
		default:
		}
	})
	peer := s.add("")
	if n := next(t, partial, "a partial write"); n == 0 {
		t.Error("the socket took nothing at first")
	}
	got, err := io.ReadAll(io.LimitReader(peer, int64(len(want))))
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("the peer read %d bytes, %v, want the %d that were written", len(got), err, len(want))
	}
	next(t, whole, "the end of writing")
	before := s.flushes.Load()
	s.echo()
	for range 100 {
		send(t, peer, "x")
		expect(t, peer, "x")
	}
	if got := s.flushes.Load(); got != before {
		t.Errorf("Flush was called %d times though nothing was refused", got-before)
	}
}

func TestPausedSocketIsNotRead(t *testing.T) {
	loops := start(t, 1)
	s, other := newSocket(t, loops), newSocket(t, loops)
	var paused bool
	s.receive.set(func(b []byte) {
		if paused {
			t.Errorf("Receive(%q) while paused", b)
		}
		s.received <- string(b)
		paused = true
		s.Pause(true)
	})
	s.flush.set(func() {
		paused = false
		s.Pause(false)
	})
	other.echo()
	peer, otherPeer := s.add(""), other.add("")
	for _, text := range []string{"one", "two", "three"} {
		send(t, peer, text)
		if got := next(t, s.received, text); got != text {
			t.Errorf("received %q, want %q", got, text)
		}
		send(t, peer, "+")
		for range 20 { // the loop turns
			send(t, otherPeer, "x")
			expect(t, otherPeer, "x")
		}
		if len(s.received) > 0 {
			t.Fatalf("received %q while paused", <-s.received)
		}
		s.Wake()
		if got := next(t, s.received, "what came while paused"); got != "+" {
			t.Errorf("received %q, want +", got)
		}
		s.Wake()
	}
}

func TestEarlyBytesComeFirst(t *testing.T) {
	s := newSocket(t, start(t, 1))
	var all []byte
	s.receive.set(func(b []byte) {
		if s.flushes.Load() > 0 && len(all) == 0 {
			t.Error("Flush was called before the early bytes were taken")
		}
		if all = append(all, b...); len(all) == len("early late") {
			s.received <- string(all)
		}
	})
	peer, conn := connect(t)
	send(t, peer, " late") // is in the socket already
	if err := s.Add(conn, []byte("early")); err != nil {
		t.Fatal(err)
	}
	if got := next(t, s.received, "all"); got != "early late" {
		t.Errorf("received %q, want %q", got, "early late")
	}
}

func TestWhyASocketIsGone(t *testing.T) {
	tests := []struct {
		name string
		act  func(s *socket, peer *net.TCPConn)
		want error
	}{
		{"the peer closes", func(_ *socket, peer *net.TCPConn) { peer.Close() }, io.EOF},
		{"the peer closes for writing", func(_ *socket, peer *net.TCPConn) { peer.CloseWrite() }, io.EOF},
		{"the peer resets", func(_ *socket, peer *net.TCPConn) { peer.SetLinger(0); peer.Close() }, syscall.ECONNRESET},
		{"the peer resets while paused", func(s *socket, peer *net.TCPConn) {
			paused := make(chan struct{})
			s.flush.set(func() { s.Pause(true); close(paused) })
			s.Wake()
			<-paused
			peer.SetLinger(0)
			peer.Close()
		}, syscall.ECONNRESET},
		{"abort", func(s *socket, _ *net.TCPConn) { s.Abort() }, eventloop.ErrAborted},
		{"abort twice", func(s *socket, _ *net.TCPConn) { s.Abort(); s.Abort() }, eventloop.ErrAborted},
		{"abort in Receive", func(s *socket, peer *net.TCPConn) {
			s.receive.set(func([]byte) { s.Abort(); s.Abort() })
			peer.Write([]byte("x"))
		}, eventloop.ErrAborted},
		{"close in Receive", func(s *socket, peer *net.TCPConn) {
			s.receive.set(func([]byte) { s.Close(); s.Close() })
			peer.Write([]byte("x"))
		}, nil},
		{"close in Flush", func(s *socket, _ *net.TCPConn) {
			s.flush.set(func() { s.Close() })
			s.Wake()
		}, nil},
		{"close in Tick", func(s *socket, _ *net.TCPConn) {
			s.tick.set(func() { s.Close() })
			s.flush.set(func() { s.Watch(true) })
			s.Wake()
		}, nil},
	}
	loops := start(t, 1)
	other := newSocket(t, loops)
	other.echo()
	otherPeer := other.add("")
	before := openDescriptors(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newSocket(t, loops)
			peer := s.add("early")
			next(t, s.received, "early bytes")
			release := hold(t, other) // so that the handler can be changed
			eventually(t, "the loop is held", func() bool { return s.flushes.Load() > 0 })
			go release()
			tt.act(s, peer)
			s.expectGone(tt.want)
			s.Wake()
			s.Abort()
			send(t, otherPeer, "x")
			expect(t, otherPeer, "x")
			peer.Close()
		})
	}
	if after := openDescriptors(t); after != before {
		t.Errorf("%d descriptors are open, %d were before", after, before)
	}
}

func TestCloseInReceiveOfEarlyBytes(t *testing.T) {
	s := newSocket(t, start(t, 1))
	s.receive.set(func([]byte) { s.Close() })
	peer := s.add("early")
	s.expectGone(nil)
	if got := s.flushes.Load(); got != 0 {
		t.Errorf("Flush was called %d times after Close", got)
	}
	if _, err := peer.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("the peer read %v, want EOF", err)
	}
}

func TestAbortBeforeAdd(t *testing.T) {
	loops := start(t, 1)
	before := openDescriptors(t)
	for _, act := range []func(*socket){
		func(s *socket) { s.Abort() },
		func(s *socket) { s.Wake(); s.Abort(); s.Abort() },
	} {
		s := newSocket(t, loops)
		act(s)
		peer := s.add("early")
		s.expectGone(eventloop.ErrAborted)
		if len(s.received) > 0 || s.flushes.Load() > 0 {
			t.Error("Receive or Flush was called for an aborted socket")
		}
		if _, err := peer.Read(make([]byte, 1)); err == nil {
			t.Error("the socket is open")
		}
		peer.Close()
	}
	if after := openDescriptors(t); after != before {
		t.Errorf("%d descriptors are open, %d were before", after, before)
	}
}

// Add and Abort at once: the socket is gone either way, once.
func TestAbortDuringAdd(t *testing.T) {
	loops := start(t, 2)
	before := openDescriptors(t)
	for range 300 {
		s := newSocket(t, loops)
		peer, conn := connect(t)
		go s.Wake()
		go s.Abort()
		if err := s.Add(conn, nil); err != nil {
			t.Fatal(err)
		}
		s.expectGone(eventloop.ErrAborted)
		peer.Close()
	}
	if after := openDescriptors(t); after != before {
		t.Errorf("%d descriptors are open, %d were before", after, before)
	}
}

// Of a connection that a loop serves, its descriptor is left and nothing else.
func TestAddTakesTheDescriptorOutOfTheConnection(t *testing.T) {
	const count = 100
	loops := start(t, 2)
	descriptors, goroutines := openDescriptors(t), runtime.NumGoroutine()
	var sockets []*socket
	var peers []*net.TCPConn
	for range count {
		s := newSocket(t, loops)
		peer, conn := connect(t)
		if err := s.Add(conn, nil); err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
			t.Fatalf("Write on the connection: %v, want net.ErrClosed", err)
		}
		sockets, peers = append(sockets, s), append(peers, peer)
	}
	if got := openDescriptors(t) - descriptors; got != 2*count {
		t.Errorf("%d descriptors for %d connections, want one for each end", got, count)
	}
	if got := runtime.NumGoroutine() - goroutines; got > 0 {
		t.Errorf("%d goroutines more", got)
	}
	for i, s := range sockets {
		s.Abort()
		s.expectGone(eventloop.ErrAborted)
		peers[i].Close()
	}
	if got := openDescriptors(t); got != descriptors {
		t.Errorf("%d descriptors are open, %d were before", got, descriptors)
	}
}

func TestAddOfWhatIsNoTCPConnection(t *testing.T) {
	s := newSocket(t, start(t, 1))
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	if err := s.Add(a, nil); err == nil {
		t.Error("Add of a pipe succeeds")
	}
	_, conn := connect(t)
	conn.Close()
	if err := s.Add(conn, nil); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Add of a closed connection: %v, want net.ErrClosed", err)
	}
	if eventloop.Detachable(a) || !eventloop.Detachable(conn) {
		t.Error("a pipe is Detachable, or a TCP connection is not")
	}
}

package eventloop_test

import (
	"errors"
	"fmt"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"switchboard/internal/eventloop"
)

func TestWakesBeforeTheFlushAreOne(t *testing.T) {
	loops := start(t, 1)
	s, other := newSocket(t, loops), newSocket(t, loops)
	s.add("")
	other.add("")
	eventually(t, "the first Flush", func() bool { return s.flushes.Load() == 1 })
	for turn := range int64(50) {
		release := hold(t, other)
		var wakers sync.WaitGroup
		for range 8 {
			wakers.Go(func() {
				for range 20 {
					s.Wake()
				}
			})
		}
		wakers.Wait()
		release()
		hold(t, other)() // the turn is over
		if got := s.flushes.Load(); got != turn+2 {
			t.Fatalf("Flush was called %d times after %d turns, want %d", got, turn+1, turn+2)
		}
	}
}

// A waiting loop is woken every time.
func TestWakeOfAnIdleLoop(t *testing.T) {
	s := newSocket(t, start(t, 1))
	flushed := make(chan struct{}, 1)
	s.flush.set(func() { flushed <- struct{}{} })
	s.add("")
	next(t, flushed, "the first Flush")
	for i := range 5000 {
		s.Wake()
		next(t, flushed, fmt.Sprintf("Flush after Wake %d", i))
	}
}

// Who wakes a socket after a change is sure that Flush sees the change.
func TestNoWakeIsLost(t *testing.T) {
	const sockets, wakers, changes = 20, 4, 2000
	loops := start(t, 3)
	var all sync.WaitGroup
	for range sockets {
		s := newSocket(t, loops)
		var made, seen atomic.Int64
		s.flush.set(func() { seen.Store(made.Load()) })
		s.add("")
		for range wakers {
			all.Go(func() {
				for range changes {
					made.Add(1)
					s.Wake()
				}
			})
		}
		all.Go(func() {
			eventually(t, "the last change is seen", func() bool { return seen.Load() == wakers*changes })
		})
	}
	all.Wait()
}

func TestWakeInTheHandler(t *testing.T) {
	s := newSocket(t, start(t, 1))
	done := make(chan struct{})
	s.flush.set(func() {
		if s.flushes.Load() == 100 {
			close(done)
			s.flush.set(nil)
			return
		}
		s.Wake()
	})
	s.add("")
	next(t, done, "the hundredth Flush")
}

// A descriptor is used again at once for another connection, whose bytes must
// not be mixed up with those of the one before.
func TestDescriptorsAreReused(t *testing.T) {
	loops := start(t, 2)
	var clients sync.WaitGroup
	for id := range 8 {
		clients.Go(func() {
			for i := range 100 {
				s := newSocket(t, loops)
				s.echo()
				peer, conn := connect(t)
				if err := s.Add(conn, nil); err != nil {
					t.Error(err)
					return
				}
				text := fmt.Sprintf("%d-%d", id, i)
				send(t, peer, text)
				expect(t, peer, text)
				if i%2 == 0 {
					s.Abort()
					s.expectGone(eventloop.ErrAborted)
					peer.Close()
				} else {
					peer.Close()
					next(t, s.gone, "Gone")
				}
			}
		})
	}
	clients.Wait()
}

func TestStopEndsOpenSockets(t *testing.T) {
	before := openDescriptors(t)
	loops, err := eventloop.Start(3)
	if err != nil {
		t.Fatal(err)
	}
	var sockets []*socket
	for i := range 50 {
		s := newSocket(t, loops)
		if i%2 == 0 {
			s.flush.set(func() { s.Pause(true); s.Watch(true) })
		}
		defer s.add("").Close()
		sockets = append(sockets, s)
	}
	loops.Stop()
	for _, s := range sockets {
		if len(s.gone) == 0 {
			t.Fatal("a socket is not gone when Stop returns")
		}
		s.expectGone(eventloop.ErrAborted)
		s.Wake()
		s.Abort()
	}
	loops.Stop()
	if got, want := openDescriptors(t), before+len(sockets); got != want {
		t.Errorf("%d descriptors are open, want %d: those of the peers", got, want)
	}
	_, conn := connect(t)
	if err := newSocket(t, loops).Add(conn, nil); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Add after Stop: %v, want net.ErrClosed", err)
	}
}

// A socket that Add took is gone after Stop, whenever that is called.
func TestStopDuringAdd(t *testing.T) {
	before := openDescriptors(t)
	for range 100 {
		loops, err := eventloop.Start(2)
		if err != nil {
			t.Fatal(err)
		}
		var adders sync.WaitGroup
		for range 4 {
			s := newSocket(t, loops)
			peer, conn := connect(t)
			adders.Go(func() {
				defer peer.Close()
				if err := s.Add(conn, []byte("early")); err == nil {
					s.expectGone(eventloop.ErrAborted)
				}
			})
		}
		loops.Stop()
		adders.Wait()
	}
	if after := openDescriptors(t); after != before {
		t.Errorf("%d descriptors are open, %d were before", after, before)
	}
}

func TestStopOfNothing(t *testing.T) {
	var loops *eventloop.Loops
	loops.Stop()
	before := openDescriptors(t)
	start(t, 4).Stop()
	if after := openDescriptors(t); after != before {
		t.Errorf("%d descriptors are open, %d were before", after, before)
	}
}

// Only watched sockets are ticked, about every second.
func TestTick(t *testing.T) {
	loops := start(t, 1)
	watched, idle := newSocket(t, loops), newSocket(t, loops)
	ticks := make(chan time.Time, 10)
	watched.tick.set(func() {
		if ticks <- time.Now(); len(ticks) == 3 {
			watched.Watch(false)
			watched.tick.set(func() { t.Error("Tick of a socket that is no longer watched") })
		}
	})
	watched.flush.set(func() { watched.Watch(true); watched.flush.set(nil) })
	idle.tick.set(func() { t.Error("Tick of a socket that was never watched") })
	idle.add("")
	watched.add("")
	eventually(t, "three ticks", func() bool { return len(ticks) == 3 })
	<-ticks // the first may come at any time
	if second, third := <-ticks, <-ticks; third.Sub(second) < 900*time.Millisecond {
		t.Errorf("%v from one tick to the next, want a second", third.Sub(second))
	}
	again := newSocket(t, loops) // turns the loop's clock once more
	ticked := make(chan struct{})
	again.tick.set(func() { again.Watch(false); close(ticked) })
	again.flush.set(func() { again.Watch(true); again.flush.set(nil) })
	again.add("")
	next(t, ticked, "Tick")
}

// A busy loop ticks, too.
func TestTickOfABusyLoop(t *testing.T) {
	s := newSocket(t, start(t, 1))
	ticked := make(chan struct{})
	s.tick.set(func() { s.Watch(false); s.flush.set(nil); close(ticked) })
	s.flush.set(func() { s.Watch(true); s.Wake() })
	s.add("")
	next(t, ticked, "Tick")
}

func TestThousandsOfSockets(t *testing.T) {
	count := 4000
	if testing.Short() {
		count = 500
	}
	loops := start(t, 2)
	goroutines := runtime.NumGoroutine()
	peers := make([]*net.TCPConn, count)
	for i := range peers {
		s := newSocket(t, loops)
		s.echo()
		peers[i] = s.add(fmt.Sprintf("early %d ", i))
	}
	if got := runtime.NumGoroutine() - goroutines; got > 0 {
		t.Errorf("%d goroutines more", got)
	}
	for round := range 2 {
		for i, peer := range peers {
			send(t, peer, fmt.Sprintf("%d in round %d", i, round))
		}
		for i, peer := range peers {
			if round == 0 {
				expect(t, peer, fmt.Sprintf("early %d ", i))
			}
			expect(t, peer, fmt.Sprintf("%d in round %d", i, round))
		}
	}
}

// Serving a socket allocates nothing, whether the loop waits in between or not.
func TestLoopDoesNotAllocate(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	s := newSocket(t, start(t, 1))
	s.echo()
	var out [64]byte
	s.flush.set(func() { _, _ = s.Write(out[:1]) })
	peer := s.add("x")
	expect(t, peer, "x\x00")
	in := make([]byte, 1)
	got := testing.AllocsPerRun(500, func() {
		_, _ = peer.Write(out[:1])
		_, _ = peer.Read(in)
		s.Wake()
		_, _ = peer.Read(in)
	})
	if got > 0 {
		t.Errorf("%v allocations for an echo and a wake, want none", got)
	}
}

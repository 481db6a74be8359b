package mux_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"switchboard/internal/mux"
	"switchboard/serviceprotocol"
)

func TestMessagesThatWaitForTheWriterAreJoined(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s, _ := link(t, mux.Options{})
		s.gate = make(chan struct{})
		ctx, cancel := context.WithCancel(t.Context())
		served := serve(ctx, c, ignore)
		for range 101 {
			if err := c.Send(ctx, data(10)); err != nil {
				t.Fatal(err)
			}
			synctest.Wait() // the writer has taken the first and waits
		}
		if got, want := c.Stats().Queued, 100*len(frames(data(10))); got != want {
			t.Errorf("Stats().Queued = %d, want %d", got, want)
		}
		close(s.gate)
		synctest.Wait()
		writes := s.written()
		if len(writes) != 2 || !bytes.Equal(writes[1], bytes.Repeat(frames(data(10)), 100)) {
			t.Errorf("%d writes, want 2: the first message, then the 100 others", len(writes))
		}
		cancel()
		<-served
	})
}

func TestSendBeforeServeIsSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b, _ := ends(t, mux.Options{})
		message := data(3)
		if err := a.Send(t.Context(), message); err != nil {
			t.Fatal(err)
		}
		message.Payload[0] = '!' // Send has copied it
		ctx, cancel := context.WithCancel(t.Context())
		var got collector
		servedA, servedB := serve(ctx, a, ignore), serve(ctx, b, got.handle)
		synctest.Wait()
		if want := bodies(data(3)); !slices.Equal(got.all(), want) {
			t.Errorf("received %q, want %q", got.all(), want)
		}
		cancel()
		<-servedA
		<-servedB
	})
}

func TestSendWaitsAtTheBoundAndGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s, peer := link(t, mux.Options{QueueBytes: 1000})
		s.gate = make(chan struct{})
		ctx, cancel := context.WithCancel(t.Context())
		served := serve(ctx, c, ignore)
		go io.Copy(io.Discard, peer)
		c.Send(ctx, data(1))
		synctest.Wait() // the writer waits with it
		if err := c.Send(ctx, data(5000)); err != nil {
			t.Errorf("Send of a message larger than the bound to an empty queue: %v", err)
		}
		var senders sync.WaitGroup
		sent := 0
		var mu sync.Mutex
		for range 10 {
			senders.Go(func() {
				if err := c.Send(ctx, data(600)); err != nil {
					t.Errorf("Send: %v", err)
				}
				mu.Lock()
				sent++
				mu.Unlock()
			})
		}
		synctest.Wait()
		if sent != 0 {
			t.Errorf("%d Sends returned with the queue over its bound", sent)
		}
		s.gate <- struct{}{} // the first message is out, the large one is taken
		synctest.Wait()
		if sent != 2 {
			t.Errorf("%d Sends returned after the queue was taken, want the 2 that reach the bound", sent)
		}
		close(s.gate)
		senders.Wait()
		cancel()
		<-served
	})
}

func TestSendThatWaitsEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _, _ := link(t, mux.Options{QueueBytes: 1})
		c.Send(t.Context(), data(1))
		gone := errors.New("the client has gone")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second, func() { cancel(gone) })
		if err := c.Send(ctx, data(1)); !errors.Is(err, gone) {
			t.Errorf("Send: %v, want the cause of its context", err)
		}
	})
}

// However a connection ends, nobody is left waiting and nothing more is taken.
func TestSendAtAndAfterTheEnd(t *testing.T) {
	tests := []struct {
		name string
		end  func(cancel context.CancelFunc, s *stream, peer net.Conn)
	}{
		{"this side closes", func(cancel context.CancelFunc, s *stream, _ net.Conn) { cancel(); close(s.gate) }},
		{"this side closes, the peer takes nothing", func(cancel context.CancelFunc, s *stream, _ net.Conn) {
			cancel()
			time.AfterFunc(5*time.Second, func() { close(s.gate) }) // what Abort does to a Write
		}},
		{"the write fails", func(_ context.CancelFunc, s *stream, _ net.Conn) { s.gate <- struct{}{}; close(s.gate) }},
		{"the peer closes", func(_ context.CancelFunc, s *stream, peer net.Conn) { peer.Close(); synctest.Wait(); close(s.gate) }},
		{"the handler fails", func(_ context.CancelFunc, s *stream, peer net.Conn) {
			peer.Write(frames(data(1)))
			synctest.Wait()
			close(s.gate)
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, s, peer := link(t, mux.Options{QueueBytes: 1})
				s.gate, s.fails = make(chan struct{}), tt.name == "the write fails"
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				served := serve(ctx, c, func(context.Context, serviceprotocol.Message) error { return errBroken })
				c.Send(t.Context(), data(1))
				synctest.Wait()
				c.Send(t.Context(), data(1)) // to the bound
				waiting := make(chan error, 1)
				go func() {
					for {
						if err := c.Send(t.Context(), data(1)); err != nil {
							waiting <- err
							return
						}
					}
				}()
				synctest.Wait()
				tt.end(cancel, s, peer)
				if err := <-waiting; !errors.Is(err, net.ErrClosed) {
					t.Errorf("Send that waited: %v, want net.ErrClosed", err)
				}
				<-served
				if err := c.Send(t.Context(), data(1)); !errors.Is(err, net.ErrClosed) {
					t.Errorf("Send after the end: %v, want net.ErrClosed", err)
				}
			})
		})
	}
}

func TestMessagesOfManySendersArriveWholeAndInTheirOrder(t *testing.T) {
	const senders, each = 8, 500
	a, b, _ := ends(t, mux.Options{QueueBytes: 4000})
	ctx, cancel := context.WithCancel(t.Context())
	next, left := map[string]int{}, senders*each
	servedB := serve(ctx, b, func(_ context.Context, m serviceprotocol.Message) error {
		d := m.(*serviceprotocol.ConnectionData)
		if got, want := string(d.Payload), fmt.Sprint(next[d.ConnectionID]); got != want {
			t.Errorf("sender %s: message %s, want %s", d.ConnectionID, got, want)
		}
		next[string([]byte(d.ConnectionID))]++
		if left--; left == 0 {
			cancel()
		}
		return nil
	})
	servedA := serve(ctx, a, ignore)
	var all sync.WaitGroup
	for i := range senders {
		all.Go(func() {
			for n := range each {
				if err := a.Send(t.Context(), &serviceprotocol.ConnectionData{ConnectionID: fmt.Sprint(i), Payload: fmt.Append(nil, n)}); err != nil {
					t.Errorf("Send: %v", err)
				}
			}
		})
	}
	all.Wait()
	<-servedA
	<-servedB
	if left > 0 {
		t.Errorf("%d messages are missing", left)
	}
}

func TestSendAndReceiveAllocateNothing(t *testing.T) {
	a, b, _ := ends(t, mux.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	arrived := make(chan struct{})
	servedA := serve(ctx, a, ignore)
	servedB := serve(ctx, b, func(context.Context, serviceprotocol.Message) error {
		arrived <- struct{}{}
		return nil
	})
	for _, size := range []int{100, 20_000} {
		message := data(size)
		n := testing.AllocsPerRun(200, func() {
			if err := a.Send(ctx, message); err != nil {
				t.Error(err)
			}
			<-arrived
		})
		if n != 0 {
			t.Errorf("payload of %d bytes: %v allocations for Send and receive, want 0", size, n)
		}
	}
	cancel()
	<-servedA
	<-servedB
}

// Under load the batches are large; their buffers must be used again, too.
func TestBuffersAreUsedAgainUnderLoad(t *testing.T) {
	const size, count = 16 << 10, 8 << 10 // 128 MiB
	a, b, _ := ends(t, mux.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	left := count
	servedB := serve(ctx, b, func(context.Context, serviceprotocol.Message) error {
		if left--; left == 0 {
			cancel()
		}
		return nil
	})
	servedA := serve(ctx, a, ignore)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	message := data(size)
	for range count {
		if err := a.Send(t.Context(), message); err != nil {
			t.Fatal(err)
		}
	}
	<-servedB
	<-servedA
	runtime.ReadMemStats(&after)
	if got := after.TotalAlloc - before.TotalAlloc; got > size*count/8 {
		t.Errorf("%d MiB allocated to send %d MiB", got>>20, size*count>>20)
	}
}

func BenchmarkSendAndReceive(b *testing.B) {
	for _, size := range []int{64, 1 << 10, 16 << 10} {
		b.Run(fmt.Sprintf("payload=%dB", size), func(b *testing.B) {
			from, to, below := ends(b, mux.Options{})
			ctx, cancel := context.WithCancel(b.Context())
			sent, received, last := 0, 0, make(chan struct{})
			servedFrom := serve(ctx, from, ignore)
			servedTo := serve(ctx, to, func(_ context.Context, m serviceprotocol.Message) error {
				switch m.(type) {
				case *serviceprotocol.ConnectionData:
					received++
				case *serviceprotocol.JoinGroup:
					close(last)
				}
				return nil
			})
			b.ReportAllocs()
			b.SetBytes(int64(size))
			message := data(size)
			for b.Loop() {
				if err := from.Send(ctx, message); err != nil {
					b.Fatal(err)
				}
				sent++
			}
			from.Send(ctx, &serviceprotocol.JoinGroup{})
			<-last
			b.StopTimer()
			if received != sent {
				b.Errorf("received %d of %d", received, sent)
			}
			cancel()
			<-servedFrom
			<-servedTo
			b.ReportMetric(float64(sent)/float64(below.writes), "messages/write")
		})
	}
}

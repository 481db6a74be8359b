package memnet_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

const bufferSize = 64 << 10

func TestBytesArriveInOrderWhateverTheSizes(t *testing.T) {
	a, b := pair(t)
	sent := make([]byte, 1<<20)
	random := rand.NewChaCha8([32]byte{1})
	random.Read(sent)
	var writer sync.WaitGroup
	writer.Go(func() {
		sizes := rand.New(rand.NewPCG(1, 2))
		for rest := sent; len(rest) > 0; {
			n := min(len(rest), sizes.IntN(2*bufferSize))
			if _, err := a.Write(rest[:n]); err != nil {
				t.Errorf("Write: %v", err)
			}
			rest = rest[n:]
		}
		a.Close()
	})
	got, err := io.ReadAll(b)
	writer.Wait()
	if err != nil || !bytes.Equal(got, sent) {
		t.Errorf("read %d bytes, error %v; want the %d sent and no error", len(got), err, len(sent))
	}
}

func TestBothDirectionsAtOnce(t *testing.T) {
	a, b := pair(t)
	message := bytes.Repeat([]byte("0123456789abcdef"), 3*bufferSize/16)
	var all sync.WaitGroup
	for _, c := range []net.Conn{a, b} {
		all.Go(func() {
			if n, err := c.Write(message); n != len(message) || err != nil {
				t.Errorf("Write = %d, %v; want %d, nil", n, err, len(message))
			}
		})
		all.Go(func() {
			got := make([]byte, len(message))
			if _, err := io.ReadFull(c, got); err != nil || !bytes.Equal(got, message) {
				t.Errorf("ReadFull: error %v, bytes equal %v", err, bytes.Equal(got, message))
			}
		})
	}
	all.Wait()
}

func TestWritesOfSeveralGoroutinesStayWhole(t *testing.T) {
	a, b := pair(t)
	const writers, size = 8, 3 * bufferSize / 2
	var all sync.WaitGroup
	for i := range writers {
		all.Go(func() {
			if _, err := a.Write(bytes.Repeat([]byte{byte(i)}, size)); err != nil {
				t.Errorf("Write: %v", err)
			}
		})
	}
	message := make([]byte, size)
	for range writers {
		if _, err := io.ReadFull(b, message); err != nil {
			t.Fatalf("ReadFull: %v", err)
		}
		if !bytes.Equal(message, bytes.Repeat(message[:1], size)) {
			t.Error("two writes are mixed")
		}
	}
	all.Wait()
}

func TestWriteWaitsAtTheBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pair(t)
		done := false
		go func() {
			if n, err := a.Write(make([]byte, bufferSize+1)); n != bufferSize+1 || err != nil {
				t.Errorf("Write = %d, %v; want %d, nil", n, err, bufferSize+1)
			}
			done = true
		}()
		synctest.Wait()
		if done {
			t.Fatalf("Write of %d bytes returned before anything was read", bufferSize+1)
		}
		if n, err := b.Read(make([]byte, 1)); n != 1 || err != nil {
			t.Fatalf("Read = %d, %v; want 1, nil", n, err)
		}
		synctest.Wait()
		if !done {
			t.Error("Write still waits after a byte was read")
		}
	})
}

func TestEmptyReadAndWriteReturnAtOnce(t *testing.T) {
	a, _ := pair(t)
	if n, err := a.Read(nil); n != 0 || err != nil {
		t.Errorf("Read(nil) = %d, %v; want 0, nil", n, err)
	}
	if n, err := a.Write(nil); n != 0 || err != nil {
		t.Errorf("Write(nil) = %d, %v; want 0, nil", n, err)
	}
}

func TestCloseLetsThePeerReadTheRest(t *testing.T) {
	a, b := pair(t)
	fmt.Fprint(a, "last words")
	for range 2 { // Close twice is Close
		if err := a.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	}
	if got, err := io.ReadAll(b); string(got) != "last words" || err != nil {
		t.Errorf("ReadAll = %q, %v; want %q, nil", got, err, "last words")
	}
	if _, err := b.Write([]byte("x")); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("Write to a closed peer: %v, want io.ErrClosedPipe", err)
	}
	if _, err := a.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Read after Close: %v, want net.ErrClosed", err)
	}
	if _, err := a.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Write after Close: %v, want net.ErrClosed", err)
	}
}

func TestCloseEndsWhatWaits(t *testing.T) {
	read := func(c net.Conn) error {
		_, err := c.Read(make([]byte, 1))
		return err
	}
	write := func(c net.Conn) error {
		_, err := c.Write(make([]byte, bufferSize+1))
		return err
	}
	tests := []struct {
		name  string
		call  func(net.Conn) error
		close func(own, peer net.Conn) error
		want  error
	}{
		{"read, own end", read, func(own, _ net.Conn) error { return own.Close() }, net.ErrClosed},
		{"read, peer", read, func(_, peer net.Conn) error { return peer.Close() }, io.EOF},
		{"write, own end", write, func(own, _ net.Conn) error { return own.Close() }, net.ErrClosed},
		{"write, peer", write, func(_, peer net.Conn) error { return peer.Close() }, io.ErrClosedPipe},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, b := pair(t)
				var calls sync.WaitGroup
				for range 3 { // one has the turn, two wait for it
					calls.Go(func() {
						if err := tt.call(a); !errors.Is(err, tt.want) {
							t.Errorf("error %v, want %v", err, tt.want)
						}
					})
				}
				synctest.Wait()
				tt.close(a, b)
				calls.Wait()
			})
		})
	}
}

func TestDeadlineEndsWhatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, _ := pair(t)
		start := time.Now()
		a.SetReadDeadline(start.Add(30 * time.Second))
		a.SetWriteDeadline(start.Add(20 * time.Second))

		n, err := a.Write(make([]byte, 2*bufferSize))
		if n != bufferSize || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Write = %d, %v; want %d, os.ErrDeadlineExceeded", n, err, bufferSize)
		}
		if got := time.Since(start); got != 20*time.Second {
			t.Errorf("Write returned after %v, want 20s", got)
		}
		_, err = a.Read(make([]byte, 1))
		if netErr, ok := errors.AsType[net.Error](err); !ok || !netErr.Timeout() {
			t.Errorf("Read: %v, want a net.Error that is a timeout", err)
		}
		if got := time.Since(start); got != 30*time.Second {
			t.Errorf("Read returned after %v, want 30s", got)
		}
	})
}

func TestDeadlineMovedWhileWaiting(t *testing.T) {
	tests := []struct {
		name        string
		first, then time.Duration // after the start; 0 means none
		want        time.Duration
	}{
		{"none, then one", 0, 5 * time.Second, 5 * time.Second},
		{"put off", 2 * time.Second, 5 * time.Second, 5 * time.Second},
		{"brought forward", 50 * time.Second, 5 * time.Second, 5 * time.Second},
		{"into the past", 50 * time.Second, -time.Second, time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, _ := pair(t)
				start := time.Now()
				if tt.first != 0 {
					a.SetDeadline(start.Add(tt.first))
				}
				time.AfterFunc(time.Second, func() { a.SetDeadline(start.Add(tt.then)) })
				_, err := a.Read(make([]byte, 1))
				if got := time.Since(start); got != tt.want || !errors.Is(err, os.ErrDeadlineExceeded) {
					t.Errorf("Read: %v after %v; want os.ErrDeadlineExceeded after %v", err, got, tt.want)
				}
			})
		})
	}
}

func TestDeadlinePassedHoldsUntilItIsMoved(t *testing.T) {
	a, b := pair(t)
	fmt.Fprint(b, "x")
	a.SetDeadline(time.Unix(1, 0))
	if _, err := a.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("Read with a byte buffered: %v, want os.ErrDeadlineExceeded", err)
	}
	if n, err := a.Write([]byte("x")); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("Write with room left = %d, %v; want 0, os.ErrDeadlineExceeded", n, err)
	}
	a.SetDeadline(time.Time{})
	if n, err := a.Read(make([]byte, 1)); n != 1 || err != nil {
		t.Errorf("Read after the deadline was taken away = %d, %v; want 1, nil", n, err)
	}
}

func TestMovingBytesDoesNotAllocate(t *testing.T) {
	a, b := pair(t)
	message := make([]byte, 1000)
	allocs := testing.AllocsPerRun(1000, func() {
		a.Write(message)
		b.Read(message)
	})
	if allocs != 0 {
		t.Errorf("%v allocations for a write and a read, want 0", allocs)
	}
}

func BenchmarkThroughput(b *testing.B) {
	for _, size := range []int{128, 4 << 10, 64 << 10} {
		b.Run(fmt.Sprintf("payload=%dB", size), func(b *testing.B) {
			from, to := pair(b)
			b.ReportAllocs()
			b.SetBytes(int64(size))
			var reader sync.WaitGroup
			reader.Go(func() { io.Copy(io.Discard, to) })
			message := make([]byte, size)
			for b.Loop() {
				from.Write(message)
			}
			from.Close()
			reader.Wait()
		})
	}
}

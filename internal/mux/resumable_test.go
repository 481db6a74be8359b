package mux_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"switchboard/internal/memnet"
	"switchboard/internal/mux"
)

const patience = 2 * time.Second

// A resumed is a service's end and an app server's end of one stream, over WebSockets in memory
// that can be cut.
type resumed struct {
	t        *testing.T
	service  *mux.Resumable // there when the app server's end is
	caller   *mux.Resumable
	listener *memnet.Listener
	client   *http.Client

	mu     sync.Mutex
	socket *websocket.Conn // the latest, at the service
	dials  int
	down   bool // no WebSocket is opened
	gone   bool // the service does not know the stream
}

func newResumed(t *testing.T) *resumed {
	r := &resumed{t: t, listener: memnet.Listen()}
	server := &http.Server{Handler: r}
	go server.Serve(r.listener)
	r.client = &http.Client{Transport: &http.Transport{DialContext: r.listener.DialContext}}
	socket, _, err := websocket.Dial(t.Context(), "ws://memnet/", &websocket.DialOptions{HTTPClient: r.client})
	if err != nil {
		t.Fatal(err)
	}
	r.caller = mux.NewResumable(socket, patience, r.redial)
	t.Cleanup(func() {
		r.caller.Abort()
		r.service.Abort()
		r.client.CloseIdleConnections()
		server.Close()
	})
	synctest.Wait()
	return r
}

func (r *resumed) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	r.mu.Lock()
	r.dials++
	down, gone := r.down, r.gone
	r.mu.Unlock()
	peer, err := strconv.ParseInt(request.URL.Query().Get("received"), 10, 64)
	if again := err == nil; !again {
		socket, err := websocket.Accept(w, request, nil)
		if err != nil {
			r.t.Error(err)
		}
		r.service, r.socket = mux.NewResumable(socket, patience, nil), socket
		return
	}
	if down || gone {
		w.WriteHeader(map[bool]int{true: 404, false: 503}[gone])
		return
	}
	epoch, received, err := r.service.Suspend()
	if err != nil {
		w.WriteHeader(404)
		return
	}
	w.Header().Set("received", strconv.FormatInt(received, 10))
	socket, err := websocket.Accept(w, request, nil)
	if err != nil {
		r.t.Error(err)
		return
	}
	r.mu.Lock()
	r.socket = socket
	r.mu.Unlock()
	_ = r.service.Attach(epoch, socket, peer)
}

func (r *resumed) redial(ctx context.Context, received int64) (*websocket.Conn, int64, error) {
	socket, response, err := websocket.Dial(ctx, "ws://memnet/?received="+strconv.FormatInt(received, 10), &websocket.DialOptions{HTTPClient: r.client})
	if err != nil {
		if response != nil && response.StatusCode == 404 {
			return nil, 0, mux.ErrNotResumed
		}
		return nil, 0, err
	}
	peer, err := strconv.ParseInt(response.Header.Get("received"), 10, 64)
	return socket, peer, err
}

func (r *resumed) cut() {
	r.mu.Lock()
	socket := r.socket
	r.mu.Unlock()
	_ = socket.CloseNow()
}

// count returns how many WebSockets there were.
func (r *resumed) count() int {
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.dials
}

func (r *resumed) set(change func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change()
}

// However often the WebSocket breaks off, both ends get what the other one writes, once and in
// order.
func TestResumableLosesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newResumed(t)
		const size = 24 << 20
		random := rand.New(rand.NewPCG(1, 2))
		var work sync.WaitGroup
		for _, way := range []struct{ from, to *mux.Resumable }{{r.service, r.caller}, {r.caller, r.service}} {
			all := make([]byte, size)
			for i := range all {
				all[i] = byte(random.Uint32())
			}
			seed := random.Uint64()
			work.Go(func() {
				sizes := rand.New(rand.NewPCG(seed, 1))
				for rest := all; len(rest) > 0; {
					n := min(len(rest), 1+sizes.IntN(200_000))
					if _, err := way.from.Write(rest[:n]); err != nil {
						t.Error(err)
						return
					}
					rest = rest[n:]
					time.Sleep(time.Duration(sizes.IntN(2000)) * time.Microsecond)
				}
			})
			work.Go(func() {
				got := make([]byte, size)
				if _, err := io.ReadFull(way.to, got); err != nil || !bytes.Equal(got, all) {
					t.Errorf("read: %v, or other bytes", err)
				}
				go io.Copy(io.Discard, way.to) // acknowledgements come on, and the other way needs its WebSockets
			})
		}
		stop := make(chan struct{})
		go func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				case <-time.After(time.Duration(random.IntN(3000)) * time.Microsecond):
				}
				r.cut()
			}
		}()
		work.Wait()
		close(stop)
		synctest.Wait()
		if n := r.count(); n < 20 {
			t.Errorf("only %d WebSockets", n)
		}
	})
}

// read reads to the end, in a goroutine of its own.
func read(s *mux.Resumable) (text func() string, ended <-chan error) {
	var mu sync.Mutex
	var b strings.Builder
	result := make(chan error, 1)
	go func() {
		buffer := make([]byte, 100)
		for {
			n, err := s.Read(buffer)
			mu.Lock()
			b.Write(buffer[:n])
			mu.Unlock()
			if err != nil {
				result <- err
				return
			}
		}
	}()
	return func() string {
		synctest.Wait()
		mu.Lock()
		defer mu.Unlock()
		return b.String()
	}, result
}

func TestResumableEnds(t *testing.T) {
	tests := []struct {
		name    string
		do      func(r *resumed)
		service error         // how the service's end ends; nil: in any way but in good order
		caller  error         // the same of the caller's
		after   time.Duration // until the service's end has ended
	}{
		{"the caller closes", func(r *resumed) { go r.caller.Close() }, io.EOF, nil, 0},
		{"the service closes", func(r *resumed) { go r.service.Close() }, nil, io.EOF, 0},
		{"the service does not come back", func(r *resumed) {
			r.set(func() { r.down = true })
			r.cut()
		}, nil, nil, patience},
		{"the service does not know it", func(r *resumed) {
			r.set(func() { r.gone = true })
			r.cut()
		}, nil, nil, patience},
		{"it is aborted", func(r *resumed) {
			r.service.Abort()
			r.caller.Abort()
		}, nil, nil, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newResumed(t)
				_, service := read(r.service)
				_, caller := read(r.caller)
				synctest.Wait()
				began := time.Now()
				tt.do(r)
				err := <-service
				if took := time.Since(began); took != tt.after {
					t.Errorf("the service's end ended after %v, want %v", took, tt.after)
				}
				if errors.Is(err, io.EOF) != (tt.service == io.EOF) {
					t.Errorf("the service's end: %v", err)
				}
				if err := <-caller; errors.Is(err, io.EOF) != (tt.caller == io.EOF) {
					t.Errorf("the caller's end: %v", err)
				}
				if _, err := r.caller.Write([]byte("x")); err == nil {
					t.Error("something can be written after the end")
				}
				if r.caller.Attached() || r.service.Attached() {
					t.Error("an end says that it has a WebSocket")
				}
			})
		})
	}
}

// What is written while there is no WebSocket comes when there is one again.
func TestResumableWithoutWebSocket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newResumed(t)
		service, ended := read(r.service)
		read(r.caller)
		r.set(func() { r.down = true })
		r.cut()
		synctest.Wait()
		if r.caller.Attached() || r.service.Attached() {
			t.Error("an end says that it has a WebSocket")
		}
		r.caller.Write([]byte("one "))
		r.caller.Write([]byte("two"))
		time.Sleep(time.Second)
		if got := service(); got != "" {
			t.Errorf("came %q", got)
		}
		r.set(func() { r.down = false })
		time.Sleep(300 * time.Millisecond) // the next attempt
		if got := service(); got != "one two" {
			t.Errorf("came %q", got)
		}
		time.Sleep(2 * patience)
		r.caller.Write([]byte(" three"))
		if got := service(); got != "one two three" || len(ended) > 0 {
			t.Errorf("came %q", got)
		}
	})
}

// A WebSocket that the network has lost without a word is replaced.
func TestResumableIsSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newResumed(t)
		read(r.service)
		text, _ := read(r.caller)
		for range 10 {
			time.Sleep(15 * time.Second)
			r.service.Write([]byte("."))
		}
		if n := r.count(); n != 1 {
			t.Errorf("%d WebSockets, want one: something came", n)
		}
		time.Sleep(26 * time.Second)
		if n := r.count(); n != 2 {
			t.Errorf("%d WebSockets, want another one", n)
		}
		r.service.Write([]byte("!"))
		if got := text(); got != "..........!" {
			t.Errorf("came %q", got)
		}
	})
}

// Of two WebSockets that want to go on, the latest does.
func TestResumableIsDisplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newResumed(t)
		service, _ := read(r.service)
		epoch, _, err := r.service.Suspend()
		if err != nil {
			t.Fatal(err)
		}
		read(r.caller) // comes again
		synctest.Wait()
		accepted, _ := webSockets(t)
		if err := r.service.Attach(epoch, accepted, 0); err == nil {
			t.Error("an older WebSocket goes on")
		}
		r.caller.Write([]byte("still here"))
		if got := service(); got != "still here" {
			t.Errorf("came %q", got)
		}
	})
}

// A peer that says that more has come than was sent, or less than before, is not believed.
func TestResumableWithWrongCounts(t *testing.T) {
	for _, count := range []string{"1000", "-1", "x", strings.Repeat("9", 30)} {
		synctest.Test(t, func(t *testing.T) {
			r := newResumed(t)
			_, ended := read(r.service)
			r.caller.Abort() // what comes below goes on in its place
			socket, _, err := websocket.Dial(t.Context(), "ws://memnet/?received=0", &websocket.DialOptions{HTTPClient: r.client})
			if err != nil {
				t.Fatal(err)
			}
			socket.Write(t.Context(), websocket.MessageText, []byte(count))
			if err := <-ended; err == nil || errors.Is(err, io.EOF) {
				t.Errorf("count %q: %v", count, err)
			}
		})
	}
}

// Who writes waits while too much is not known to have come.
func TestResumableIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newResumed(t)
		r.set(func() { r.down = true })
		r.cut()
		read(r.caller)
		synctest.Wait()
		written, done := 0, make(chan error, 1)
		go func() {
			for {
				if _, err := r.caller.Write(make([]byte, 1<<20)); err != nil {
					done <- err
					return
				}
				written++
			}
		}()
		synctest.Wait()
		if written != 4 {
			t.Errorf("%d MiB were taken, want 4", written)
		}
		if err := <-done; err == nil {
			t.Error("no error at the end")
		}
	})
}

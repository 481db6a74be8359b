package websocket_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"switchboard/internal/pairing"
	"switchboard/serviceprotocol"
)

// An app is the server connection of the app server. It keeps what it is sent.
type app struct {
	t        testing.TB
	messages chan serviceprotocol.Message

	mu      sync.Mutex
	limit   int               // Congested when so many bytes are queued; 0: never
	queued  int               // guarded by mu, as is all below
	highest int               // that queued ever was
	waiting []pairing.Resumer // wait for room
}

var _ pairing.Server = (*app)(nil)

func newApp(t testing.TB) *app {
	return &app{t: t, messages: make(chan serviceprotocol.Message, 1<<15)}
}

func (a *app) ID() string       { return "cid" }
func (a *app) ServerID() string { return "app" }

func (a *app) Send(_ context.Context, m serviceprotocol.Message) error { return a.Post(m) }

func (a *app) Post(m serviceprotocol.Message) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if data, ok := m.(*serviceprotocol.ConnectionData); ok { // its sender uses it again
		m = &serviceprotocol.ConnectionData{ConnectionID: data.ConnectionID, Payload: slices.Clone(data.Payload)}
		a.queued += len(data.Payload)
		a.highest = max(a.highest, a.queued)
	}
	a.messages <- m
	return nil
}

func (a *app) Congested(r pairing.Resumer) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.limit == 0 || a.queued < a.limit {
		return false
	}
	if slices.Contains(a.waiting, r) {
		a.t.Error("a client waits for room twice")
	}
	a.waiting = append(a.waiting, r)
	return true
}

// congest makes the app server congested at once, or when so many more bytes
// have come.
func (a *app) congest(more int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.queued = 0
	a.highest = 0
	a.limit = max(more, 1)
	if more == 0 {
		a.queued = 1
	}
}

// drain makes room and resumes who waits for it. It tells how many did.
func (a *app) drain() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.queued = 0
	n := len(a.waiting)
	for _, r := range a.waiting {
		r.Resume() // with the lock held, as mux does
	}
	a.waiting = nil
	return n
}

func (a *app) waits() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.waiting)
}

// next returns the next message as text: "open protocol" for an OpenConnection,
// the payload of a ConnectionData, "closed error" for a CloseConnection.
func (a *app) next() string {
	a.t.Helper()
	return describe(next(a.t, a.messages, "a message for the app server"))
}

func describe(m serviceprotocol.Message) string {
	switch m := m.(type) {
	case *serviceprotocol.OpenConnection:
		return "open " + m.Protocol
	case *serviceprotocol.ConnectionData:
		return string(m.Payload)
	case *serviceprotocol.CloseConnection:
		return "closed " + m.Error
	}
	return m.Type().String()
}

// drop reads until what comes ends with last, and returns all of it.
func (a *app) drop(last string) (got string) {
	a.t.Helper()
	for !strings.HasSuffix(got, last) {
		got += a.next()
	}
	return got
}

// expect reads until exactly want has come, in one message or several.
func (a *app) expect(want string) {
	a.t.Helper()
	for timeout := time.After(bound); want != ""; {
		select {
		case m := <-a.messages:
			got := describe(m)
			rest, ok := strings.CutPrefix(want, got)
			if !ok {
				a.t.Fatalf("app server got %s, want %s", short(got), short(want))
			}
			want = rest
		case <-timeout:
			a.t.Fatalf("app server got nothing more, want %s", short(want))
		}
	}
}

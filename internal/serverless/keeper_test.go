package serverless_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"switchboard/internal/pairing"
	"switchboard/internal/serverless"
	"switchboard/serviceprotocol"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A hub notes what the stand-in does, with the second at which it does it.
type hub struct {
	start time.Time
	mu    sync.Mutex
	did   []string
}

func (h *hub) FromServer(_ context.Context, _ pairing.Server, m serviceprotocol.Message) error {
	data := m.(*serviceprotocol.ConnectionData)
	h.note("%s gets %q", data.ConnectionID, data.Payload)
	return nil
}

func (h *hub) CloseClient(id string, reason *pairing.Reason, _ string) {
	h.note("%s closed: %s", id, reason)
}

func (h *hub) note(format string, args ...any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.did = append(h.did, fmt.Sprintf("%2.0f ", time.Since(h.start).Seconds())+fmt.Sprintf(format, args...))
}

// expect compares what was done since the last call.
func (h *hub) expect(t *testing.T, want ...string) {
	t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	defer func() { h.did = nil }()
	if got := strings.Join(h.did, "\n"); got != strings.Join(want, "\n") {
		t.Errorf("the stand-in did\n%s\nwant\n%s", got, strings.Join(want, "\n"))
	}
}

func open(t *testing.T, r *serverless.Responder, id, protocol string) {
	t.Helper()
	for _, m := range []serviceprotocol.Message{
		&serviceprotocol.OpenConnection{ConnectionID: id, Protocol: protocol},
		&serviceprotocol.ConnectionData{ConnectionID: id, Payload: []byte("handshake\x1e")},
	} {
		if err := r.Send(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
}

func TestTrapT5KeepAliveDependsOnWhatIsSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var keeper serverless.Keeper
		h := &hub{start: time.Now()}
		r := keeper.Add(h)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); keeper.Run(ctx) }()

		open(t, r, "silent", "json")
		time.Sleep(32 * time.Second)
		synctest.Wait()
		h.expect(t, ` 0 silent gets "{}\x1e"`, `15 silent gets "{\"type\":6}\x1e"`, `30 silent gets "{\"type\":6}\x1e"`, "31 silent closed: ping_timeout")

		open(t, r, "lively", "messagepack")
		for range 3 {
			time.Sleep(20 * time.Second)
			_ = r.Send(ctx, &serviceprotocol.ConnectionData{ConnectionID: "lively", Payload: []byte("\x02\x91\x06")})
		}
		synctest.Wait()
		h.expect(t, `32 lively gets "{}\x1e"`, `47 lively gets "\x02\x91\x06"`, `62 lively gets "\x02\x91\x06"`, `77 lively gets "\x02\x91\x06"`, `92 lively gets "\x02\x91\x06"`)

		_ = r.Send(ctx, &serviceprotocol.CloseConnection{ConnectionID: "lively"})
		time.Sleep(time.Minute)
		synctest.Wait()
		h.expect(t) // it is forgotten
		cancel()
		<-done
	})
}

func TestBadClients(t *testing.T) {
	tests := []struct{ name, protocol, sends, want string }{
		{"bytes that are no message", "json", "garbage\x1e", "bad_message"},
		{"a length prefix without end", "messagepack", "\xff\xff\xff\xff\xff\xff", "bad_message"},
		{"a message without end", "json", strings.Repeat("x", 2<<20), "message_too_large"},
		{"a call", "json", `{"type":1,"target":"t","arguments":[]}` + "\x1e", "no_server"},
		{"a stream", "messagepack", "\x0d\x95\x04\x80\xa1\x33\xa5Count\x91\x05", "no_server"},
		{"a goodbye", "messagepack", "\x03\x92\x07\xc0", "closed_by_client"},
		{"an unknown protocol", "own", "", "handshake_error"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := &hub{start: time.Now()}
			r := serverless.New(h)
			open(t, r, "c", tt.protocol)
			if tt.sends != "" {
				for _, part := range []string{tt.sends[:1], tt.sends[1:]} {
					if err := r.Send(t.Context(), &serviceprotocol.ConnectionData{ConnectionID: "c", Payload: []byte(part)}); err != nil {
						t.Fatal(err)
					}
				}
			}
			if got := h.did[len(h.did)-1]; got != " 0 c closed: "+tt.want {
				t.Errorf("last = %q, want it closed: %s", got, tt.want)
			}
		})
	}
}

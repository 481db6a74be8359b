package appserver_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"switchboard/appserver"
	"switchboard/hubprotocol"
	"switchboard/serviceprotocol"
)

// asks calls a client of another app server and returns what comes of it.
func (a *testApp) asks(ctx context.Context, t *testing.T) (id string, answer <-chan error) {
	t.Helper()
	result := make(chan error, 1)
	go func() {
		n, err := appserver.Invoke[int](ctx, a.hub.Clients().Client("far"), "Ask", "?")
		if err == nil && n != 42 {
			err = errors.New("another number")
		}
		result <- err
	}()
	m, ok := a.conn.next(t).(*serviceprotocol.ClientInvocation)
	if !ok || m.ConnectionID != "far" || m.CallerServerID != "me" || m.InvocationID == "" {
		t.Fatalf("sent %+v", m)
	}
	for _, payload := range m.Payloads {
		p, _ := hubprotocol.ByName(payload.Protocol)
		message, _, err := p.Split(payload.Data, 0)
		if err != nil {
			t.Fatal(err)
		}
		call, err := p.Parse(message)
		if got, ok := call.(*hubprotocol.Invocation); err != nil || !ok || got.InvocationID != m.InvocationID || got.Target != "Ask" {
			t.Errorf("%s: %+v, %v", payload.Protocol, call, err)
		}
	}
	if len(m.Payloads) != 2 {
		t.Errorf("%d payloads, want one for each protocol", len(m.Payloads))
	}
	return m.InvocationID, result
}

func TestResultOfAClientOfAnotherAppServer(t *testing.T) {
	completion := func(p hubprotocol.Protocol, m *hubprotocol.Completion) func(a *testApp, t *testing.T, id string) {
		return func(a *testApp, t *testing.T, id string) {
			m.InvocationID = id
			payload, err := p.Append(nil, m)
			if err != nil {
				t.Fatal(err)
			}
			a.conn.send(t, &serviceprotocol.ServiceMapping{InvocationID: id, ConnectionID: "far", InstanceID: "node"})
			a.conn.send(t, &serviceprotocol.ClientCompletion{InvocationID: id, ConnectionID: "far", CallerServerID: "me", Protocol: p.Name(), Payload: payload})
		}
	}
	gone := func(err error) bool { return errors.Is(err, appserver.ErrClientGone) }
	tests := []struct {
		name string
		do   func(a *testApp, t *testing.T, id string)
		want func(error) bool
	}{
		{"JSON", completion(hubprotocol.JSON, &hubprotocol.Completion{Result: []byte("42"), HasResult: true}), func(err error) bool { return err == nil }},
		{"MessagePack", completion(hubprotocol.MessagePack, &hubprotocol.Completion{Result: []byte{42}, HasResult: true}), func(err error) bool { return err == nil }},
		{"its method fails", completion(hubprotocol.JSON, &hubprotocol.Completion{Error: "no", HasError: true}), func(err error) bool {
			refusal, ok := errors.AsType[*appserver.HubError](err)
			return ok && refusal.Message == "no"
		}},
		{"wrong type", completion(hubprotocol.JSON, &hubprotocol.Completion{Result: []byte(`"x"`), HasResult: true}), func(err error) bool { return err != nil && !gone(err) }},
		{"it is gone", func(a *testApp, t *testing.T, id string) {
			a.conn.send(t, &serviceprotocol.ErrorCompletion{InvocationID: id, ConnectionID: "far", CallerServerID: "me", Error: "Connection 'far' is disconnected."})
		}, gone},
		{"its service instance is gone", func(a *testApp, t *testing.T, id string) {
			a.conn.send(t, &serviceprotocol.Ping{Messages: []string{"offline", "node"}}) // not known yet to have it
			a.conn.send(t, &serviceprotocol.ServiceMapping{InvocationID: id, ConnectionID: "far", InstanceID: "node"})
			a.conn.send(t, &serviceprotocol.Ping{Messages: []string{"offline", "other"}})
			a.conn.send(t, &serviceprotocol.Ping{Messages: []string{"offline", "node"}})
		}, gone},
		{"it does not answer", func(a *testApp, t *testing.T, id string) { time.Sleep(time.Minute) },
			func(err error) bool { return errors.Is(err, context.DeadlineExceeded) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				a := startWith(t, newFakeService(t), appserver.Config{ServerConnections: 1, ServerID: "me"}, newResultHub())
				ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
				defer cancel()
				id, result := a.asks(ctx, t)
				tt.do(a, t, id)
				if err := receive(t, result, "result"); !tt.want(err) {
					t.Errorf("got %v", err)
				}
				a.conn.send(t, &serviceprotocol.ClientCompletion{InvocationID: id, ConnectionID: "far", Protocol: "json", Payload: []byte("late")})
				a.conn.quiet(t)
			})
		})
	}
}

// Another app server calls a client of this one.
func TestResultForAnotherAppServer(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := startWith(t, newFakeService(t), appserver.Config{ServerConnections: 1, ServerID: "me"}, newResultHub())
		c := a.conn.connect(t, "c1")
		a.conn.send(t, &serviceprotocol.ClientInvocation{InvocationID: "theirs", ConnectionID: "c1", CallerServerID: "they"})
		c.send(t, answered("nobody's", "1"), answered("theirs", `{"a":1}`), answered("theirs", "2"))
		a.conn.want(t, &serviceprotocol.ClientCompletion{InvocationID: "theirs", ConnectionID: "c1", CallerServerID: "me", Protocol: "json",
			Payload: []byte(answered("theirs", `{"a":1}`) + "\x1e")})
		a.conn.send(t, &serviceprotocol.ClientInvocation{InvocationID: "theirs", ConnectionID: "c2", CallerServerID: "they"})
		a.conn.want(t, &serviceprotocol.ErrorCompletion{InvocationID: "theirs", ConnectionID: "c2", CallerServerID: "me", Error: "Connection 'c2' does not exist."})
		a.conn.quiet(t)
	})
}

package appserver_test

import (
	"context"
	"fmt"
	"math"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"switchboard/appserver"
	"switchboard/hubprotocol"
	"switchboard/serviceprotocol"
)

type echoHub struct{}

func (echoHub) Echo(text string) string { return text }

// chatHub has a method of each kind.
type chatHub struct {
	release chan struct{} // lets Wait return
	running atomic.Int32  // calls of Wait that have not returned
}

type point struct {
	X, Y int
	Note string `json:"note,omitempty"`
}

// An operationError has a name of its own for clients.
type operationError struct{}

func (operationError) Error() string     { return "not now" }
func (operationError) ErrorType() string { return "InvalidOperationException" }

func (*chatHub) Add(_ context.Context, a, b int) int     { return a + b }
func (*chatHub) Void()                                   {}
func (*chatHub) Nothing(*appserver.Context) error        { return nil }
func (*chatHub) Null(*appserver.Context) (*point, error) { return nil, nil }
func (*chatHub) Mirror(p point, also []point) []point    { return append(also, p) }
func (*chatHub) Anything(v any) any                      { return v }
func (*chatHub) Fail(*appserver.Context) (int, error)    { return 7, errPlain }
func (*chatHub) Named() error                            { return fmt.Errorf("named: %w", operationError{}) }
func (*chatHub) Refuse(why string) error {
	return fmt.Errorf("wrapped: %w", appserver.Errorf("no %s", why))
}
func (*chatHub) Panic()                         { panic("at the disco") }
func (*chatHub) NotANumber() float64            { return math.NaN() }
func (*chatHub) Goodbye(ctx *appserver.Context) { ctx.Abort() }
func (h *chatHub) WaitForRelease(ctx *appserver.Context, n int) int {
	h.running.Add(1)
	defer h.running.Add(-1)
	select {
	case <-h.release:
	case <-ctx.Done():
	}
	return n
}

func (*chatHub) Greet(ctx *appserver.Context) (string, error) {
	for _, word := range []string{"one", "two"} {
		if err := ctx.Clients().Caller().Send(ctx, "say", word); err != nil {
			return "", err
		}
	}
	return "three", nil
}

func invoke(id, target, arguments string) string {
	return fmt.Sprintf(`{"type":1,"invocationId":"%s","target":"%s","arguments":[%s]}`, id, target, arguments)
}

func TestCallAnswers(t *testing.T) {
	const (
		failed     = `{"type":3,"invocationId":"1","error":"Failed to invoke '%s' due to an error on the server.%s"}`
		unexpected = `{"type":3,"invocationId":"1","error":"An unexpected error occurred invoking '%s' on the server.%s"}`
		mismatch   = " InvalidDataException: Error binding arguments. Make sure that the types of the provided values match the types of the hub method being invoked."
	)
	result := func(json string) string { return `{"type":3,"invocationId":"1","result":` + json + `}` }
	tests := []struct{ name, send, want, wantDetailed string }{
		{"value", invoke("1", "Add", "40,2"), result("42"), ""},
		{"name in lower case", invoke("1", "add", "40,2"), result("42"), ""},
		{"name in another case", invoke("1", "aDD", "40,2"), result("42"), ""},
		{"void is null", invoke("1", "Void", ""), result("null"), ""},
		{"nil error is null", invoke("1", "Nothing", ""), result("null"), ""},
		{"nil pointer is null", invoke("1", "Null", ""), result("null"), ""},
		{"structs", invoke("1", "Mirror", `{"x":1,"Y":2},[{"note":"a<b"}]`), result(`[{"X":0,"Y":0,"note":"a<b"},{"X":1,"Y":2}]`), ""},
		{"any", invoke("1", "Anything", `{"a":[1,null]}`), result(`{"a":[1,null]}`), ""},
		{"no such method", invoke("1", "Nope", ""), fmt.Sprintf(failed, "Nope", " HubException: Method does not exist."), ""},
		{"hooks are not methods", invoke("1", "OnConnected", ""), fmt.Sprintf(failed, "OnConnected", " HubException: Method does not exist."), ""},
		{"too few arguments", invoke("1", "add", "1"), fmt.Sprintf(failed, "add", ""),
			fmt.Sprintf(failed, "add", " InvalidDataException: Invocation provides 1 argument(s) but target expects 2.")},
		{"too many arguments", invoke("1", "Void", "1"), fmt.Sprintf(failed, "Void", ""),
			fmt.Sprintf(failed, "Void", " InvalidDataException: Invocation provides 1 argument(s) but target expects 0.")},
		{"wrong type", invoke("1", "Add", `1,"2"`), fmt.Sprintf(failed, "Add", ""), fmt.Sprintf(failed, "Add", mismatch)},
		{"error", invoke("1", "Fail", ""), fmt.Sprintf(unexpected, "Fail", ""), fmt.Sprintf(unexpected, "Fail", " Error: database is on fire")},
		{"error with a name", invoke("1", "Named", ""), fmt.Sprintf(unexpected, "Named", ""),
			fmt.Sprintf(unexpected, "Named", " InvalidOperationException: named: not now")},
		{"hub error", invoke("1", "Refuse", `"dogs"`), fmt.Sprintf(unexpected, "Refuse", " HubException: no dogs"), ""},
		{"panic", invoke("1", "Panic", ""), fmt.Sprintf(unexpected, "Panic", ""), fmt.Sprintf(unexpected, "Panic", " Panic: at the disco")},
		{"result that cannot be encoded", invoke("1", "NotANumber", ""), fmt.Sprintf(unexpected, "NotANumber", ""),
			fmt.Sprintf(unexpected, "NotANumber", " Error: result: encode JSON value: json: unsupported value: NaN")},
		{"plain method called as a stream", `{"type":4,"invocationId":"1","target":"Void","arguments":[]}`,
			`{"type":3,"invocationId":"1","error":"The client attempted to invoke the non-streaming 'Void' method with a streaming invocation."}`, ""},
		{"unknown method called as a stream", `{"type":4,"invocationId":"1","target":"Nope","arguments":[]}`,
			fmt.Sprintf(failed, "Nope", " HubException: Method does not exist."), ""},
		{"upload", `{"type":1,"invocationId":"1","target":"Void","arguments":[],"streamIds":["2"]}`,
			fmt.Sprintf(unexpected, "Void", " HubException: Client sent 1 stream(s), Hub method expects 0."), ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				c := start(t, &chatHub{}).conn.connect(t, "c1")
				c.send(t, tt.send)
				c.want(t, tt.want)
			})
		})
		if tt.wantDetailed == "" {
			tt.wantDetailed = tt.want
		}
		t.Run(tt.name+", detailed", func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				c := start(t, &chatHub{}, detailed).conn.connect(t, "c1")
				c.send(t, tt.send)
				c.want(t, tt.wantDetailed)
			})
		})
	}
}

func TestCallMessagePack(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := start(t, &chatHub{}, detailed)
		c := a.conn.open(t, &serviceprotocol.OpenConnection{ConnectionID: "c1", Protocol: "messagepack"})
		c.want(t, `{}`)
		raw := func(v any) []byte { return value(hubprotocol.MessagePack, v) }
		check := func(call *hubprotocol.Invocation, want *hubprotocol.Completion) {
			t.Helper()
			call.InvocationID, want.InvocationID = "1", "1"
			c.sendBytes(t, encode(hubprotocol.MessagePack, call))
			a.conn.want(t, &serviceprotocol.ConnectionData{ConnectionID: "c1", Payload: encode(hubprotocol.MessagePack, want)})
		}
		check(&hubprotocol.Invocation{Target: "Add", Arguments: [][]byte{raw(40), raw(2)}}, &hubprotocol.Completion{Result: raw(42), HasResult: true})
		check(&hubprotocol.Invocation{Target: "void"}, &hubprotocol.Completion{Result: raw(nil), HasResult: true})
		check(&hubprotocol.Invocation{Target: "Add", Arguments: [][]byte{raw(40), raw("2")}}, &hubprotocol.Completion{
			HasError: true, Error: "Failed to invoke 'Add' due to an error on the server. InvalidDataException: Error binding argument 1." +
				" Make sure that the types of the provided values match the types of the hub method being invoked."})
	})
}

func TestCallWithoutAnswer(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := start(t, &chatHub{})
		c := a.conn.connect(t, "c1")
		c.send(t, `{"type":1,"target":"Add","arguments":[1,2]}`, `{"type":1,"target":"Nope","arguments":[]}`, `{"type":1,"target":"Panic","arguments":[]}`)
		a.conn.quiet(t)
		c.send(t, invoke("1", "Add", "1,2"))
		c.want(t, `{"type":3,"invocationId":"1","result":3}`)
	})
}

// What a client may be told and what the operator has to know are two things.
func TestCallFailuresAreLogged(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := start(t, &chatHub{})
		c := a.conn.connect(t, "c1")
		c.send(t, invoke("1", "Fail", ""), invoke("2", "Panic", ""))
		c.want(t, `{"type":3,"invocationId":"1","error":"An unexpected error occurred invoking 'Fail' on the server."}`)
		c.want(t, `{"type":3,"invocationId":"2","error":"An unexpected error occurred invoking 'Panic' on the server."}`)
		for _, want := range []string{"database is on fire", "at the disco", "chatHub).Panic"} {
			if !strings.Contains(a.log.String(), want) {
				t.Errorf("log does not say %q:\n%s", want, a.log)
			}
		}
	})
}

// Trap T11: what is sent to the caller during a call arrives before its answer.
func TestTrapT11SendsToCallerPrecedeCompletion(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := start(t, &chatHub{})
		c := a.conn.connect(t, "c1")
		c.send(t, invoke("1", "Greet", ""))
		for _, word := range []string{"one", "two"} {
			frame := `{"type":1,"target":"say","arguments":["` + word + `"]}` + "\x1e"
			a.conn.want(t, &serviceprotocol.MultiConnectionData{ConnectionIDs: []string{"c1"},
				Payloads: serviceprotocol.Payloads{{Protocol: "json", Data: []byte(frame)}}})
		}
		c.want(t, `{"type":3,"invocationId":"1","result":"three"}`)
	})
}

func TestCallsOfOneClientRunInOrder(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := &chatHub{release: make(chan struct{})}
		a := start(t, h)
		c := a.conn.connect(t, "c1")
		other := a.conn.connect(t, "c2")
		for n := range 5 {
			c.send(t, invoke(fmt.Sprint(n), "WaitForRelease", fmt.Sprint(n)), `{"type":6}`)
		}
		other.send(t, invoke("x", "Add", "1,2"))
		other.want(t, `{"type":3,"invocationId":"x","result":3}`)
		for n := range 5 {
			synctest.Wait()
			if running := h.running.Load(); running != 1 {
				t.Fatalf("%d calls run at once, want 1", running)
			}
			h.release <- struct{}{}
			c.want(t, fmt.Sprintf(`{"type":3,"invocationId":"%d","result":%d}`, n, n))
		}
	})
}

func TestParallelCallsOfOneClient(t *testing.T) {
	for _, together := range []bool{true, false} {
		t.Run(fmt.Sprintf("in one payload=%v", together), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				h := &chatHub{release: make(chan struct{})}
				a := start(t, h, func(c *appserver.HubConfig) { c.MaximumParallelInvocationsPerClient = 3 })
				c := a.conn.connect(t, "c1")
				var calls []string
				for n := range 5 {
					calls = append(calls, invoke(fmt.Sprint(n), "WaitForRelease", "0"))
				}
				if together {
					c.send(t, calls...)
				} else {
					for _, call := range calls {
						c.send(t, call)
					}
				}
				for _, want := range []int32{3, 3, 3, 2, 1} {
					synctest.Wait()
					if running := h.running.Load(); running != want {
						t.Fatalf("%d calls run at once, want %d", running, want)
					}
					h.release <- struct{}{}
					a.conn.next(t)
				}
			})
		})
	}
}

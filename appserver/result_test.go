package appserver_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"switchboard/appserver"
	"switchboard/hubprotocol"
	"switchboard/serviceprotocol"
)

// A resultHub asks clients.
type resultHub struct {
	told         chan any
	inOnConnect  bool
	proceed      chan int
	disconnected chan error
}

func newResultHub() *resultHub {
	return &resultHub{told: make(chan any, 100), proceed: make(chan int), disconnected: make(chan error, 10)}
}

func (h *resultHub) OnConnected(ctx *appserver.Context) error {
	if h.inOnConnect {
		_, err := appserver.Invoke[int](ctx, ctx.Clients().Caller(), "Ask")
		h.told <- err
	}
	return nil
}

func (h *resultHub) OnDisconnected(ctx *appserver.Context, _ error) {
	_, err := appserver.Invoke[int](ctx, ctx.Clients().Caller(), "Ask")
	h.disconnected <- err
}

func (h *resultHub) AskCaller(ctx *appserver.Context, question string) (int, error) {
	return appserver.Invoke[int](ctx, ctx.Clients().Caller(), "Ask", question)
}

func (h *resultHub) AskTwice(ctx *appserver.Context) (int, error) {
	a, err := appserver.Invoke[int](ctx, ctx.Clients().Caller(), "Ask", "first")
	if err != nil {
		return 0, err
	}
	b, err := appserver.Invoke[int](ctx, ctx.Clients().Caller(), "Ask", "second")
	return a + b, err
}

func (h *resultHub) AskClient(ctx *appserver.Context, id string) (string, error) {
	return appserver.Invoke[string](ctx, ctx.Clients().Client(id), "Ask")
}

func (h *resultHub) AskShortly(ctx *appserver.Context) error {
	short, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	_, err := appserver.Invoke[int](short, ctx.Clients().Caller(), "Ask")
	h.told <- err
	return nil
}

func (h *resultHub) AskAll(ctx *appserver.Context) error {
	_, err := appserver.Invoke[int](ctx, ctx.Clients().All(), "Ask")
	return err
}

func (h *resultHub) Tell(ctx *appserver.Context) error {
	_, err := appserver.Invoke[struct{}](ctx, ctx.Clients().Caller(), "Ask")
	return err
}

func (h *resultHub) Add(a, b int) int { return a + b }

// Hold waits until the test lets it go on.
func (h *resultHub) Hold() { <-h.proceed }

// asked checks that the client is asked, and returns the id for the answer.
func (c *fakeClient) asked(t testing.TB, arguments string) string {
	t.Helper()
	m, ok := c.conn.next(t).(*serviceprotocol.MultiConnectionData)
	if !ok || len(m.ConnectionIDs) != 1 || m.ConnectionIDs[0] != c.id || len(m.Payloads) != 1 {
		t.Fatalf("got %+v, want a call of %s", m, c.id)
	}
	payload := m.Payloads[0]
	message, err := hubprotocol.JSON.Parse(payload.Data)
	call, ok := message.(*hubprotocol.Invocation)
	if err != nil || !ok || call.Target != "Ask" || call.InvocationID == "" {
		t.Fatalf("client got %s, want a call of Ask with an id", payload.Data)
	}
	if want := `"arguments":[` + arguments + `]`; !strings.Contains(string(payload.Data), want) {
		t.Fatalf("client got %s, want %s in it", payload.Data, want)
	}
	return call.InvocationID
}

func TestClientResults(t *testing.T) {
	const unexpected = "An unexpected error occurred invoking 'AskCaller' on the server."
	tests := []struct{ name, answer, want string }{
		{"result", `"result":42`, answered("1", "42")},
		{"error", `"error":"Client didn't provide a result."`, failedWith("1", unexpected+" HubException: Client didn't provide a result.")},
		{"void", ``, answered("1", "0")},
		{"wrong type", `"result":"text"`, failedWith("1", unexpected)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				c := start(t, newResultHub()).conn.connect(t, "c1")
				c.send(t, invoke("1", "AskCaller", `"what?"`))
				answer := `{"type":3,"invocationId":"` + c.asked(t, `"what?"`) + `"`
				if tt.answer != "" {
					answer += "," + tt.answer
				}
				c.send(t, answer+"}")
				c.want(t, tt.want)
				c.send(t, answer+"}", invoke("2", "Add", "1,2")) // a second answer is nobody's
				c.want(t, answered("2", "3"))
			})
		})
	}
}

func TestClientResultOfWrongTypeInDetail(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c := start(t, newResultHub(), detailed).conn.connect(t, "c1")
		c.send(t, invoke("1", "AskCaller", `"what?"`))
		c.send(t, answered(c.asked(t, `"what?"`), `"text"`))
		c.want(t, failedWith("1", "An unexpected error occurred invoking 'AskCaller' on the server. Error: invoke \\\"Ask\\\": "+
			"Error trying to deserialize result to int. decode JSON value: json: cannot unmarshal string into Go value of type int"))
	})
}

// A call that waits for the client lets the calls behind it run, but those do not
// run beside each other.
func TestTrapT26ClientResultGivesUpItsSlot(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newResultHub()
		c := start(t, h).conn.connect(t, "c1")
		c.send(t, invoke("1", "AskTwice", ""), invoke("2", "Hold", ""), invoke("3", "Add", "1,2"))
		first := c.asked(t, `"first"`)
		c.conn.quiet(t) // 2 runs, and 3 waits for it
		h.proceed <- 1
		c.want(t, answered("2", "null"))
		c.want(t, answered("3", "3"))
		c.send(t, answered(first, "40"), invoke("4", "Hold", ""), invoke("5", "Add", "3,4"))
		second := c.asked(t, `"second"`)
		c.conn.quiet(t) // the second question has no slot to give up: 5 waits for 4
		h.proceed <- 1
		c.want(t, answered("4", "null"))
		c.want(t, answered("5", "7"))
		c.send(t, answered(second, "2"))
		c.want(t, answered("1", "42"))
	})
}

// The answer is read while a call runs, even when it came together with the call.
func TestAnswerBehindACallInOneBatch(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newResultHub()
		a := start(t, h)
		c := a.conn.connect(t, "c1")
		result := make(chan int, 1)
		go func() {
			n, err := appserver.Invoke[int](t.Context(), a.hub.Clients().Client("c1"), "Ask")
			if err != nil {
				t.Error(err)
			}
			result <- n
		}()
		id := c.asked(t, "")
		c.send(t, invoke("1", "Hold", ""), answered(id, "7"))
		if n := receive(t, result, "answer"); n != 7 {
			t.Errorf("got %d, want 7", n)
		}
		h.proceed <- 1
		c.want(t, answered("1", "null"))
	})
}

func TestClientResultFromAnotherClient(t *testing.T) {
	bubble(t, func(t *testing.T) {
		conn := start(t, newResultHub()).conn
		c1, c2 := conn.connect(t, "c1"), conn.connect(t, "c2")
		c1.send(t, invoke("1", "AskClient", `"c2"`))
		id := c2.asked(t, "")
		c1.send(t, answered(id, `"an impostor"`))
		conn.quiet(t)
		c2.send(t, answered(id, `"c2 itself"`))
		c1.want(t, answered("1", `"c2 itself"`))
	})
}

func TestClientResultFailures(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newResultHub()
		f := newFakeService(t)
		f.lonely = true
		c := startWith(t, f, appserver.Config{ServerConnections: 1}, h, detailed).conn.connect(t, "c1")
		const text = "An unexpected error occurred invoking '%s' on the server. "
		c.send(t, invoke("1", "AskClient", `"nobody"`))
		c.want(t, failedWith("1", strings.Replace(text, "%s", "AskClient", 1)+`IOException: invoke \"Ask\": Connection 'nobody' does not exist.`))
		c.send(t, invoke("2", "AskAll", ""))
		c.want(t, failedWith("2", strings.Replace(text, "%s", "AskAll", 1)+`Error: invoke \"Ask\": InvokeAsync only works with Single clients.`))
		c.send(t, invoke("3", "Tell", ""))
		c.send(t, answered(c.asked(t, ""), `{"whatever":1}`))
		c.want(t, answered("3", "null"))
		c.send(t, invoke("4", "AskShortly", ""))
		id := c.asked(t, "")
		if err, _ := receive(t, h.told, "error").(error); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("after a second: %v, want the context's error", err)
		}
		c.want(t, answered("4", "null"))
		c.send(t, answered(id, "1"), invoke("5", "Add", "1,2")) // too late
		c.want(t, answered("5", "3"))
	})
}

func TestClientGoesBeforeItAnswers(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newResultHub()
		a := start(t, h)
		c := a.conn.connect(t, "c1")
		outcome := make(chan error, 1)
		go func() {
			_, err := appserver.Invoke[int](t.Context(), a.hub.Clients().Client("c1"), "Ask")
			outcome <- err
		}()
		c.asked(t, "")
		synctest.Wait()
		a.conn.send(t, &serviceprotocol.CloseConnection{ConnectionID: "c1"})
		err := receive(t, outcome, "error")
		if !errors.Is(err, appserver.ErrClientGone) || !strings.HasSuffix(err.Error(), "Connection 'c1' disconnected.") {
			t.Errorf("got %v, want ErrClientGone", err)
		}
		if err := receive(t, h.disconnected, "error"); !errors.Is(err, appserver.ErrClientGone) {
			t.Errorf("in OnDisconnected: %v, want ErrClientGone", err)
		}
	})
}

func TestClientResultInOnConnected(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newResultHub()
		h.inOnConnect = true
		start(t, h).conn.connect(t, "c1")
		err, _ := receive(t, h.told, "error").(error)
		if err == nil || !strings.HasSuffix(err.Error(), "Client results inside OnConnectedAsync Hub methods are not allowed.") {
			t.Errorf("got %v", err)
		}
	})
}

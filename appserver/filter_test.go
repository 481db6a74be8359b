package appserver_test

import (
	"errors"
	"fmt"
	"iter"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"switchboard/appserver"
	"switchboard/serviceprotocol"
)

// A filteredHub notes what happens, as its filters do.
type filteredHub struct {
	mu    sync.Mutex
	notes []string
}

func (h *filteredHub) note(format string, args ...any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.notes = append(h.notes, fmt.Sprintf(format, args...))
}

func (h *filteredHub) take() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	notes := h.notes
	h.notes = nil
	return notes
}

func (h *filteredHub) OnConnected(*appserver.Context) error           { h.note("connected"); return nil }
func (h *filteredHub) OnDisconnected(_ *appserver.Context, err error) { h.note("disconnected") }
func (h *filteredHub) Add(a, b int) int                               { h.note("Add %d %d", a, b); return a + b }
func (h *filteredHub) Secret() string                                 { return "it is 42" }
func (h *filteredHub) Fail() error                                    { return errPlain }
func (h *filteredHub) Count(n int) iter.Seq[int] {
	return func(yield func(int) bool) {
		for i := 0; i < n && yield(i); i++ {
		}
	}
}

// noting is a filter that notes what it wraps.
func (h *filteredHub) noting(name string) appserver.Filter {
	return appserver.Filter{
		Invoke: func(ctx *appserver.Context, call *appserver.Call, next func() (any, error)) (any, error) {
			h.note("%s: %s %v of %s", name, call.Method, call.Arguments, ctx.ConnectionID())
			value, err := next()
			h.note("%s: %v, %v", name, value, err)
			return value, err
		},
		Connect: func(_ *appserver.Context, next func() error) error {
			h.note("%s: connecting", name)
			return next()
		},
		Disconnect: func(_ *appserver.Context, _ error, next func()) {
			next()
			h.note("%s: gone", name)
		},
	}
}

func TestFilters(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := &filteredHub{}
		a := start(t, h, func(c *appserver.HubConfig) {
			c.Filters = append(c.Filters, h.noting("outer"), appserver.Filter{}, h.noting("inner"))
		})
		c := a.conn.connect(t, "c1")
		c.send(t, invoke("1", "add", "1,2"))
		c.want(t, answered("1", "3"))
		c.send(t, invoke("2", "Fail", ""))
		c.want(t, failedWith("2", "An unexpected error occurred invoking 'Fail' on the server."))
		a.conn.send(t, &serviceprotocol.CloseConnection{ConnectionID: "c1"})
		a.conn.quiet(t)
		want := []string{
			"outer: connecting", "inner: connecting", "connected",
			"outer: Add [1 2] of c1", "inner: Add [1 2] of c1", "Add 1 2", "inner: 3, <nil>", "outer: 3, <nil>",
			"outer: Fail [] of c1", "inner: Fail [] of c1", "inner: <nil>, database is on fire", "outer: <nil>, database is on fire",
			"disconnected", "inner: gone", "outer: gone",
		}
		if got := h.take(); !slices.Equal(got, want) {
			t.Errorf("notes\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	})
}

func TestFilterChangesACall(t *testing.T) {
	invoking := func(f func(call *appserver.Call, next func() (any, error)) (any, error)) appserver.Filter {
		return appserver.Filter{Invoke: func(_ *appserver.Context, call *appserver.Call, next func() (any, error)) (any, error) {
			return f(call, next)
		}}
	}
	const unexpected = "An unexpected error occurred invoking 'Add' on the server."
	tests := []struct {
		name   string
		filter appserver.Filter
		want   string
	}{
		{"arguments", invoking(func(call *appserver.Call, next func() (any, error)) (any, error) {
			call.Arguments = []any{40, call.Arguments[1]}
			return next()
		}), answered("1", "42")},
		{"result", invoking(func(_ *appserver.Call, next func() (any, error)) (any, error) {
			value, err := next()
			return fmt.Sprint(value, "!"), err
		}), answered("1", `"3!"`)},
		{"refusal", invoking(func(*appserver.Call, func() (any, error)) (any, error) { return nil, appserver.Errorf("closed") }),
			failedWith("1", unexpected+" HubException: closed")},
		{"answer of its own", invoking(func(call *appserver.Call, _ func() (any, error)) (any, error) {
			_, ok := call.Hub.(*filteredHub)
			return ok, nil
		}), answered("1", "true")},
		{"wrong argument", invoking(func(call *appserver.Call, next func() (any, error)) (any, error) {
			call.Arguments[0] = "text"
			return next()
		}), failedWith("1", unexpected+" Error: filter of filteredHub.Add: argument 1 is string, want int")},
		{"too few arguments", invoking(func(call *appserver.Call, next func() (any, error)) (any, error) {
			call.Arguments = nil
			return next()
		}), failedWith("1", unexpected+" Error: filter of filteredHub.Add: 0 arguments, want 2")},
		{"panic", invoking(func(*appserver.Call, func() (any, error)) (any, error) { panic("oops") }), failedWith("1", unexpected+" Panic: oops")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				c := start(t, &filteredHub{}, detailed, func(c *appserver.HubConfig) { c.Filters = []appserver.Filter{tt.filter} }).conn.connect(t, "c1")
				c.send(t, invoke("1", "Add", "1,2"))
				c.want(t, tt.want)
			})
		})
	}
}

func TestFilterOfAStream(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var result any
		filter := appserver.Filter{Invoke: func(_ *appserver.Context, _ *appserver.Call, next func() (any, error)) (any, error) {
			stream, err := next()
			if result != nil {
				return result, nil
			}
			return stream, err
		}}
		c := start(t, &filteredHub{}, func(c *appserver.HubConfig) { c.Filters = []appserver.Filter{filter} }).conn.connect(t, "c1")
		c.send(t, streamCall("1", "Count", "1"))
		c.want(t, item("1", "0"))
		c.want(t, streamEnd("1"))
		result = "no stream"
		c.send(t, streamCall("2", "Count", "1"))
		c.want(t, failedWith("2", "The value returned by the streaming method 'Count' is not a ChannelReader<> or IAsyncEnumerable<>."))
	})
}

func TestFilterRefusesAClient(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := &filteredHub{}
		refusing := appserver.Filter{Connect: func(*appserver.Context, func() error) error { return appserver.Errorf("full") }}
		c := start(t, h, func(c *appserver.HubConfig) { c.Filters = []appserver.Filter{refusing} }).conn.connect(t, "c1")
		const text = "Connection closed with an error. HubException: full"
		c.want(t, `{"type":7,"error":"`+text+`"}`)
		c.wantClose(t, text)
		if notes := h.take(); len(notes) > 0 {
			t.Errorf("the hub noted %q", notes)
		}
	})
}

// The filters of all hubs come before those of one, which the others do not get.
func TestFiltersOfAllHubs(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := &filteredHub{}
		defaults := appserver.HubConfig{Filters: append(make([]appserver.Filter, 0, 10), h.noting("all"))}
		f := newFakeService(t)
		a := prepare(t, f, appserver.Config{ServerConnections: 1, HubDefaults: defaults}, h, func(c *appserver.HubConfig) {
			c.Filters = append(c.Filters, h.noting("one"))
		})
		if _, err := a.MapHub("/other", &struct{}{}, func(c *appserver.HubConfig) {
			c.Name = "other"
			c.Filters = append(c.Filters, h.noting("other"))
		}); err != nil {
			t.Fatal(err)
		}
		a.run(t)
		conn := f.next(t)
		if !strings.Contains(conn.request.URL.RawQuery, "hub=filteredhub") {
			conn = f.next(t)
		}
		conn.connect(t, "c1")
		conn.quiet(t)
		if got, want := h.take(), []string{"all: connecting", "one: connecting", "connected"}; !slices.Equal(got, want) {
			t.Errorf("notes %q, want %q", got, want)
		}
	})
}

func TestAllow(t *testing.T) {
	bubble(t, func(t *testing.T) {
		rules := map[string]func(*appserver.Context) bool{
			"Secret": func(ctx *appserver.Context) bool { return ctx.UserID() == "ann" },
			"Count":  func(*appserver.Context) bool { panic("broken rule") },
		}
		conn := start(t, &filteredHub{}, func(c *appserver.HubConfig) { c.Allow = rules }).conn
		ann := conn.open(t, &serviceprotocol.OpenConnection{ConnectionID: "c1", Claims: []serviceprotocol.Claim{{Type: "asrs.s.uid", Value: "ann"}}})
		ann.want(t, "{}")
		ann.send(t, invoke("1", "secret", ""))
		ann.want(t, answered("1", `"it is 42"`))
		ann.send(t, streamCall("2", "Count", "1"))
		ann.want(t, failedWith("2", "Failed to invoke 'Count' because user is unauthorized"))
		bob := conn.connect(t, "c2")
		bob.send(t, invoke("1", "secret", ""))
		bob.want(t, failedWith("1", "Failed to invoke 'secret' because user is unauthorized"))
		bob.send(t, invoke("2", "Add", "1,2"))
		bob.want(t, answered("2", "3"))
	})
}

func TestAllowOfNoMethod(t *testing.T) {
	app, err := appserver.New(appserver.Config{ConnectionString: "Endpoint=http://x;AccessKey=k;Version=1.0;"})
	if err != nil {
		t.Fatal(err)
	}
	_, err = app.MapHub("/x", &filteredHub{}, func(c *appserver.HubConfig) {
		c.Allow = map[string]func(*appserver.Context) bool{"Secrets": nil}
	})
	if err == nil || !strings.Contains(err.Error(), "a rule of Allow is for Secrets, which is no method of the hub") {
		t.Errorf("got %v", err)
	}
}

func TestAuthorize(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var answer error
		config := appserver.Config{ServerConnections: 1, Identify: func(*http.Request) (appserver.Identity, error) {
			return appserver.Identity{UserID: "ann"}, nil
		}}
		a := startWith(t, newFakeService(t), config, &filteredHub{}, func(c *appserver.HubConfig) {
			c.Authorize = func(r *http.Request, identity appserver.Identity) error {
				if identity.UserID != "ann" || r.URL.Path != "/chat/negotiate" {
					t.Errorf("asked for %q at %s", identity.UserID, r.URL)
				}
				return answer
			}
		})
		for _, tt := range []struct {
			err    error
			status int
		}{{nil, 200}, {errors.New("not today"), 403}, {&appserver.HTTPError{Status: 401}, 401}} {
			answer = tt.err
			if got := a.negotiate("/chat/negotiate").Code; got != tt.status {
				t.Errorf("%v: status %d, want %d", tt.err, got, tt.status)
			}
		}
	})
}

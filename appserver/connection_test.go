package appserver_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"switchboard/appserver"
	"switchboard/hubprotocol"
	"switchboard/serviceprotocol"
)

// eventHub records what happens to its clients.
type eventHub struct {
	chat      *chatHub
	events    chan string
	onConnect func(*appserver.Context) error
}

func newEventHub() *eventHub {
	return &eventHub{chat: &chatHub{release: make(chan struct{})}, events: make(chan string, 100)}
}

func (h *eventHub) Note(text string)                { h.events <- "note " + text }
func (h *eventHub) Wait(ctx *appserver.Context) int { return h.chat.WaitForRelease(ctx, 1) }
func (h *eventHub) Goodbye(ctx *appserver.Context)  { ctx.Abort() }
func (h *eventHub) OnDisconnected(ctx *appserver.Context, err error) {
	h.events <- fmt.Sprintf("disconnected %s: %v", ctx.ConnectionID(), err)
	if ctx.Err() != nil {
		h.events <- "context of OnDisconnected is done"
	}
	_ = ctx.Clients().Others().Send(ctx, "left", ctx.ConnectionID())
}

func (h *eventHub) OnConnected(ctx *appserver.Context) error {
	h.events <- "connected " + ctx.ConnectionID()
	if h.onConnect != nil {
		return h.onConnect(ctx)
	}
	return nil
}

func (h *eventHub) want(t *testing.T, want string) {
	t.Helper()
	if got := receive(t, h.events, "event of the hub"); got != want {
		t.Fatalf("hub got %q, want %q", got, want)
	}
}

func TestHooks(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newEventHub()
		a := start(t, h)
		c := a.conn.connect(t, "c1")
		h.want(t, "connected c1")
		c.send(t, `{"type":1,"target":"Note","arguments":["hi"]}`)
		h.want(t, "note hi")
		a.conn.send(t, &serviceprotocol.CloseConnection{ConnectionID: "c1"})
		h.want(t, "disconnected c1: <nil>")
		a.conn.want(t, &serviceprotocol.BroadcastData{ExcludedConnectionIDs: []string{"c1"}, Payloads: calling("left", "c1")})
		a.conn.quiet(t)
		none(t, h.events, "event of the hub")
	})
}

func TestOnConnectedComesBeforeCalls(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h, proceed := newEventHub(), make(chan struct{})
		h.onConnect = func(*appserver.Context) error { <-proceed; return nil }
		a := start(t, h)
		c := a.conn.connect(t, "c1") // clients are connected before OnConnected has returned
		c.send(t, `{"type":1,"target":"Note","arguments":["early"]}`)
		h.want(t, "connected c1")
		none(t, h.events, "event of the hub")
		close(proceed)
		h.want(t, "note early")
	})
}

func TestCallInSamePayloadAsHandshake(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := start(t, &echoHub{})
		a.conn.send(t, &serviceprotocol.OpenConnection{ConnectionID: "c1", Protocol: "json"})
		c := &fakeClient{conn: a.conn, id: "c1"}
		all := `{"protocol":"json","version":1}` + "\x1e" + invoke("1", "Echo", `"hi"`) + "\x1e"
		for _, b := range []byte(all) { // every byte on its own: bytes make a stream
			c.sendBytes(t, []byte{b})
		}
		c.want(t, `{}`)
		c.want(t, `{"type":3,"invocationId":"1","result":"hi"}`)
	})
}

func TestOnConnectedFails(t *testing.T) {
	const base = "Connection closed with an error."
	tests := []struct {
		name      string
		onConnect func(*appserver.Context) error
		configure func(*appserver.HubConfig)
		want      string
	}{
		{"error", func(*appserver.Context) error { return errPlain }, nil, base},
		{"error, detailed", func(*appserver.Context) error { return errPlain }, detailed, base + " Error: database is on fire"},
		{"hub error", func(*appserver.Context) error { return appserver.Errorf("full") }, nil, base + " HubException: full"},
		{"panic", func(*appserver.Context) error { panic("x") }, nil, base},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				h := newEventHub()
				h.onConnect = tt.onConnect
				if tt.configure == nil {
					tt.configure = func(*appserver.HubConfig) {}
				}
				c := start(t, h, tt.configure).conn.connect(t, "c1")
				c.want(t, `{"type":7,"error":"`+tt.want+`"}`)
				c.wantClose(t, tt.want)
				h.want(t, "connected c1")
				none(t, h.events, "event of the hub")
			})
		})
	}
}

func TestDisconnectReasons(t *testing.T) {
	const silent = "Client hasn't sent a message/ping within the configured ClientTimeoutInterval."
	tests := []struct {
		name   string
		end    func(*testing.T, *fakeClient)
		want   string // for the hub
		client string // close message, "" for none
		reason string // for the service, "-" if it is not told
	}{
		{"transport ended", func(t *testing.T, c *fakeClient) {
			c.conn.send(t, &serviceprotocol.CloseConnection{ConnectionID: c.id})
		}, "<nil>", "", "-"},
		{"transport failed", func(t *testing.T, c *fakeClient) {
			c.conn.send(t, &serviceprotocol.CloseConnection{ConnectionID: c.id, Error: "reset"})
		}, "client connection closed: reset", "", "-"},
		{"client says close", func(t *testing.T, c *fakeClient) { c.send(t, `{"type":7}`) }, "<nil>", "", ""},
		{"client says close with an error", func(t *testing.T, c *fakeClient) { c.send(t, `{"type":7,"error":"bye"}`) }, "bye", "", ""},
		{"hub aborts", func(t *testing.T, c *fakeClient) { c.send(t, `{"type":1,"target":"Goodbye","arguments":[]}`) },
			"<nil>", `{"type":7}`, ""},
		{"client falls silent", func(t *testing.T, c *fakeClient) {
			c.send(t, `{"type":6}`)
			for range 31 {
				time.Sleep(time.Second)
			}
		}, silent, `{"type":7,"error":"Connection closed with an error. OperationCanceledException: ` + silent + `","allowReconnect":true}`,
			"Connection closed with an error. OperationCanceledException: " + silent},
		{"broken message", func(t *testing.T, c *fakeClient) { c.send(t, `{"type":1`) },
			"parse hub message: not well-formed JSON", "*", "*"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				h := newEventHub()
				a := start(t, h, detailed, func(c *appserver.HubConfig) { c.KeepAliveInterval = time.Hour })
				c := a.conn.connect(t, "c1")
				h.want(t, "connected c1")
				tt.end(t, c)
				switch tt.client {
				case "":
				case "*":
					a.conn.next(t)
				default:
					c.want(t, tt.client)
				}
				switch tt.reason {
				case "-":
				case "*":
					a.conn.next(t)
				default:
					c.wantClose(t, tt.reason)
				}
				if got := receive(t, h.events, "event"); tt.client != "*" && got != "disconnected c1: "+tt.want {
					t.Errorf("hub got %q, want %q", got, "disconnected c1: "+tt.want)
				}
				none(t, h.events, "event of the hub")
			})
		})
	}
}

func TestContextEndsWithClient(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newEventHub()
		contexts := make(chan *appserver.Context, 1)
		h.onConnect = func(ctx *appserver.Context) error { contexts <- ctx; return nil }
		a := start(t, h)
		c := a.conn.connect(t, "c1")
		ctx := receive(t, contexts, "context")
		h.want(t, "connected c1")
		c.send(t, `{"type":1,"target":"Wait","arguments":[]}`, `{"type":1,"target":"Note","arguments":["sent before"]}`)
		synctest.Wait()
		if ctx.Err() != nil {
			t.Fatal("context is done while the client is there")
		}
		a.conn.send(t, &serviceprotocol.CloseConnection{ConnectionID: "c1"})
		h.want(t, "note sent before") // and OnDisconnected comes last
		h.want(t, "disconnected c1: <nil>")
		if !errors.Is(ctx.Err(), context.Canceled) || !errors.Is(context.Cause(ctx), net.ErrClosed) {
			t.Errorf("context ended with %v, cause %v; want Canceled, net.ErrClosed", ctx.Err(), context.Cause(ctx))
		}
	})
}

func TestHandshakeFailures(t *testing.T) {
	const broken = "An unexpected error occurred during connection handshake."
	tests := []struct{ name, send, want, wantDetailed string }{
		{"unknown protocol", `{"protocol":"xml","version":1}`, "The protocol 'xml' is not supported.", ""},
		{"version", `{"protocol":"json","version":3}`, "The server does not support version 3 of the 'json' protocol.", ""},
		{"no JSON", `hello`, broken, broken + " InvalidDataException: "},
		{"no protocol", `{"version":1}`, broken, broken + " InvalidDataException: "},
		{"too long", `{"protocol":"json","version":1,"x":"` + strings.Repeat("x", 33000) + `"}`, "Handshake was canceled.", ""},
	}
	for _, tt := range tests {
		for _, detail := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, detailed=%v", tt.name, detail), func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					h := newEventHub()
					a := start(t, h, func(c *appserver.HubConfig) { c.EnableDetailedErrors = detail })
					a.conn.send(t, &serviceprotocol.OpenConnection{ConnectionID: "c1"})
					c := &fakeClient{conn: a.conn, id: "c1"}
					c.send(t, tt.send)
					m := a.conn.next(t).(*serviceprotocol.ConnectionData)
					answer, _, err := hubprotocol.ParseHandshakeResponse(m.Payload)
					if err != nil {
						t.Fatal(err)
					}
					if detail && tt.wantDetailed != "" {
						if !strings.HasPrefix(answer.Error, tt.wantDetailed) {
							t.Errorf("error %q, want it to begin with %q", answer.Error, tt.wantDetailed)
						}
					} else if answer.Error != tt.want {
						t.Errorf("error %q, want %q", answer.Error, tt.want)
					}
					c.wantClose(t, answer.Error)
					none(t, h.events, "event of the hub")
				})
			})
		}
	}
}

func TestHandshakeVersions(t *testing.T) {
	for _, version := range []int{-1, 0, 1, 2} {
		t.Run(fmt.Sprint(version), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				a := start(t, &echoHub{})
				a.conn.send(t, &serviceprotocol.OpenConnection{ConnectionID: "c1"})
				c := &fakeClient{conn: a.conn, id: "c1"}
				c.send(t, fmt.Sprintf(`{"protocol":"JSON","version":%d}`, version))
				c.want(t, `{}`)
			})
		})
	}
}

func TestHandshakeTimeout(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := start(t, newEventHub())
		a.conn.send(t, &serviceprotocol.OpenConnection{ConnectionID: "c1"})
		c := &fakeClient{conn: a.conn, id: "c1"}
		c.sendBytes(t, []byte(`{"protocol":`))
		time.Sleep(14 * time.Second)
		a.conn.quiet(t)
		time.Sleep(2 * time.Second)
		c.want(t, `{"error":"Handshake was canceled."}`)
		c.wantClose(t, "Handshake was canceled.")
	})
}

func TestSupportedProtocols(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := start(t, &echoHub{}, func(c *appserver.HubConfig) {
			c.SupportedProtocols = []hubprotocol.Protocol{hubprotocol.MessagePack}
		})
		a.conn.send(t, &serviceprotocol.OpenConnection{ConnectionID: "c1"})
		c := &fakeClient{conn: a.conn, id: "c1"}
		c.send(t, `{"protocol":"json","version":1}`)
		c.want(t, `{"error":"The protocol 'json' is not supported."}`)
	})
}

func TestMessageSizeLimit(t *testing.T) {
	call := func(size int) string {
		empty := invoke("1", "Echo", `""`) + "\x1e"
		return invoke("1", "Echo", `"`+strings.Repeat("x", size-len(empty))+`"`)
	}
	const tooLarge = "The maximum message size of 32768B was exceeded. The message size can be configured in AddHubOptions."
	tests := []struct {
		name      string
		size      int
		configure func(*appserver.HubConfig)
		want      string // detail of the close message; "" for an answer
	}{
		{"default limit, at it", 32768, detailed, ""},
		{"default limit, over it", 32769, detailed, " InvalidDataException: " + tooLarge},
		{"without details", 32769, func(*appserver.HubConfig) {}, "-"},
		{"no limit", 1 << 20, func(c *appserver.HubConfig) { c.MaximumReceiveMessageSize = -1 }, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				c := start(t, &echoHub{}, tt.configure).conn.connect(t, "c1")
				c.send(t, call(tt.size))
				if tt.want == "" {
					if m := c.conn.next(t).(*serviceprotocol.ConnectionData); !strings.HasPrefix(string(m.Payload), `{"type":3,`) {
						t.Errorf("got %.100q, want an answer", m.Payload)
					}
					return
				}
				text := "Connection closed with an error." + strings.TrimPrefix(tt.want, "-")
				c.want(t, `{"type":7,"error":"`+text+`","allowReconnect":true}`)
				c.wantClose(t, text)
			})
		})
	}
}

// A client whose hub does not keep up cannot fill the memory, and others do not
// notice.
func TestPendingBytesLimit(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newEventHub()
		a := start(t, h, func(c *appserver.HubConfig) { c.MaximumPendingBytesPerClient = 1000 })
		c, other := a.conn.connect(t, "c1"), a.conn.connect(t, "c2")
		h.want(t, "connected c1")
		h.want(t, "connected c2")
		c.send(t, `{"type":1,"target":"Wait","arguments":[]}`)
		for range 20 {
			c.send(t, `{"type":1,"target":"Note","arguments":["more and more and more and more"]}`)
		}
		c.want(t, `{"type":7,"error":"Connection closed with an error.","allowReconnect":true}`)
		c.wantClose(t, "Connection closed with an error.")
		h.want(t, "disconnected c1: The client sends faster than its messages are handled.")
		a.conn.next(t) // what OnDisconnected sends
		other.send(t, `{"type":1,"target":"Note","arguments":["fine"]}`)
		h.want(t, "note fine")
	})
}

// The bound is on what is pending, not on all that a client ever sends.
func TestPendingBytesAreGivenBack(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := start(t, &echoHub{}, func(c *appserver.HubConfig) { c.MaximumPendingBytesPerClient = 200 })
		c := a.conn.connect(t, "c1")
		for range 100 {
			c.send(t, invoke("1", "Echo", `"hi"`))
			c.want(t, `{"type":3,"invocationId":"1","result":"hi"}`)
		}
	})
}

// Trap T5: pings depend on the last ping, not on other traffic.
func TestTrapT5KeepAliveDependsOnWhatIsSent(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := start(t, &echoHub{})
		c := a.conn.connect(t, "c1")
		pings := 0
		for range 60 { // seconds
			time.Sleep(time.Second)
			c.send(t, invoke("1", "Echo", `"x"`))
			synctest.Wait()
			for len(a.conn.received) > 0 {
				if string(a.conn.next(t).(*serviceprotocol.ConnectionData).Payload) == `{"type":6}`+"\x1e" {
					pings++
				}
			}
		}
		if pings < 3 || pings > 4 {
			t.Errorf("%d pings in a busy minute, want one every 15 s", pings)
		}
	})
}

// Trap T6: a client that pings is alive, and is not pinged back.
func TestTrapT6PingIsNotAnswered(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := start(t, &echoHub{})
		c := a.conn.connect(t, "c1")
		for range 100 {
			c.send(t, `{"type":6}`)
		}
		a.conn.quiet(t)
	})
}

// Trap T7: clients give up after 30 s without a message, whatever the hub is set to: by
// default there are two pings in that time.
func TestTrapT7PingsComeInTime(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := start(t, &echoHub{})
		c := a.conn.connect(t, "c1")
		for range 4 {
			begin := time.Now()
			c.want(t, `{"type":6}`)
			if took := time.Since(begin); took > 16*time.Second {
				t.Errorf("a ping after %v, want one every 15 s", took)
			}
			c.send(t, `{"type":6}`)
		}
	})
}

// Trap T3: nothing may precede the answer to the handshake.
func TestNoPingBeforeHandshake(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := start(t, &echoHub{}, func(c *appserver.HubConfig) { c.KeepAliveInterval = time.Second })
		a.conn.send(t, &serviceprotocol.OpenConnection{ConnectionID: "c1"})
		time.Sleep(10 * time.Second)
		a.conn.quiet(t)
	})
}

func TestClientTimeout(t *testing.T) {
	quietKeepAlive := func(c *appserver.HubConfig) { c.KeepAliveInterval = time.Hour }
	t.Run("only once the client has pinged", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			a := start(t, newEventHub(), quietKeepAlive)
			a.conn.connect(t, "c1")
			time.Sleep(5 * time.Minute)
			a.conn.quiet(t)
		})
	})
	t.Run("any message will do", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			a := start(t, newEventHub(), quietKeepAlive)
			c := a.conn.connect(t, "c1")
			c.send(t, `{"type":6}`)
			for range 10 {
				time.Sleep(29 * time.Second)
				c.send(t, `{"type":1,"target":"Note","arguments":["x"]}`)
			}
			a.conn.quiet(t)
			time.Sleep(31 * time.Second)
			c.want(t, `{"type":7,"error":"Connection closed with an error.","allowReconnect":true}`)
			c.wantClose(t, "Connection closed with an error.")
		})
	})
}

func TestConnectionIDUsedAgain(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newEventHub()
		a := start(t, h)
		a.conn.connect(t, "c1")
		h.want(t, "connected c1")
		c := a.conn.open(t, &serviceprotocol.OpenConnection{ConnectionID: "c1"})
		events := []string{receive(t, h.events, "event"), receive(t, h.events, "event")} // of two clients, in any order
		slices.Sort(events)
		if want := []string{"connected c1", "disconnected c1: connection id was used again"}; !slices.Equal(events, want) {
			t.Errorf("hub got %q, want %q", events, want)
		}
		for range 2 { // and so are the answer to the new one and what OnDisconnected sends
			a.conn.next(t)
		}
		c.send(t, `{"type":1,"target":"Note","arguments":["new"]}`)
		h.want(t, "note new")
		if n := a.hub.Stats().Clients; n != 1 {
			t.Errorf("%d clients, want 1", n)
		}
	})
}

func TestShutDown(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newEventHub()
		a := start(t, h)
		c := a.conn.connect(t, "c1")
		h.want(t, "connected c1")
		c.send(t, `{"type":1,"target":"Wait","arguments":[]}`)
		synctest.Wait()
		a.stop()
		c.want(t, `{"type":7,"allowReconnect":true}`)
		c.wantClose(t, "")
		h.want(t, "disconnected c1: <nil>")
		a.conn.next(t) // what OnDisconnected sends still goes out
		<-a.conn.ended
	})
}

func TestShutDownWaitsForCalls(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := &stubbornHub{make(chan struct{})}
		f := newFakeService(t)
		a := prepare(t, f, appserver.Config{ServerConnections: 1}, h)
		ctx, stop := context.WithCancel(t.Context())
		stopped := make(chan error, 1)
		go func() { stopped <- a.Run(ctx) }()
		c := f.next(t).connect(t, "c1")
		c.send(t, `{"type":1,"target":"Hang","arguments":[]}`)
		synctest.Wait()
		began := time.Now()
		stop()
		err := receive(t, stopped, "end of Run")
		if want := "shut down: some hub methods have not returned"; err == nil || err.Error() != want {
			t.Errorf("Run = %v, want %s", err, want)
		}
		if took := time.Since(began); took != 10*time.Second {
			t.Errorf("Run waited %v, want 10s", took)
		}
		close(h.release)
	})
}

type stubbornHub struct{ release chan struct{} }

func (h *stubbornHub) Hang() { <-h.release }

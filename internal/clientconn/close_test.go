package clientconn_test

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"switchboard/hubprotocol"
	"switchboard/internal/clientconn"
	"switchboard/internal/pairing"
	"switchboard/serviceprotocol"
)

func TestFarewell(t *testing.T) {
	json := func(text string) string { return text + "\x1e" }
	tests := []struct {
		name    string
		reason  *pairing.Reason
		details bool
		json    string
		pack    string
		refusal string // before the handshake was answered
	}{
		{"the client closed", pairing.ClosedByClient, false, "", "", ""},
		{"the app server closed", pairing.ClosedByAppServer, false, json(`{"type":7}`), packed(&hubprotocol.Close{}),
			json(`{"error":"Connection closed by the application server."}`)},
		{"with an error", pairing.AppServerError, false, json(`{"type":7,"error":"Connection closed with an error."}`),
			packed(&hubprotocol.Close{Error: "Connection closed with an error."}), json(`{"error":"Connection closed with an error."}`)},
		{"with an error that the client may see", pairing.AppServerError, true, json(`{"type":7,"error":"Connection closed with an error. oops"}`),
			packed(&hubprotocol.Close{Error: "Connection closed with an error. oops"}), json(`{"error":"Connection closed with an error. oops"}`)},
		{"the service stops", pairing.ServiceShutdown, false, json(`{"type":7,"error":"Service reloading, please reconnect.","allowReconnect":true}`),
			packed(&hubprotocol.Close{Error: "Service reloading, please reconnect.", AllowReconnect: true}), json(`{"error":"Service reloading, please reconnect."}`)},
		{"nobody is there any more", pairing.TransportLost, false, "", "", ""},
		{"the client is slow", pairing.SlowClient, false, "", "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			origin := func(o *clientconn.Origin) { o.DetailedErrors = tt.details }
			before := open(t, clientconn.Limits{}, origin)
			before.receive(jsonRequest)
			for _, c := range []struct {
				name string
				link *link
				want string
			}{
				{"json", opened(t, jsonRequest, clientconn.Limits{}, origin), tt.json},
				{"messagepack", opened(t, packRequest, clientconn.Limits{}, origin), tt.pack},
				{"unknown protocol", opened(t, rawRequest, clientconn.Limits{}, origin), ""},
				{"before the answer", before, tt.refusal},
			} {
				c.link.Close(tt.reason, "oops")
				c.link.Close(pairing.BadMessage, "only the first call counts")
				c.link.Multicast([]byte("too late"))
				c.link.deliver("too late\x1e")
				if got := c.link.next(); got != c.want+"EOF" {
					t.Errorf("%s: the client got %q, want %q", c.name, got, c.want+"EOF")
				}
			}
		})
	}
}

func TestFarewellFollowsWhatIsQueued(t *testing.T) {
	c := opened(t, jsonRequest, clientconn.Limits{})
	c.deliver(ping)
	c.Multicast([]byte(ping))
	c.Close(pairing.ClosedByAppServer, "")
	if got, want := c.next(), ping+ping+`{"type":7}`+"\x1eEOF"; got != want {
		t.Errorf("the client got %q, want %q", got, want)
	}
}

// The app server's own Close is the last word.
func TestNoSecondClose(t *testing.T) {
	packClose := packed(&hubprotocol.Close{Error: "bye"})
	tests := []struct {
		name, request string
		pieces        []string // from the app server, which then closes
		more          string   // what the service adds
	}{
		{"json", jsonRequest, []string{`{"type":7,"error":"bye"}` + "\x1e"}, ""},
		{"json, behind another message and in pieces", jsonRequest, []string{ping + `{"allowReconnect":true,"ty`, `pe":7}` + "\x1e"}, ""},
		{"messagepack", packRequest, []string{packClose[:2], packClose[2:]}, ""},
		{"a Close that is not the last message", jsonRequest, []string{`{"type":7}` + "\x1e" + ping}, `{"type":7}` + "\x1e"},
		{"a Close that has no end", jsonRequest, []string{`{"type":7}`}, `{"type":7}` + "\x1e"},
		{"another message that has 7 in it", jsonRequest, []string{`{"type":3,"invocationId":"7"}` + "\x1e"}, `{"type":7}` + "\x1e"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := opened(t, tt.request, clientconn.Limits{})
			c.deliver(tt.pieces...)
			sent := c.next()
			c.hub.FromServer(t.Context(), c.app, &serviceprotocol.CloseConnection{ConnectionID: "c"})
			if got := c.next(); got != tt.more+"EOF" {
				t.Errorf("after %q the client got %q, want %q", sent, got, tt.more+"EOF")
			}
		})
	}
	t.Run("a refusal of the handshake", func(t *testing.T) {
		c := open(t, clientconn.Limits{})
		c.receive(jsonRequest)
		c.deliver(`{"error":"no"}` + "\x1e")
		c.Close(pairing.AppServerError, "")
		if got, want := c.next(), `{"error":"no"}`+"\x1eEOF"; got != want {
			t.Errorf("the client got %q, want %q", got, want)
		}
	})
}

func TestWhoSaysNothing(t *testing.T) {
	tests := []struct {
		name   string
		wire   string // from the client
		answer string // from the app server
		after  time.Duration
		want   string
	}{
		{"the client, nothing at all", "", "", 15 * time.Second, `{"error":"Handshake was canceled."}` + "\x1eEOF"},
		{"the client, half a request", jsonRequest[:9], "", 15 * time.Second, `{"error":"Handshake was canceled."}` + "\x1eEOF"},
		{"the app server", jsonRequest, "", 25 * time.Second, `{"error":"The application server did not answer the handshake."}` + "\x1eEOF"},
		{"the app server, half a response", jsonRequest, "{", 25 * time.Second, `{"error":"The application server did not answer the handshake."}` + "\x1eEOF"},
		{"nobody", jsonRequest, "{}\x1e", 0, "{}\x1e"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				c := open(t, clientconn.Limits{})
				time.Sleep(10 * time.Second)
				c.receive(tt.wire)
				c.deliver(tt.answer)
				if tt.after > 0 {
					time.Sleep(time.Until(start.Add(tt.after)) - time.Nanosecond)
					synctest.Wait()
					if got := c.next(); got != "" {
						t.Errorf("too early the client got %q", got)
					}
					time.Sleep(time.Nanosecond)
				} else {
					time.Sleep(time.Hour)
				}
				synctest.Wait()
				if got := c.next(); got != tt.want {
					t.Errorf("the client got %q, want %q", got, tt.want)
				}
			})
		})
	}
}

func TestTheAppServerIsToldOfTheEnd(t *testing.T) {
	tests := []struct {
		name string
		end  func(t *testing.T, c *link)
		want []string
	}{
		{"the client closes", func(_ *testing.T, c *link) { c.Finish(pairing.ClosedByClient, func() {}) }, []string{"closed "}},
		{"the transport is lost", func(_ *testing.T, c *link) { c.Finish(pairing.TransportLost, func() {}) }, []string{"closed "}},
		{"the service closes, then the transport ends", func(_ *testing.T, c *link) {
			c.Close(pairing.ServiceShutdown, "")
			c.Finish(pairing.ClosedByClient, func() {})
		}, []string{"closed Service reloading, please reconnect."}},
		{"the app server closes: it knows", func(t *testing.T, c *link) {
			c.hub.FromServer(t.Context(), c.app, &serviceprotocol.CloseConnection{ConnectionID: "c", Error: "oops"})
			c.Finish(pairing.ClosedByClient, func() {})
		}, nil},
		{"the server connection ends", func(_ *testing.T, c *link) {
			c.hub.RemoveServer(c.app)
			c.Finish(pairing.ClosedByClient, func() {})
		}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := opened(t, jsonRequest, clientconn.Limits{})
				tt.end(t, c)
				synctest.Wait()
				if got := c.app.take(); !slices.Equal(got, tt.want) {
					t.Errorf("the app server was sent %q, want %q", got, tt.want)
				}
				if got := c.hub.Stats().Clients; got != 0 {
					t.Errorf("the hub has %d clients, want 0", got)
				}
			})
		})
	}
}

// The transport may take five seconds to say goodbye.
func TestAbortAfterTheCloseTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := opened(t, jsonRequest, clientconn.Limits{})
		start := time.Now()
		c.Close(pairing.ClosedByAppServer, "")
		<-c.aborted
		if d := time.Since(start); d != 5*time.Second {
			t.Errorf("aborted after %v, want 5 s", d)
		}
	})
}

func TestSlowClient(t *testing.T) {
	bytes := func(n int) string { return strings.Repeat("x", n-1) + "\x1e" }
	tests := []struct {
		name string
		fill func(c *link)
		slow bool
	}{
		{"at the bound", func(c *link) { c.deliver(bytes(400)); c.Multicast([]byte(bytes(600))) }, false},
		{"over the bound", func(c *link) { c.deliver(bytes(400)); c.Multicast([]byte(bytes(601))) }, true},
		{"over the bound, the other way round", func(c *link) { c.Multicast([]byte(bytes(601))); c.deliver(bytes(400)) }, true},
		{"one large message", func(c *link) { c.deliver(bytes(5000)) }, false},
		{"what the transport has taken does not count", func(c *link) {
			c.deliver(bytes(600))
			c.next()
			c.deliver(bytes(401))
		}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := opened(t, jsonRequest, clientconn.Limits{QueueBytes: 1000})
			tt.fill(c)
			if got := c.isAborted(); got != tt.slow {
				t.Errorf("the connection has ended: %v, want %v", got, tt.slow)
			}
			if !tt.slow {
				return
			}
			if got := c.next(); got != "EOF" {
				t.Errorf("the client gets %q, want nothing: nobody reads it", got)
			}
		})
	}
	t.Run("before the handshake is answered", func(t *testing.T) {
		c := open(t, clientconn.Limits{QueueBytes: 1000})
		c.receive(jsonRequest)
		for range 2 {
			c.Multicast([]byte(bytes(501)))
		}
		if !c.isAborted() {
			t.Error("the connection lives with more held back than the bound")
		}
	})
	t.Run("with the handshake response", func(t *testing.T) {
		c := open(t, clientconn.Limits{QueueBytes: 1000})
		c.receive(jsonRequest)
		c.Multicast([]byte(bytes(500)))
		c.Multicast([]byte(bytes(500)))
		c.deliver("{}\x1e")
		if !c.isAborted() {
			t.Error("the connection lives with more queued than the bound")
		}
	})
}

// The app server is told as soon as the transport is woken, even if that cannot
// send and Take nothing.
func TestLeaveTellsTheAppServer(t *testing.T) {
	c := opened(t, jsonRequest, clientconn.Limits{})
	c.Leave()
	if got := c.app.take(); len(got) != 0 {
		t.Errorf("the app server was sent %q for a client that is open", got)
	}
	c.Close(pairing.ServiceShutdown, "")
	c.Leave()
	c.Leave()
	c.next()
	if got, want := c.app.take(), []string{"closed Service reloading, please reconnect."}; !slices.Equal(got, want) {
		t.Errorf("the app server was sent %q, want %q", got, want)
	}
}

// A slow client costs its neighbours nothing: nothing waits for it.
func TestSlowClientIsToldToTheAppServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := opened(t, jsonRequest, clientconn.Limits{QueueBytes: 10})
		for range 2 {
			c.hub.FromServer(t.Context(), c.app, &serviceprotocol.BroadcastData{
				Payloads: serviceprotocol.Payloads{{Protocol: "json", Data: []byte(ping)}},
			})
		}
		c.Finish(pairing.TransportLost, func() {}) // as the transport does when it is aborted
		if got, want := c.app.take(), []string{"closed Too many messages are waiting for this client."}; !slices.Equal(got, want) {
			t.Errorf("the app server was sent %q, want %q", got, want)
		}
	})
}

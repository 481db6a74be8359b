package service_test

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"switchboard/accesstoken"
	"switchboard/aspnetprotocol"
	"switchboard/internal/servicetest"
	"switchboard/service"
	"switchboard/serviceprotocol"
)

// opened is a client whose OpenConnection the app server has got.
func opened(t *testing.T, svc *servicetest.Service, app *aspNetApp, transport string, claims ...accesstoken.Claim) *aspNetClient {
	t.Helper()
	c := newAspNetClient(t, svc, chatOnly, claims...)
	switch transport {
	case "webSockets":
		c.dial("connect")
		c.expect(initialized)
	case "serverSentEvents":
		c.stream("connect")
		c.expectEvents(initialized)
	case "longPolling":
		if got := c.poll("connect", ""); got != initialized {
			t.Fatalf("connect: %q", got)
		}
	}
	servicetest.Expect[*serviceprotocol.OpenConnection](app.AppServer)
	return c
}

// A WebSocket that is lost is replaced within the time for that; what was sent meanwhile comes then,
// save results, since the client has given up its calls.
func TestAspNetReconnects(t *testing.T) {
	svc, app := startAspNet(t, service.Config{})
	c := opened(t, svc, app, "webSockets")
	app.Send(&serviceprotocol.JoinGroupWithAck{ConnectionID: c.id, Group: "hg-Chat.room", AckID: 1})
	app.Ack(1)
	for _, end := range []func(){
		func() { _ = c.socket.CloseNow() },
		func() { _ = c.socket.Close(websocket.StatusNormalClosure, "") }, // is not abort
	} {
		end()
		detached(t, svc)
		app.to(c.id, `{"R":1,"I":"0"}`, call("Chat", "missed"))
		app.Send(&serviceprotocol.GroupBroadcastData{Group: "hg-Chat.room", Payloads: payloads(call("Chat", "room"))})
		app.Send(&serviceprotocol.CheckConnectionExistenceWithAck{ConnectionID: c.id, AckID: 2})
		if got := app.Ack(2); got != serviceprotocol.AckOK {
			t.Errorf("the connection exists: %v", got)
		}
		c.dial("reconnect")
		app.expectData(t, c.id, "asrs:reconnect")
		c.expect(call("Chat", "missed"), call("Chat", "room"))
	}
	// The stream of another transport takes the place of the one before, which ends.
	end := c.stream("reconnect")
	app.expectData(t, c.id, "asrs:reconnect")
	c.expect("EOF")
	end()
	detached(t, svc)
	app.to(c.id, `{"R":1,"I":"0"}`)
	c.stream("reconnect")
	app.expectData(t, c.id, "asrs:reconnect")
	c.expectEvents(`{"C":"0","M":[{"R":1,"I":"0"}]}`)
}

// detached waits until the service has noticed that a client has no transport.
func detached(t *testing.T, svc *servicetest.Service) {
	t.Helper()
	waitFor(t, func() bool { return svc.Stats().ClientsAway == 1 })
}

// A client whose transport does not come up tries the next one with the same token. The app server
// hears of it once.
func TestAspNetFallsBack(t *testing.T) {
	svc, app := startAspNet(t, service.Config{})
	c := opened(t, svc, app, "webSockets")
	c.stream("connect")
	c.expectEvents(initialized)
	c.expect("EOF")
	if got := c.poll("connect", ""); got != initialized {
		t.Errorf("connect by long polling: %q", got)
	}
	app.to(c.id, call("Chat", "one"))
	c.expectPoll("0", `{"C":"1","M":[{"H":"Chat","M":"one","A":[]}]}`)
	c.do("POST", "abort"+c.query, "")
	app.expectClose(t, c.id, "")
}

func TestAspNetLongPolling(t *testing.T) {
	svc, app := startAspNet(t, service.Config{})
	c := opened(t, svc, app, "longPolling")
	app.to(c.id, call("Chat", "one"), `{"R":1,"I":"0"}`, `{"C":"0","M":[]}`)
	waitFor(t, func() bool { return svc.Stats().Hubs[0].Delivered == 3 })
	app.chat.Send(&serviceprotocol.BroadcastData{Payloads: payloads(call("Chat", "two"))})
	waitFor(t, func() bool { return svc.Stats().Hubs[1].Delivered == 1 })
	first := `{"C":"1","M":[{"H":"Chat","M":"one","A":[]},{"R":1,"I":"0"},{"H":"Chat","M":"two","A":[]}]}`
	c.expectPoll("0", first)
	// An answer that was lost on its way is sent again, with what has come since.
	again := strings.Replace(first, `"C":"1"`, `"C":"2"`, 1)
	c.expectPoll("0", again)
	app.to(c.id, call("Chat", "three"))
	app.Send(&serviceprotocol.CheckConnectionExistenceWithAck{ConnectionID: c.id, AckID: 2})
	app.Ack(2)
	again = strings.Replace(strings.Replace(again, `"C":"2"`, `"C":"3"`, 1), "]}]}", `]},{"H":"Chat","M":"three","A":[]}]}`, 1)
	c.expectPoll("1", again)

	// A poll waits; reconnect is a poll that the app server hears of.
	answer := make(chan string)
	go func() { answer <- c.poll("poll", "3") }()
	waiting(t, answer)
	app.to(c.id, call("Chat", "four"))
	if got, want := <-answer, `{"C":"4","M":[{"H":"Chat","M":"four","A":[]}]}`; got != want {
		t.Errorf("poll: %s, want %s", got, want)
	}
	go func() { answer <- c.poll("reconnect", "4") }()
	app.expectData(t, c.id, "asrs:reconnect")
	waiting(t, answer)
	// The next one takes its place, and ends with the connection.
	next := make(chan string)
	go func() { next <- c.poll("poll", "4") }()
	if got, want := <-answer, `{"C":"4","M":[]}`; got != want {
		t.Errorf("a poll that another has replaced: %s, want %s", got, want)
	}
	waiting(t, next)
	if status, _, _ := c.do("POST", "abort"+c.query, ""); status != 200 {
		t.Errorf("abort: %d", status)
	}
	if got, want := <-next, `{"C":"4","M":[]}`; got != want {
		t.Errorf("the poll of a connection that has been aborted: %s, want %s", got, want)
	}
	app.expectClose(t, c.id, "")
}

// waiting fails if the answer comes at once.
func waiting(t *testing.T, answer <-chan string) {
	t.Helper()
	select {
	case got := <-answer:
		t.Fatalf("the poll was answered at once: %s", got)
	case <-time.After(100 * time.Millisecond):
	}
}

func waitFor(t *testing.T, done func() bool) {
	t.Helper()
	for end := time.Now().Add(servicetest.Wait); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it did not come to pass")
		}
	}
}

// Times that clients are told, and what happens when they are over.
func TestAspNetTimes(t *testing.T) {
	const short = 100 * time.Millisecond
	t.Run("what clients are told", func(t *testing.T) {
		svc, _ := startAspNet(t, service.Config{AspNet: service.AspNet{KeepAlive: 1500 * time.Millisecond}})
		c := newAspNetClient(t, svc, chatOnly)
		_, body, header := c.do("GET", "negotiate?clientProtocol=1.4&connectionToken=old&&_=1", "")
		for _, want := range []string{`{"Url":"/aspnetclient","ConnectionToken":"`, `"KeepAliveTimeout":3.0,"DisconnectTimeout":30.0,"ConnectionTimeout":110.0,"TryWebSockets":true,"ProtocolVersion":"1.4","TransportConnectTimeout":5.0,"LongPollDelay":0.0}`} {
			if !strings.Contains(body, want) {
				t.Errorf("negotiate: %s, want %s", body, want)
			}
		}
		if header.Get("Content-Type") != "application/json; charset=UTF-8" || header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("header %v", header)
		}
	})
	t.Run("keep-alive", func(t *testing.T) {
		svc, app := startAspNet(t, service.Config{AspNet: service.AspNet{KeepAlive: short, Poll: 5 * short}})
		opened(t, svc, app, "webSockets").expect("{}", "{}")
		opened(t, svc, app, "serverSentEvents").expectEvents("{}", "{}")
		c := opened(t, svc, app, "longPolling")
		if status, body, _ := c.do("POST", "poll"+c.query+"&transport=longPolling", ""); status != 200 || strings.TrimLeft(body, " ") != `{"C":"0","M":[]}` || !strings.HasPrefix(body, "  ") {
			t.Errorf("a poll that nothing comes for: %d %q", status, body)
		}
	})
	t.Run("no connect", func(t *testing.T) {
		svc, _ := startAspNet(t, service.Config{AspNet: service.AspNet{Connect: short}})
		c := newAspNetClient(t, svc, chatOnly)
		waitFor(t, func() bool { return svc.Stats().ClientConnections == 0 })
		c.expectStatus("connect", 404)
	})
	t.Run("no poll", func(t *testing.T) {
		svc, app := startAspNet(t, service.Config{Timeouts: service.Timeouts{PollWait: short}})
		c := opened(t, svc, app, "longPolling")
		app.expectClose(t, c.id, "The client did not come back in time.")
		c.expectStatus("poll", 404)
	})
	t.Run("no poll within the time of the claim", func(t *testing.T) {
		svc, app := startAspNet(t, service.Config{Timeouts: service.Timeouts{PollWait: time.Hour}})
		c := opened(t, svc, app, "longPolling", accesstoken.Claim{Type: accesstoken.ClaimPollWait, Value: "1"})
		app.expectClose(t, c.id, "The client did not come back in time.")
	})
	t.Run("no reconnect", func(t *testing.T) {
		if testing.Short() {
			t.Skip("takes 5 s")
		}
		svc, app := startAspNet(t, service.Config{AspNet: service.AspNet{Disconnect: short}})
		c := opened(t, svc, app, "webSockets")
		start := time.Now()
		_ = c.socket.CloseNow()
		app.expectClose(t, c.id, "The client did not come back in time.")
		if took := time.Since(start); took < 5*time.Second {
			t.Errorf("the app server was told after %v, want 5 s and more", took)
		}
	})
}

// Why a connection ends is told those who may know.
func TestAspNetErrors(t *testing.T) {
	detailed := accesstoken.Claim{Type: accesstoken.ClaimDetailedErrors, Value: "True"}
	tests := []struct {
		name   string
		errors service.AspNetErrors
		claims []accesstoken.Claim
		text   string // that the app server closes with
		want   string
	}{
		{"nobody may know", service.DetailedErrors, nil, "secret", ""},
		{"details", service.DetailedErrors, []accesstoken.Claim{detailed}, `a "secret"`, `{"E":"a \"secret\""}`},
		{"details, no error", service.DetailedErrors, []accesstoken.Claim{detailed}, "", ""},
		{"always, no details", service.AlwaysErrors, nil, "secret", `{"E":"Connection closed with an error."}`},
		{"always, details", service.AlwaysErrors, []accesstoken.Claim{detailed}, "secret", `{"E":"secret"}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			svc, app := startAspNet(t, service.Config{AspNet: service.AspNet{Errors: tt.errors}})
			for _, transport := range []string{"webSockets", "serverSentEvents", "longPolling"} {
				c := opened(t, svc, app, transport, tt.claims...)
				answer := make(chan string, 1)
				if transport == "longPolling" {
					go func() { answer <- c.poll("poll", "0") }()
					waiting(t, answer)
				}
				app.Send(&serviceprotocol.CloseConnection{ConnectionID: c.id, Error: tt.text})
				switch transport {
				case "webSockets":
					if tt.want != "" {
						c.expect(tt.want)
					}
					c.expect("close 1000")
				case "serverSentEvents":
					if tt.want != "" {
						c.expectEvents(tt.want)
					}
					if rest, err := io.ReadAll(c.events); len(rest) > 0 || err != nil {
						t.Errorf("the stream ends with %q, %v", rest, err)
					}
				case "longPolling":
					want := tt.want
					if want == "" {
						want = `{"C":"0","M":[]}`
					}
					if got := <-answer; got != want {
						t.Errorf("the poll: %s, want %s", got, want)
					}
				}
				switch {
				case tt.want != "": // for a client that comes too late
					if got := c.poll("poll", "0") + c.poll("reconnect", "0") + c.poll("start", ""); got != tt.want+tt.want+`{ "Response": "started" }` {
						t.Errorf("a client that comes too late is told %s", got)
					}
				case tt.errors == service.DetailedErrors:
					c.expectStatus("reconnect", 404)
					c.expectStatus("start", 404)
				}
			}
		})
	}
}

// A client that reconnects to a service which does not know it, because it has been restarted, is
// told so if that is wanted.
func TestAspNetReconnectsToAnotherService(t *testing.T) {
	const want = `{"E":"The connection has ended; start a new one."}`
	svc, app := startAspNet(t, service.Config{AspNet: service.AspNet{Errors: service.AlwaysErrors}})
	c := opened(t, svc, app, "webSockets")
	c.query = "?connectionToken=unknown&connectionData=" + url.QueryEscape(chatOnly)
	c.dial("reconnect")
	c.expect(want, "close 1000")
	c.stream("reconnect")
	c.expectEvents(want)
	if got := c.poll("reconnect", ""); got != want {
		t.Errorf("long polling: %s", got)
	}
	c.expectStatus("poll", 404)
	c.token = servicetest.Token(t, "/client", "chat") // its token is not valid any more either
	c.dial("reconnect")
	c.expect(want, "close 1000")
	c.expectStatus("poll", 401)
}

func TestAspNetRefusals(t *testing.T) {
	svc, app := startAspNet(t, service.Config{AspNet: service.AspNet{MessageBytes: 1000}})
	c := opened(t, svc, app, "longPolling")
	fresh := newAspNetClient(t, svc, chatOnly)
	big := "data=" + strings.Repeat("%26", 1001)
	var many []string
	for i := range 101 {
		many = append(many, fmt.Sprintf(`{"name":"h%d"}`, i))
	}
	tests := []struct {
		name, method, path, body string
		token                    string // in place of the client's; "none" for none
		status                   int
		text                     string // part of the answer
	}{
		{"unknown path", "GET", "hubs", "", "", 404, "negotiate, connect"},
		{"another method", "PUT", "ping", "", "", 405, ""},
		{"no token", "GET", "ping", "", "none", 401, ""},
		{"token for another path", "GET", "ping", "", servicetest.Token(t, "/client", "chat"), 401, ""},
		{"JSONP", "GET", "negotiate?callback=f", "", "", 400, "JSONP is no longer supported."},
		{"no connection token", "GET", "connect?transport=longPolling", "", "", 400, "Protocol error: Missing connection token."},
		{"unknown connection token", "GET", "connect?transport=longPolling&connectionToken=x", "", "", 404, ""},
		{"connection id as token", "GET", "poll?connectionToken=" + c.id, "", "", 404, ""},
		{"no transport", "GET", "connect" + c.query, "", "", 400, "Protocol error: Unknown transport."},
		{"forever frame", "GET", "connect" + c.query + "&transport=foreverFrame&frameId=1", "", "", 400, "Protocol error: Unknown transport."},
		{"no upgrade", "GET", "connect" + c.query + "&transport=webSockets", "", "", 400, "Not a valid web socket request."},
		{"another user", "POST", "send" + c.query, "data=x", servicetest.AspNetToken(t, accesstoken.Claim{Type: accesstoken.ClaimUserID, Value: "eve"}), 403, "The user identity cannot change"},
		{"abort by another user", "POST", "abort" + c.query, "", servicetest.AspNetToken(t, accesstoken.Claim{Type: accesstoken.ClaimUserID, Value: "eve"}), 403, ""},
		{"hub twice", "GET", "connect" + strings.Replace(fresh.query, "chat", `chat%22%7D%2C%7B%22name%22%3A%22CHAT`, 1) + "&transport=longPolling", "", "", 400, "is listed twice"},
		{"no connectionData that is JSON", "GET", "connect" + strings.Replace(fresh.query, "connectionData=", "connectionData=x", 1) + "&transport=longPolling", "", "", 400, "connectionData"},
		{"many hubs", "GET", "connect" + strings.Replace(fresh.query, url.QueryEscape(chatOnly), url.QueryEscape("["+strings.Join(many, ",")+"]"), 1) + "&transport=longPolling", "", "", 400, "more than 100 hubs"},
		{"send before connect", "POST", "send" + fresh.query, "data=x", "", 404, ""},
		{"poll before connect", "POST", "poll" + fresh.query, "", "", 404, ""},
		{"start before connect", "POST", "start" + fresh.query, "", "", 404, ""},
		{"reconnect before connect", "POST", "reconnect" + fresh.query + "&transport=longPolling", "", "", 404, ""},
		{"no data", "POST", "send" + c.query, "", "", 400, "Missing data"},
		{"no form", "POST", "send" + c.query, "data=%zz", "", 400, "not a form"},
		{"message too large", "POST", "send" + c.query, big, "", 413, "1000 bytes (aspnet.message-bytes)"},
		{"body too large", "POST", "send" + c.query, "x=" + strings.Repeat("x", 5000), "", 413, "1000 bytes (aspnet.message-bytes)"},
		{"token too long", "GET", "ping?access_token=" + strings.Repeat("x", 5000), "", "none", 413, ""},
	}
	for _, tt := range tests {
		c := *c
		if tt.token != "" {
			c.token = strings.TrimPrefix(tt.token, "none")
		}
		status, body, header := c.do(tt.method, tt.path, tt.body)
		if status != tt.status || !strings.Contains(body, tt.text) || header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %d %q, want %d %q", tt.name, status, body, tt.status, tt.text)
		}
	}
	some := newAspNetClient(t, svc, chatOnly, accesstoken.Claim{Type: accesstoken.ClaimAspNetHubs, Value: "News Other"})
	if status, body, _ := some.do("POST", "connect"+some.query+"&transport=longPolling", ""); status != 403 || !strings.Contains(body, "hub 'chat'") {
		t.Errorf("a hub that the token does not allow: %d %q", status, body)
	}
	// Secrets stay here, however their names are written.
	odd := newAspNetClient(t, svc, chatOnly)
	odd.query = strings.Replace(odd.query, "connectionToken", "connection%54oken", 1) + "&access%5Ftoken=" + odd.token
	if got := odd.poll("connect", ""); got != initialized {
		t.Errorf("connect: %s", got)
	}
	if m := servicetest.Expect[*serviceprotocol.OpenConnection](app.AppServer); !strings.Contains(m.QueryString, "connectionToken="+odd.id) || strings.Contains(m.QueryString, odd.token) || strings.Contains(m.QueryString, "%54") {
		t.Errorf("OpenConnection has the query %q", m.QueryString)
	}
	odd.do("POST", "abort"+odd.query, "")
	app.expectClose(t, odd.id, "")
	// One that the client may not send at all.
	if status, _, _ := c.do("POST", "send"+c.query, "data=asrs%3Areconnect"); status != 200 {
		t.Errorf("send: %d", status)
	}
	if status, _, _ := c.do("POST", "send"+c.query, "data=next"); status != 200 {
		t.Errorf("send: %d", status)
	}
	app.expectData(t, c.id, "next")
}

// What a WebSocket may not carry ends it, and the client comes back.
func TestAspNetBadMessages(t *testing.T) {
	svc, app := startAspNet(t, service.Config{AspNet: service.AspNet{MessageBytes: 1000}})
	c := opened(t, svc, app, "webSockets")
	c.write(strings.Repeat("x", 1000))
	app.expectData(t, c.id, strings.Repeat("x", 1000))
	c.write(" ")
	c.write("after nothing")
	app.expectData(t, c.id, "after nothing")
	c.write(strings.Repeat("x", 1001))
	c.expect("close 1009")
	c.dial("reconnect")
	app.expectData(t, c.id, "asrs:reconnect")
	if err := c.socket.Write(t.Context(), websocket.MessageBinary, []byte("x")); err != nil {
		t.Fatal(err)
	}
	c.expect("close 1003")
	c.dial("reconnect")
	app.expectData(t, c.id, "asrs:reconnect")
	c.do("POST", "abort"+c.query, "")
	app.expectClose(t, c.id, "")
}

// The payload of an app server may be several frames, or none, or nonsense.
func TestAspNetPayloads(t *testing.T) {
	svc, app := startAspNet(t, service.Config{})
	c := opened(t, svc, app, "webSockets")
	two := aspnetprotocol.AppendWrapped(aspnetprotocol.AppendWrapped(nil, []byte(`{"R":1,"I":"1"}`)), []byte(`{"C":"x","M":[1, 2]}`))
	for _, payload := range [][]byte{two, []byte(`{"I":"3"}`), []byte("nonsense"), {}, []byte(`{"C":"9","S":1,"M":[3]}`)} {
		app.Send(&serviceprotocol.ConnectionData{ConnectionID: c.id, Payload: payload})
	}
	c.expect(`{"R":1,"I":"1"}`, `{"C":"0","M":[1, 2]}`, `{"I":"3"}`, `{"C":"0","M":[3]}`)
	for _, payload := range [][]byte{two, []byte("nonsense"), []byte(`{"C":"0","M":[4]}`)} {
		app.chat.Send(&serviceprotocol.BroadcastData{Payloads: serviceprotocol.Payloads{{Protocol: "json", Data: payload}}})
	}
	c.expect(`{"C":"0","M":[{"R":1,"I":"1"},1, 2]}`, `{"C":"0","M":[4]}`)
	stats := svc.Stats()
	if stats.Hubs[0].UnopenedPayloads+stats.Hubs[1].UnopenedPayloads != 2 {
		t.Errorf("%+v, want 2 payloads that could not be read", stats.Hubs)
	}
}

// More than may wait for a client ends it.
func TestAspNetSlowClients(t *testing.T) {
	svc, app := startAspNet(t, service.Config{})
	c := opened(t, svc, app, "longPolling")
	large := fmt.Sprintf(`{"C":"0","M":["%s"]}`, strings.Repeat("x", 600_000))
	app.to(c.id, large, large)
	app.expectClose(t, c.id, "Too many messages are waiting for this client.")
	c.expectStatus("poll", 404)
}

// App server and service both may go.
func TestAspNetEnds(t *testing.T) {
	svc, app := startAspNet(t, service.Config{})
	lost := opened(t, svc, app, "webSockets")
	between := opened(t, svc, app, "longPolling")
	app.Close()
	lost.expect("close 1000")
	between.expectStatus("poll", 404)
	lost.expectStatus("reconnect", 404)
	app.AppServer = svc.AspNetAppServer("app_app")

	c := opened(t, svc, app, "webSockets")
	newAspNetClient(t, svc, chatOnly) // is negotiated only
	opened(t, svc, app, "longPolling")
	if err := svc.Shutdown(t.Context()); err != nil {
		t.Errorf("Shutdown: %v", err)
	}
	c.expect("close 1000")
	for range 2 {
		if m := servicetest.Expect[*serviceprotocol.CloseConnection](app.AppServer); m.Error != "Service reloading, please reconnect." {
			t.Errorf("the app server was told %+v", m)
		}
	}
	if status, _, _ := c.do("GET", "negotiate", ""); status != 503 {
		t.Errorf("negotiate after shutdown: %d", status)
	}
}

// Pages of other origins need all this on every answer.
func TestAspNetCrossOrigin(t *testing.T) {
	svc, _ := startAspNet(t, service.Config{})
	for _, path := range []string{"negotiate", "connect", "start", "reconnect", "poll", "send", "abort", "ping", "nothing"} {
		for _, method := range []string{"GET", "OPTIONS"} {
			request, err := http.NewRequestWithContext(t.Context(), method, svc.URL+"/aspnetclient/"+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			request.Header.Set("Origin", "https://app.example")
			if method == "OPTIONS" {
				request.Header.Set("Access-Control-Request-Headers", "authorization")
			}
			response, err := http.DefaultClient.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			response.Body.Close()
			header := response.Header
			if header.Get("Access-Control-Allow-Origin") != "https://app.example" || header.Get("Access-Control-Allow-Credentials") != "true" || header.Get("Vary") == "" {
				t.Errorf("%s %s: %d %v", method, path, response.StatusCode, header)
			}
			if method == "OPTIONS" && (response.StatusCode != 204 || header.Get("Access-Control-Allow-Headers") != "authorization") {
				t.Errorf("preflight of %s: %d %v", path, response.StatusCode, header)
			}
		}
	}
}

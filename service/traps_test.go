package service_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"switchboard/appserver"
	"switchboard/internal/servicetest"
	"switchboard/service"
	"switchboard/serviceprotocol"
)

// These tests are named after traps: ways in which other implementations of the protocol
// have failed. Others of the kind stand beside the tests of what they are about.

// A request that brings messages may fail, and the client stays connected: only the end of
// its stream or of its poll tells it. See TestPollsOfAConnectionThatTheAppServerCloses.
func TestTrapT14EndOfTheStreamIsTheEnd(t *testing.T) {
	s := servicetest.Start(t, service.Config{})
	a := s.AppServer("chat")
	q := newRequester(t, s)
	e := q.stream()
	q.post(hello)
	a.Accept()
	e.expect(welcome)
	a.Send(&serviceprotocol.CloseConnection{ConnectionID: q.id})
	e.expect("{\"type\":7}\x1e")
	e.expectEnd()
	q.expect("POST", "{\"type\":6}\x1e", answer{404, textPlain, noConnection})
}

type chat struct{}

func (chat) Hi() string { return "hi" }

// 204 ends a connection for every client, and 200 without a body does not.
func TestTrapT16PollThatBringsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		svc, err := service.New(service.Config{Engine: service.EngineGoroutines, AccessKeys: []string{servicetest.Key}})
		if err != nil {
			t.Fatal(err)
		}
		quiet := appserver.HubConfig{KeepAliveInterval: time.Hour, ClientTimeoutInterval: 3 * time.Hour}
		app, err := appserver.New(appserver.Config{Service: svc, HubDefaults: quiet})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := app.MapHub("/chat", &chat{}); err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- app.Run(ctx) }()
		if err := app.Ready(ctx); err != nil {
			t.Fatal(err)
		}
		token := servicetest.Token(t, "/client", "chat")
		request := func(method, path, body string) *httptest.ResponseRecorder {
			r, w := httptest.NewRequest(method, path, strings.NewReader(body)), httptest.NewRecorder()
			r.Header.Set("Authorization", "Bearer "+token)
			svc.ServeHTTP(w, r)
			return w
		}
		var negotiated struct{ ConnectionToken string }
		if err := json.Unmarshal(request("POST", "/client/negotiate?hub=chat&negotiateVersion=1", "").Body.Bytes(), &negotiated); err != nil {
			t.Fatal(err)
		}
		client := "/client/?hub=chat&id=" + negotiated.ConnectionToken
		request("GET", client, "")
		request("POST", client, hello)
		if got := request("GET", client, "").Body.String(); got != welcome {
			t.Fatalf("first poll: %q", got)
		}
		begin := time.Now()
		w := request("GET", client, "")
		if w.Code != 200 || w.Body.Len() != 0 || time.Since(begin) != 90*time.Second {
			t.Errorf("%d %q after %v, want 200 without a body after 90 s", w.Code, w.Body, time.Since(begin))
		}
		request("POST", client, `{"type":1,"invocationId":"1","target":"Hi","arguments":[]}`+"\x1e")
		if got, want := request("GET", client, "").Body.String(), `{"type":3,"invocationId":"1","result":"hi"}`+"\x1e"; got != want {
			t.Errorf("poll: %q, want %q", got, want)
		}
		if w := request("DELETE", client, ""); w.Code != 202 {
			t.Errorf("DELETE: %d", w.Code)
		}
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if err := svc.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// The client sends nothing before its first poll is answered.
func TestTrapT18FirstPollIsAnsweredAtOnce(t *testing.T) {
	s := servicetest.Start(t, service.Config{Timeouts: service.Timeouts{PollWait: time.Hour}})
	s.AppServer("chat")
	newRequester(t, s).poll("")
}

// The client sends nothing more before its POST is answered, and a hub method may take long.
func TestTrapT19PostIsAnsweredBeforeTheHub(t *testing.T) {
	s := servicetest.Start(t, service.Config{})
	a := s.AppServer("chat")
	q := openPolling(t, s, a)
	for range 3 {
		q.post("{\"type\":6}\x1e") // the app server reads none of them
	}
	got := ""
	for got != strings.Repeat("{\"type\":6}\x1e", 3) && len(got) < 100 {
		got += string(servicetest.Expect[*serviceprotocol.ConnectionData](a).Payload)
	}
}

// A connection lives in one instance. Another one says so at once.
func TestTrapT21AnotherInstanceDoesNotKnowTheConnection(t *testing.T) {
	one, other := servicetest.Start(t, service.Config{}), servicetest.Start(t, service.Config{})
	q := newRequester(t, one)
	q.service = other
	for _, method := range []string{"GET", "POST", "DELETE"} {
		q.expect(method, "", answer{404, textPlain, noConnection})
	}
	q.service = one
	q.poll("")
}

// Since version 1, what a hub tells others of a client does not open its connection.
func TestTrapT23ConnectionIDIsNoKey(t *testing.T) {
	s := servicetest.Start(t, service.Config{})
	a := s.AppServer("chat")
	q := newRequester(t, s)
	q.poll("")
	q.post(hello)
	open := a.Accept()
	if strings.Contains(open.QueryString, q.secret) {
		t.Errorf("query string %q has the connection token", open.QueryString)
	}
	thief := *q
	thief.secret = q.id
	for _, method := range []string{"GET", "POST", "DELETE"} {
		thief.expect(method, "", answer{404, textPlain, noConnection})
	}
}

// A client that stops gives up its poll, and its DELETE meets a connection that has ended.
func TestTrapT27DeleteOfWhatHasEnded(t *testing.T) {
	var log lockedBuffer
	s := servicetest.Start(t, service.Config{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	a := s.AppServer("chat")
	q := openPolling(t, s, a)
	waiting := q.waiting()
	q.post("{\"type\":7}\x1e")
	a.Send(&serviceprotocol.CloseConnection{ConnectionID: q.id})
	<-waiting
	for range 2 {
		if got := q.do("DELETE", "", ""); got.status != 202 && got != (answer{404, textPlain, noConnection}) {
			t.Errorf("DELETE: %+v, want 202 or 404", got)
		}
	}
	if text := log.String(); strings.Contains(text, "level=WARN") || strings.Contains(text, "level=ERROR") {
		t.Errorf("log:\n%s", text)
	}
}

// A client may connect by WebSocket without negotiating. Its token comes as it can.
func TestTrapT30WebSocketWithoutNegotiate(t *testing.T) {
	s := servicetest.Start(t, service.Config{})
	a := s.AppServer("chat")
	token := servicetest.Token(t, "/client", "chat")
	url := strings.Replace(s.URL, "http", "ws", 1) + "/client/?hub=chat"
	for name, tt := range map[string]struct {
		url    string
		header http.Header
	}{
		"header":           {url, http.Header{"Authorization": {"Bearer " + token}}},
		"query":            {url + "&access_token=" + token, nil},
		"no slash at end":  {strings.Replace(url, "/?", "?", 1) + "&access_token=" + token, nil},
		"browser's origin": {url + "&access_token=" + token, http.Header{"Origin": {"https://elsewhere.example"}}},
	} {
		ws, _, err := websocket.Dial(t.Context(), tt.url, &websocket.DialOptions{HTTPHeader: tt.header})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		defer ws.CloseNow()
		if err := ws.Write(t.Context(), websocket.MessageText, []byte(hello)); err != nil {
			t.Fatal(err)
		}
		a.Accept()
		if _, got, err := ws.Read(t.Context()); err != nil || string(got) != welcome {
			t.Errorf("%s: %q, %v, want %q", name, got, err, welcome)
		}
	}
}

// Only who asks for a stream by its name gets one.
func TestTrapT32AcceptOfAnyTypeIsAPoll(t *testing.T) {
	s := servicetest.Start(t, service.Config{})
	s.AppServer("chat")
	for _, accept := range []string{"", "*/*", "text/*", "text/plain, */*;q=0.1", "text/event-stream2"} {
		if got, want := newRequester(t, s).do("GET", accept, ""), (answer{200, octetStream, ""}); got != want {
			t.Errorf("Accept %q: %+v, want %+v", accept, got, want)
		}
	}
}

// A compressed stream would be held back until there is enough to compress.
func TestTrapT33StreamIsNotCompressed(t *testing.T) {
	s := servicetest.Start(t, service.Config{DeflateFromBytes: 1})
	a := s.AppServer("chat")
	q := newRequester(t, s) // its transport accepts gzip
	e := q.stream()         // it wants Content-Encoding: identity
	q.post(hello)
	a.Accept()
	e.expect(welcome)
	for _, size := range []int{1, 100, 10_000} {
		event := strings.Repeat("x", size) + "\x1e"
		a.Send(data(q.id, event))
		e.expect(event)
	}
}

// A client that gets what it has not asked for does not start.
func TestTrapT35StatefulReconnectOnlyWhenAsked(t *testing.T) {
	s := servicetest.Start(t, service.Config{})
	s.AppServer("plain")
	s.AppServer("chat", serviceprotocol.HandshakeRequest{Version: 1, AllowStatefulReconnects: new(true)})
	for query, want := range map[string]bool{
		"hub=chat":                            false,
		"hub=chat&useStatefulReconnect=false": false,
		"hub=chat&useStatefulReconnect=true":  true,
		"hub=plain&useStatefulReconnect=true": false, // its app server does not allow it
	} {
		token := servicetest.Token(t, "/client", strings.TrimPrefix(query[:strings.Index(query+"&", "&")], "hub="))
		_, body := request(t, "POST", s.URL+"/client/negotiate?negotiateVersion=1&"+query, token, nil)
		if got := strings.Contains(body, "useStatefulReconnect"); got != want {
			t.Errorf("%s: %s, want %v", query, body, want)
		}
	}
}

// Old clients know no connection token.
func TestTrapT37ClientOfVersionZero(t *testing.T) {
	s := servicetest.Start(t, service.Config{})
	a := s.AppServer("chat")
	q := newRequester(t, s)
	_, body := request(t, "POST", s.URL+"/client/negotiate?hub=chat", q.token, nil)
	var negotiated struct{ ConnectionID string }
	if err := json.Unmarshal([]byte(body), &negotiated); err != nil {
		t.Fatal(err)
	}
	old := *q
	old.id, old.secret = negotiated.ConnectionID, negotiated.ConnectionID
	old.poll("")
	old.post(hello)
	if got := a.Accept().ConnectionID; got != old.id {
		t.Errorf("connection %s opens, want %s", got, old.id)
	}
	old.poll(welcome)
	old.expect("DELETE", "", answer{202, textPlain, ""})
}

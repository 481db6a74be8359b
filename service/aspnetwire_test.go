package service_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"switchboard/accesstoken"
	"switchboard/internal/servicetest"
	"switchboard/service"
	"switchboard/serviceprotocol"
)

// aspNetVectors is testdata/aspnet.json.
type aspNetVectors struct {
	Requests []struct {
		Name, Client, Method, Target, Body string

		State   string // of the connection: none, negotiated, open, pending (open, and something waits for it), ended
		Headers map[string]string
		Status  int
	}
	Frames []struct{ Name, Hex string }
}

// The ids and tokens that stand in the vectors.
const (
	vectorID     = "kZ3vQ1nTt0yS8f2bXw7LmA"
	vectorToken  = "kZ3vQ1nTt0yS8f2bXw7LmAe4d1c0b2"
	vectorBearer = "t0ken"
)

func readAspNetVectors(t *testing.T) (v aspNetVectors) {
	t.Helper()
	text, err := os.ReadFile("testdata/aspnet.json")
	if err == nil {
		err = json.Unmarshal(text, &v)
	}
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// The requests of JavaScript, .NET, Java and C++ clients, as they write them: brackets and colons that are not
// escaped, empty parameters, a form without Content-Type, a poll as text/plain, GET where others POST.
func TestAspNetRequestsOfClients(t *testing.T) {
	svc, app := startAspNet(t, service.Config{AspNet: service.AspNet{Poll: 200 * time.Millisecond}})
	wants := map[string]string{ // what the answer begins with, or the app server gets
		"lp_poll_js":      `{"C":"1","M":[{"H":"Chat","M":"one","A":[]}]}`,
		"lp_poll_dotnet":  `{"C":"1","M":[{"H":"Chat","M":"one","A":[]}]}`,
		"lp_poll_java":    `{"C":"1","M":[{"H":"Chat","M":"one","A":[]}]}`,
		"lp_reconnect_js": `{"C":"1","M":[{"H":"Chat","M":"one","A":[]}]}`,
		"lp_connect_js":   initialized,
		"start_js":        `{ "Response": "started" }`, "ping_js": `{ "Response": "pong" }`,
		"unknown_transport": "Protocol error: Unknown transport.", "missing_token": "Protocol error: Missing connection token.",
		"sse_connect_js": "data: initialized\n\ndata: " + initialized + "\n\n", "sse_reconnect_js": "data: initialized\n\n",
	}
	sends := map[string]string{
		"send_js":     `{"H":"chat","M":"Echo","A":["a b&c"],"I":0}`,
		"send_dotnet": `{"I":"0","H":"Chat","M":"Echo","A":["hi"]}`,
	}
	for _, r := range readAspNetVectors(t).Requests {
		c := newAspNetClient(t, svc, chatOnly)
		if r.State == "open" || r.State == "pending" || r.State == "ended" {
			c = opened(t, svc, app, "longPolling")
		}
		token := strings.Split(strings.Split(c.query, "connectionToken=")[1], "&")[0]
		switch r.State {
		case "pending":
			app.to(c.id, call("Chat", "one"))
			app.Send(&serviceprotocol.CheckConnectionExistenceWithAck{ConnectionID: c.id, AckID: 1}) // so that it has come
			app.Ack(1)
		case "ended":
			c.do("POST", "abort"+c.query, "")
			app.expectClose(t, c.id, "")
		}
		target := strings.NewReplacer(vectorToken, token, vectorID, c.id, "s-0", "0", "s-1", "0", "s-2", "0").Replace(r.Target)
		bearer := c.token
		if r.Name == "ping_expired" {
			bearer = expired(t)
		}
		if r.Headers["Authorization"] == "" && r.Status != http.StatusUnauthorized && r.Method != http.MethodOptions && !strings.Contains(target, vectorBearer) {
			target += "&access_token=" + vectorBearer // in the query, where the client's user has put it
		}
		head := fmt.Sprintf("%s %s HTTP/1.1\r\nHost: svc.example\r\nConnection: close\r\n", r.Method, strings.ReplaceAll(target, vectorBearer, bearer))
		for _, name := range slices.Sorted(maps.Keys(r.Headers)) {
			if name != "Content-Length" {
				head += name + ": " + strings.ReplaceAll(r.Headers[name], vectorBearer, bearer) + "\r\n"
			}
		}
		if strings.HasPrefix(r.Name, "ws_") {
			head += "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
		}
		if r.Method == http.MethodPost {
			head += fmt.Sprintf("Content-Length: %d\r\n", len(r.Body))
		}
		status, header, body := exchange(t, svc, head+"\r\n"+r.Body, len(wants[r.Name]))
		if status != r.Status || !strings.HasPrefix(strings.TrimLeft(body, " "), wants[r.Name]) {
			t.Errorf("%s (%s): %d %q, want %d %q", r.Name, r.Client, status, body, r.Status, wants[r.Name])
		}
		if origin := r.Headers["Origin"]; header.Get("Access-Control-Allow-Origin") != origin {
			t.Errorf("%s: %v, want origin %q", r.Name, header, origin)
		}
		switch {
		case strings.Contains(r.Name, "reconnect_js"):
			app.expectData(t, c.id, "asrs:reconnect")
		case sends[r.Name] != "":
			app.expectData(t, c.id, sends[r.Name])
		case strings.HasPrefix(r.Name, "abort"):
			app.expectClose(t, c.id, "")
		case strings.Contains(r.Name, "connect_js"):
			servicetest.Expect[*serviceprotocol.OpenConnection](app.AppServer)
		}
		c.do("POST", "abort"+c.query, "")
		if m := r.State != "none" && r.State != "ended" && !strings.HasPrefix(r.Name, "abort") && (r.State != "negotiated" || strings.Contains(r.Name, "connect_js")); m {
			app.expectClose(t, c.id, "")
		}
	}
}

// expired returns a token that was good.
func expired(t *testing.T) string {
	t.Helper()
	before := time.Now().Add(-2 * time.Hour)
	token, err := accesstoken.Sign(servicetest.Key, accesstoken.HS256, accesstoken.Token{
		Audience: "http://127.0.0.1/aspnetclient", IssuedAt: before, NotBefore: before, Expires: before.Add(time.Hour),
		Claims: []accesstoken.Claim{{Type: accesstoken.ClaimApplication, Value: "App"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// exchange sends the bytes of a request, and reads n bytes of the answer's body or all.
func exchange(t *testing.T, svc *servicetest.Service, request string, n int) (status int, header http.Header, body string) {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(svc.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(servicetest.Wait))
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatalf("%s: %v", request, err)
	}
	text := make([]byte, n)
	if n == 0 {
		text, err = io.ReadAll(response.Body)
	} else {
		_, err = io.ReadFull(response.Body, text) // the rest may never end
	}
	if err != nil {
		t.Fatalf("%s: %q, %v", request, text, err)
	}
	return response.StatusCode, response.Header, string(text)
}

// A rawAppServer sends and compares frames of the service protocol as bytes.
type rawAppServer struct {
	t      *testing.T
	socket *websocket.Conn
	rest   []byte
}

func dialAppServer(t *testing.T, svc *servicetest.Service, hub string) *rawAppServer {
	t.Helper()
	token := servicetest.Token(t, "/aspnetserver", hub, accesstoken.Claim{Type: accesstoken.ClaimNameID, Value: "sdk"})
	header := http.Header{"Authorization": {"Bearer " + token}, "X-Asrs-Server-Id": {"sdk"}, "Asrs-User-Agent": {"Microsoft.Azure.SignalR.AspNet/1.24.0"}}
	socket, _, err := websocket.Dial(t.Context(), strings.Replace(svc.URL, "http", "ws", 1)+"/aspnetserver/?hub="+hub+"&cid=srvconn-1", &websocket.DialOptions{HTTPHeader: header})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = socket.CloseNow() })
	return &rawAppServer{t: t, socket: socket}
}

func (a *rawAppServer) send(frame []byte) {
	a.t.Helper()
	if err := a.socket.Write(a.t.Context(), websocket.MessageBinary, frame); err != nil {
		a.t.Fatal(err)
	}
}

// next returns the next frame, without pings.
func (a *rawAppServer) next() []byte {
	a.t.Helper()
	for {
		body, rest, err := serviceprotocol.SplitFrame(a.rest, 1<<20)
		if err != nil {
			a.t.Fatal(err)
		}
		if body == nil {
			ctx, cancel := context.WithTimeout(a.t.Context(), servicetest.Wait)
			_, message, err := a.socket.Read(ctx)
			cancel()
			if err != nil {
				a.t.Fatal(err)
			}
			a.rest = append(a.rest, message...)
			continue
		}
		frame := a.rest[:len(a.rest)-len(rest)]
		a.rest = rest
		if m, err := serviceprotocol.Parse(body); err != nil || m.Type() != serviceprotocol.TypePing {
			return frame
		}
	}
}

// The frames of Microsoft.Azure.SignalR.AspNet, as it writes and reads them.
func TestAspNetFramesOfTheSDK(t *testing.T) {
	svc := servicetest.Start(t, service.Config{})
	frames := map[string][]byte{}
	for _, f := range readAspNetVectors(t).Frames {
		b, err := hex.DecodeString(f.Hex)
		if err != nil {
			t.Fatal(err)
		}
		frames[f.Name] = b
	}
	app, chat := dialAppServer(t, svc, "app_app"), dialAppServer(t, svc, "app_chat")
	for _, a := range []*rawAppServer{app, chat} {
		a.send(frames["handshake_request"])
		if got, want := a.next(), frames["handshake_response_ok"]; !bytes.Equal(got, emptyForNil(want)) {
			t.Errorf("handshake: %x, want %x", got, want)
		}
	}
	alice := accesstoken.Claim{Type: accesstoken.ClaimUserID, Value: "alice"}
	ours := func(c *aspNetClient, name string) []byte { // the ids have one length
		return bytes.ReplaceAll(frames[name], []byte(vectorID), []byte(c.id))
	}
	open := func() *aspNetClient {
		c := newAspNetClient(t, svc, chatOnly, alice)
		c.dial("connect")
		c.expect(initialized)
		if m, err := serviceprotocol.Parse(payloadOf(app.next())); err != nil || m.(*serviceprotocol.OpenConnection).ConnectionID != c.id {
			t.Fatalf("OpenConnection: %+v, %v", m, err)
		}
		return c
	}
	c := open()
	expectFrame := func(a *rawAppServer, c *aspNetClient, name string) {
		t.Helper()
		if got, want := a.next(), ours(c, name); !bytes.Equal(got, want) && !bytes.Equal(got, emptyForNil(want)) {
			t.Errorf("%s: %x, want %x", name, got, want)
		}
	}
	c.write(`{"H":"chat","M":"Echo","A":["hi"],"I":0}`)
	expectFrame(app, c, "client_invocation")

	hello := `{"C":"0","M":[{"H":"Chat","M":"hello","A":["hi"]}]}`
	for _, step := range []struct {
		over        *rawAppServer
		frame, want string
	}{
		{app, "hub_result", `{"R":"hi","I":"0"}`},
		{app, "hub_result_void", `{"I":"1"}`},
		{app, "hub_result_hubexception", `{"I":"2","H":true,"E":"boom","D":{"k":1}}`},
		{app, "invoke_caller", hello},
		{app, "progress_own_sdk", `{"C":"0","M":[{"I":"P|3","P":{"I":"3","D":50}}]}`},
		{chat, "broadcast", hello},
		{chat, "broadcast_except", ""},
		{chat, "send_user", hello},
		{app, "join_group", ""},
		{app, "send_group", hello},
		{app, "send_group_except", ""},
		{app, "leave_group", ""},
		{app, "send_group", ""},
		{app, "join_group_with_tracing", ""},
		{app, "invoke_caller", hello},
	} {
		step.over.send(ours(c, step.frame))
		if strings.Contains(step.frame, "join") || strings.Contains(step.frame, "leave") {
			m, err := serviceprotocol.Parse(payloadOf(app.next()))
			if ack, ok := m.(*serviceprotocol.Ack); err != nil || !ok || ack.Status != serviceprotocol.AckOK {
				t.Errorf("%s: answered %+v, %v", step.frame, m, err)
			}
		}
		if step.want == "" {
			continue
		}
		got := c.read()
		if !strings.HasPrefix(step.frame, "hub_result_hub") && got != step.want {
			t.Errorf("%s: the client got %s, want %s", step.frame, got, step.want)
		} else if !strings.HasPrefix(got, step.want[:8]) {
			t.Errorf("%s: the client got %s", step.frame, got)
		}
	}
	_ = c.socket.CloseNow()
	c.dial("reconnect")
	expectFrame(app, c, "client_reconnected")
	c.do("POST", "abort"+c.query, "")
	expectFrame(app, c, "client_closed")
	c = open()
	app.send(ours(c, "server_closes_client"))
	c.expect("close 1000")
}

// emptyForNil returns a frame with an empty error for none, which the SDK reads alike.
func emptyForNil(frame []byte) []byte { return bytes.Replace(frame, []byte{0xc0}, []byte{0xa0}, 1) }

func payloadOf(frame []byte) []byte {
	body, _, _ := serviceprotocol.SplitFrame(frame, len(frame))
	return body
}

// A .NET client: its token in a header on every request, its own URL whatever negotiate answers, connectionData
// with brackets and capitals, forms without Content-Type, polls as text/plain with all parameters in the query,
// and Stop, which waits until the stream has ended.
func TestAspNetDotnetClient(t *testing.T) {
	svc, app := startAspNet(t, service.Config{})
	for _, transport := range []string{"webSockets", "serverSentEvents", "longPolling"} {
		t.Run(transport, func(t *testing.T) {
			c := newAspNetClient(t, svc, "")
			token := strings.Split(strings.Split(c.query, "connectionToken=")[1], "&")[0]
			query := "?clientProtocol=2.1&transport=" + transport + "&connectionData=[%7B%22Name%22:%22Chat%22%7D]&connectionToken=" + token + "&user=bob&asrs_request_id=r1"
			request := func(method, action, more, contentType, body string) *http.Response {
				t.Helper()
				r, err := http.NewRequestWithContext(t.Context(), method, svc.URL+"/aspnetclient/"+action+query+more, strings.NewReader(body))
				if err != nil {
					t.Fatal(err)
				}
				r.Header.Set("Authorization", "Bearer "+c.token)
				if contentType != "" {
					r.Header.Set("Content-Type", contentType)
				}
				response, err := http.DefaultClient.Do(r)
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { response.Body.Close() })
				return response
			}
			text := func(response *http.Response) string {
				t.Helper()
				b, err := io.ReadAll(response.Body)
				if err != nil || response.StatusCode != http.StatusOK {
					t.Fatalf("%d %q, %v", response.StatusCode, b, err)
				}
				return strings.TrimLeft(string(b), " ")
			}
			const plain = "text/plain; charset=utf-8"
			invocation, cursor := `{"I":"0","H":"Chat","M":"Echo","A":["a & b"]}`, "0"
			receive := func(action string) (next func(want string)) { // begins a stream
				switch transport {
				case "webSockets":
					header := http.Header{"Authorization": {"Bearer " + c.token}}
					socket, _, err := websocket.Dial(t.Context(), strings.Replace(svc.URL, "http", "ws", 1)+"/aspnetclient/"+action+query, &websocket.DialOptions{HTTPHeader: header})
					if err != nil {
						t.Fatal(err)
					}
					c.socket = socket
					return func(want string) { c.expect(want) }
				case "serverSentEvents":
					c.events = bufio.NewReader(request("GET", action, "&messageId="+cursor, "", "").Body)
					c.expectEvents("initialized")
					return func(want string) {
						if strings.HasPrefix(want, `{"R"`) {
							want = `{"C":"0","M":[` + want + `]}`
						}
						c.expectEvents(want)
					}
				}
				if action == "connect" {
					if got := text(request("POST", action, "", plain, "")); got != initialized {
						t.Errorf("connect: %s", got)
					}
				}
				return func(want string) {
					if want == initialized {
						return
					}
					var got struct {
						C string
						M []json.RawMessage
					}
					if err := json.Unmarshal([]byte(text(request("POST", "poll", "&messageId="+cursor, plain, ""))), &got); err != nil || len(got.M) != 1 || !strings.Contains(want, string(got.M[0])) {
						t.Errorf("poll: %s, %v, want %s", got.M, err, want)
					}
					cursor = got.C
				}
			}
			next := receive("connect")
			next(initialized)
			open := servicetest.Expect[*serviceprotocol.OpenConnection](app.AppServer)
			if !strings.Contains(open.QueryString, "&connectionData=[%7B%22Name%22:%22Chat%22%7D]&") {
				t.Errorf("OpenConnection has the query %q", open.QueryString)
			}
			if got := text(request("GET", "start", "", "", "")); got != `{ "Response": "started" }` {
				t.Errorf("start: %s", got)
			}
			if transport == "webSockets" {
				c.write(invocation)
			} else if got := text(request("POST", "send", "", "", "data="+strings.ReplaceAll(url.QueryEscape(invocation), "+", "%20"))); got != "" {
				t.Errorf("send: %s", got)
			}
			app.expectData(t, c.id, invocation)
			app.to(c.id, `{"R":"a & b","I":"0"}`)
			next(`{"R":"a & b","I":"0"}`)
			app.chat.Send(&serviceprotocol.BroadcastData{Payloads: payloads(call("Chat", "hello"))})
			next(call("Chat", "hello"))
			if transport != "longPolling" {
				next = receive("reconnect")
				app.expectData(t, c.id, "asrs:reconnect")
				app.to(c.id, call("Chat", "again"))
				next(call("Chat", "again"))
			}
			poll := make(chan string, 1)
			if transport == "longPolling" {
				go func() { poll <- text(request("POST", "poll", "&messageId="+cursor, plain, "")) }()
				waiting(t, poll)
			}
			if got := text(request("POST", "abort", "", plain, "")); got != "" {
				t.Errorf("abort: %s", got)
			}
			app.expectClose(t, c.id, "")
			switch transport {
			case "webSockets":
				c.expect("close 1000")
			case "serverSentEvents":
				if rest, err := io.ReadAll(c.events); len(rest) > 0 || err != nil {
					t.Errorf("after abort the stream has %q, %v", rest, err)
				}
			case "longPolling":
				if got := <-poll; !strings.HasSuffix(got, `"M":[]}`) {
					t.Errorf("after abort the poll has %s", got)
				}
			}
		})
	}
}

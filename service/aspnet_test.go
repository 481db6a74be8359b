package service_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"switchboard/accesstoken"
	"switchboard/aspnetprotocol"
	"switchboard/internal/servicetest"
	"switchboard/service"
	"switchboard/serviceprotocol"
)

// An aspNetApp is the double of an app server with Microsoft.Azure.SignalR.AspNet: the
// application "app" with the hubs "Chat" and "News".
type aspNetApp struct {
	*servicetest.AppServer // of the application
	chat, news             *servicetest.AppServer
}

func startAspNet(t *testing.T, c service.Config) (*servicetest.Service, *aspNetApp) {
	t.Helper()
	svc := servicetest.Start(t, c)
	return svc, &aspNetApp{svc.AspNetAppServer("app_app"), svc.AspNetAppServer("app_chat"), svc.AspNetAppServer("app_news")}
}

// payloads is what the SDK sends to many.
func payloads(text string) serviceprotocol.Payloads {
	return serviceprotocol.Payloads{{Protocol: "json", Data: aspnetprotocol.AppendWrapped(nil, []byte(text))}}
}

// call is a message that calls a method of clients.
func call(hub, method string) string {
	return fmt.Sprintf(`{"C":"0","M":[{"H":"%s","M":"%s","A":[]}]}`, hub, method)
}

// to sends texts to one client.
func (a *aspNetApp) to(id string, texts ...string) {
	for _, text := range texts {
		a.Send(&serviceprotocol.ConnectionData{ConnectionID: id, Payload: aspnetprotocol.AppendWrapped(nil, []byte(text))})
	}
}

// expectData expects that the client sends this.
func (a *aspNetApp) expectData(t *testing.T, id, text string) {
	t.Helper()
	if m := servicetest.Expect[*serviceprotocol.ConnectionData](a.AppServer); m.ConnectionID != id || string(m.Payload) != text {
		t.Errorf("the app server got %q of %q, want %q", m.Payload, m.ConnectionID, text)
	}
}

// expectClose expects that the client goes, with this text or one of another reason than its wish.
func (a *aspNetApp) expectClose(t *testing.T, id string, text string) {
	t.Helper()
	if m := servicetest.Expect[*serviceprotocol.CloseConnection](a.AppServer); m.ConnectionID != id || m.Error != text {
		t.Errorf("the app server got the close of %q with %q, want %q with %q", m.ConnectionID, m.Error, id, text)
	}
}

// An aspNetClient does what clients do, by hand.
type aspNetClient struct {
	t     *testing.T
	svc   *servicetest.Service
	token string // access token
	id    string
	query string // of all requests

	socket *websocket.Conn
	events *bufio.Reader
}

const chatOnly = `[{"name":"chat"}]`

func newAspNetClient(t *testing.T, svc *servicetest.Service, connectionData string, claims ...accesstoken.Claim) *aspNetClient {
	t.Helper()
	c := &aspNetClient{t: t, svc: svc, token: servicetest.AspNetToken(t, claims...)}
	status, body, _ := c.do("GET", "negotiate?clientProtocol=2.1&connectionData="+url.QueryEscape(connectionData), "")
	var answer struct{ Url, ConnectionToken, ConnectionId string } //nolint:revive // names of the wire
	if err := json.Unmarshal([]byte(body), &answer); status != 200 || err != nil || answer.Url != "/aspnetclient" {
		t.Fatalf("negotiate: %d %q, %v", status, body, err)
	}
	c.id = answer.ConnectionId
	c.query = "?clientProtocol=2.1&user=bob&connectionToken=" + url.QueryEscape(answer.ConnectionToken) + "&connectionData=" + url.QueryEscape(connectionData)
	return c
}

// do makes a request with the token in a header, and a form as body if that is not empty.
func (c *aspNetClient) do(method, pathAndQuery, body string) (status int, answer string, header http.Header) {
	c.t.Helper()
	response := c.begin(c.t.Context(), method, pathAndQuery, body)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		c.t.Fatalf("%s %s: %v", method, pathAndQuery, err)
	}
	return response.StatusCode, string(text), response.Header
}

func (c *aspNetClient) begin(ctx context.Context, method, pathAndQuery, body string) *http.Response {
	c.t.Helper()
	request, err := http.NewRequestWithContext(ctx, method, c.svc.URL+"/aspnetclient/"+pathAndQuery, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+c.token)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		c.t.Fatal(err)
	}
	return response
}

// dial opens a WebSocket, with the token in the query as browsers have it.
func (c *aspNetClient) dial(action string) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), servicetest.Wait)
	defer cancel()
	socket, response, err := websocket.Dial(ctx, strings.Replace(c.svc.URL, "http", "ws", 1)+"/aspnetclient/"+action+c.query+"&transport=webSockets&access_token="+c.token, nil)
	if err != nil {
		c.t.Fatalf("%s: %v %v", action, err, response)
	}
	c.socket = socket
	c.t.Cleanup(func() { _ = socket.CloseNow() })
}

func (c *aspNetClient) write(text string) {
	c.t.Helper()
	if err := c.socket.Write(c.t.Context(), websocket.MessageText, []byte(text)); err != nil {
		c.t.Fatal(err)
	}
}

// stream opens an event stream.
func (c *aspNetClient) stream(action string) (end context.CancelFunc) {
	c.t.Helper()
	ctx, cancel := context.WithCancel(c.t.Context())
	response := c.begin(ctx, "GET", action+c.query+"&transport=serverSentEvents", "")
	if response.StatusCode != 200 || response.Header.Get("Content-Type") != "text/event-stream" {
		c.t.Fatalf("%s: %v", action, response)
	}
	c.events = bufio.NewReader(response.Body)
	c.t.Cleanup(func() { cancel(); response.Body.Close() })
	c.expectEvents("initialized")
	return cancel
}

func (c *aspNetClient) expectEvents(want ...string) {
	c.t.Helper()
	for _, text := range want {
		for _, line := range []string{"data: " + text, ""} {
			if got, err := c.events.ReadString('\n'); strings.TrimRight(got, "\r\n") != line || err != nil {
				c.t.Fatalf("the event stream has %q, %v; want %q", got, err, line)
			}
		}
	}
}

// read returns the next message of the WebSocket.
func (c *aspNetClient) read() string {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), servicetest.Wait)
	defer cancel()
	_, message, err := c.socket.Read(ctx)
	if err != nil {
		c.t.Fatal(err)
	}
	return string(message)
}

// expect reads messages from the WebSocket; the last one may be "EOF" or "close <code>".
func (c *aspNetClient) expect(want ...string) {
	c.t.Helper()
	for _, text := range want {
		ctx, cancel := context.WithTimeout(c.t.Context(), servicetest.Wait)
		kind, message, err := c.socket.Read(ctx)
		cancel()
		got := string(message)
		if code := websocket.CloseStatus(err); code > 0 {
			got = fmt.Sprintf("close %d", code)
		} else if err != nil {
			got = "EOF"
		}
		if got != text || err == nil && kind != websocket.MessageText {
			c.t.Fatalf("the client got %v %q, %v; want %q", kind, got, err, text)
		}
	}
}

// poll makes a request of long polling as the JavaScript client does: parameters in a form.
func (c *aspNetClient) poll(action, messageID string) string {
	c.t.Helper()
	status, body, header := c.do("POST", action+c.query+"&transport=longPolling", "messageId="+url.QueryEscape(messageID)+"&groupsToken=")
	if status != 200 || header.Get("Content-Type") != "application/json; charset=UTF-8" {
		c.t.Fatalf("%s: %d %q", action, status, body)
	}
	return strings.TrimLeft(body, " ")
}

func (c *aspNetClient) expectPoll(messageID, want string) {
	c.t.Helper()
	if got := c.poll("poll", messageID); got != want {
		c.t.Errorf("poll after %s: %s, want %s", messageID, got, want)
	}
}

func (c *aspNetClient) expectStatus(action string, want int) {
	c.t.Helper()
	if status, body, _ := c.do("POST", action+c.query+"&transport=longPolling", "data=x"); status != want {
		c.t.Errorf("%s: %d %q, want %d", action, status, body, want)
	}
}

const initialized = `{"C":"0","S":1,"M":[]}`

// What the SDK sends reaches whom it is for.
func TestAspNet(t *testing.T) {
	svc, app := startAspNet(t, service.Config{})
	ann := newAspNetClient(t, svc, chatOnly, accesstoken.Claim{Type: accesstoken.ClaimUserID, Value: "ann"})
	ann.dial("connect")
	open := servicetest.Expect[*serviceprotocol.OpenConnection](app.AppServer)
	if open.ConnectionID != ann.id || open.QueryString == "" || strings.Contains(open.QueryString, "access_token") ||
		!strings.Contains(open.QueryString, "connectionToken="+ann.id) || !strings.Contains(open.QueryString, "user=bob") {
		t.Errorf("OpenConnection = %+v", open)
	}
	ann.expect(initialized)
	if status, body, _ := ann.do("GET", "start"+ann.query+"&transport=webSockets", ""); status != 200 || body != `{ "Response": "started" }` {
		t.Errorf("start: %d %q", status, body)
	}
	bob := newAspNetClient(t, svc, `[{"Name":"Chat"},{"Name":"News"}]`, accesstoken.Claim{Type: accesstoken.ClaimUserID, Value: "bob"})
	bob.stream("connect")
	servicetest.Expect[*serviceprotocol.OpenConnection](app.AppServer)
	bob.expectEvents(initialized)
	none := newAspNetClient(t, svc, "")
	none.dial("connect")
	servicetest.Expect[*serviceprotocol.OpenConnection](app.AppServer)
	none.expect(initialized)

	// Calls and results.
	invocation := `{"H":"chat","M":"Echo","A":["hi & bye"],"I":0}`
	ann.write(invocation)
	app.expectData(t, ann.id, invocation)
	if status, body, _ := bob.do("POST", "send"+bob.query+"&transport=serverSentEvents", "data="+url.QueryEscape(invocation)); status != 200 || body != "" {
		t.Errorf("send: %d %q", status, body)
	}
	app.expectData(t, bob.id, invocation)
	result := `{"R":"hi & bye","I":"0"}`
	app.to(ann.id, result)
	app.to(bob.id, result)
	ann.expect(result)
	bob.expectEvents(`{"C":"0","M":[` + result + `]}`) // else older clients would not see it

	// Hubs, users, groups, one client.
	app.chat.Send(&serviceprotocol.BroadcastData{Payloads: payloads(call("Chat", "all"))})
	ann.expect(call("Chat", "all"))
	bob.expectEvents(call("Chat", "all"))
	app.chat.Send(&serviceprotocol.BroadcastData{ExcludedConnectionIDs: []string{bob.id}, Payloads: payloads(call("Chat", "others"))})
	app.news.Send(&serviceprotocol.BroadcastData{Payloads: payloads(call("News", "all"))})
	ann.expect(call("Chat", "others"))
	bob.expectEvents(call("News", "all"))
	app.chat.Send(&serviceprotocol.UserData{UserID: "bob", Payloads: payloads(call("Chat", "user"))})
	bob.expectEvents(call("Chat", "user"))
	for i, id := range []string{ann.id, bob.id, none.id, "nobody"} {
		app.Send(&serviceprotocol.JoinGroupWithAck{ConnectionID: id, Group: "hg-Chat.room", AckID: i})
		want := serviceprotocol.AckOK
		if id == "nobody" {
			want = serviceprotocol.AckNotFound
		}
		if got := app.Ack(i); got != want {
			t.Errorf("join of %s: %v, want %v", id, got, want)
		}
	}
	app.Send(&serviceprotocol.GroupBroadcastData{Group: "hg-Chat.room", Payloads: payloads(call("Chat", "room"))})
	ann.expect(call("Chat", "room"))
	bob.expectEvents(call("Chat", "room"))
	app.Send(&serviceprotocol.LeaveGroupWithAck{ConnectionID: ann.id, Group: "hg-Chat.room", AckID: 9})
	if got := app.Ack(9); got != serviceprotocol.AckOK {
		t.Errorf("leave: %v", got)
	}
	app.Send(&serviceprotocol.GroupBroadcastData{Group: "hg-Chat.room", Payloads: payloads(call("Chat", "room"))})
	bob.expectEvents(call("Chat", "room"))
	app.to(none.id, call("Chat", "one")) // though it has not asked for the hub
	none.expect(call("Chat", "one"))
	app.chat.Send(&serviceprotocol.ConnectionData{ConnectionID: ann.id, Payload: aspnetprotocol.AppendWrapped(nil, []byte(call("Chat", "late")))})
	ann.expect(call("Chat", "late"))

	// The end, by either side.
	if status, _, _ := ann.do("POST", "abort"+ann.query+"&transport=webSockets", ""); status != 200 {
		t.Errorf("abort: %d", status)
	}
	app.expectClose(t, ann.id, "")
	ann.expect("close 1000")
	ann.expectStatus("send", 404)
	ann.expectStatus("poll", 404)
	ann.expectStatus("start", 404)
	ann.expectStatus("reconnect", 404)
	ann.expectStatus("abort", 200)
	app.Send(&serviceprotocol.CloseConnection{ConnectionID: none.id, Error: "secret"})
	none.expect("close 1000")
	app.Close()
	if rest, err := io.ReadAll(bob.events); len(rest) > 0 || err != nil {
		t.Errorf("the stream ends with %q, %v", rest, err)
	}
	if status, body, _ := bob.do("GET", "negotiate", ""); status != 503 {
		t.Errorf("negotiate without an app server: %d %q", status, body)
	}
}

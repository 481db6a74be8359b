package conformance_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// The habits of clients that do not run here, replayed byte by byte.
//
// Sources: aspnetcore-signalr reference, sections 1.5, 2 and 9; the Java client's
// HubConnection.java and GsonHubProtocol.java, the .NET client's HttpConnection.cs and
// WebSocketsTransport.cs, the Swift client's LongPollingTransport.swift.

// A habit is a client that does everything by hand.
type habit struct {
	t      *testing.T
	header http.Header // of each request
	url    string      // of the connection, with its token
	client *http.Client
	wrote  func(httptrace.WroteRequestInfo) // told when a request is on its way; may be nil
}

// negotiateByHand follows the redirect as strictly as the .NET client: every property that
// it insists on has to be there. The token is put into the query if inQuery.
func negotiateByHand(t *testing.T, app *app, header http.Header, inQuery bool) *habit {
	t.Helper()
	h := &habit{t: t, header: header.Clone(), client: &http.Client{Timeout: wait}}
	t.Cleanup(h.client.CloseIdleConnections)
	redirect := h.negotiate(app.url + "/hub/negotiate?negotiateVersion=1")
	target, token := redirect["url"].(string), redirect["accessToken"].(string)
	if list, ok := redirect["availableTransports"].([]any); !ok || len(list) != 0 {
		t.Errorf("availableTransports of a redirect: %v, want an empty array", redirect["availableTransports"])
	}
	if h.header == nil {
		h.header = http.Header{}
	}
	h.header.Set("Authorization", "Bearer "+token)
	at, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	negotiating := *at
	negotiating.Path = strings.TrimSuffix(at.Path, "/") + "/negotiate"
	answer := h.negotiate(negotiating.String())
	secret, ok := answer["connectionToken"].(string)
	if !ok || answer["connectionId"] == "" {
		t.Fatalf("negotiate answered %v, want connectionId and connectionToken", answer)
	}
	for name, value := range answer {
		if value == nil {
			t.Errorf("negotiate answered %s: null, which the Java client cannot read", name)
		}
	}
	query := at.Query()
	query.Set("id", secret)
	if inQuery {
		h.header.Del("Authorization")
		query.Set("access_token", token)
	}
	at.RawQuery = query.Encode()
	h.url = at.String()
	return h
}

func (h *habit) negotiate(at string) (answer map[string]any) {
	h.t.Helper()
	status, body := h.do(http.MethodPost, at, nil, "")
	if err := json.Unmarshal(body, &answer); status != http.StatusOK || err != nil {
		h.t.Fatalf("negotiate: %d %s", status, body)
	}
	return answer
}

// do sends a request; a kind is its Content-Type.
func (h *habit) do(method, at string, body []byte, kind string) (status int, answer []byte) {
	h.t.Helper()
	ctx := httptrace.WithClientTrace(h.t.Context(), &httptrace.ClientTrace{WroteRequest: h.wrote})
	r, err := http.NewRequestWithContext(ctx, method, at, bytes.NewReader(body))
	if err != nil {
		h.t.Fatal(err)
	}
	if h.header != nil {
		r.Header = h.header.Clone()
	}
	if kind != "" {
		r.Header.Set("Content-Type", kind)
	}
	response, err := h.client.Do(r)
	if err != nil {
		h.t.Fatal(err)
	}
	defer response.Body.Close()
	answer, err = io.ReadAll(response.Body)
	if err != nil {
		h.t.Fatal(err)
	}
	return response.StatusCode, answer
}

func (h *habit) dial() *websocket.Conn {
	h.t.Helper()
	conn, _, err := websocket.Dial(h.t.Context(), h.url, &websocket.DialOptions{HTTPHeader: h.header})
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { _ = conn.CloseNow() })
	return conn
}

// readStrictly returns the next messages of a WebSocket, which have to be text, and such
// as every client can read.
func readStrictly(t *testing.T, conn *websocket.Conn) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), wait)
	defer cancel()
	kind, b, err := conn.Read(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if kind != websocket.MessageText {
		t.Errorf("JSON came as %v", kind)
	}
	return strictly(t, string(b))
}

// properties are those that clients know, by type.
var properties = map[float64][]string{
	1: {"type", "target", "arguments", "invocationId"},
	2: {"type", "invocationId", "item"},
	3: {"type", "invocationId", "result", "error"},
	6: {"type"},
	7: {"type", "error", "allowReconnect"},
}

// strictly returns the messages in text, which must be whole. The Java client throws at
// headers, at null in what it knows but a result, and at types above 7.
func strictly(t *testing.T, text string) (messages []string) {
	t.Helper()
	whole, ok := strings.CutSuffix(text, "\x1e")
	if !ok {
		t.Fatalf("a message is cut: %q", text)
	}
	for message := range strings.SplitSeq(whole, "\x1e") {
		var m map[string]any
		if err := json.Unmarshal([]byte(message), &m); err != nil {
			t.Fatalf("%s: %v", message, err)
		}
		if len(m) > 0 {
			kind, _ := m["type"].(float64)
			for name, value := range m {
				if !strings.Contains(" "+strings.Join(properties[kind], " ")+" ", " "+name+" ") {
					t.Errorf("%s has %s, which some client cannot read", message, name)
				}
				if value == nil && name != "result" && name != "item" {
					t.Errorf("%s has null for %s", message, name)
				}
			}
			if kind == 6 {
				continue // a ping may come at any time
			}
		}
		messages = append(messages, message)
	}
	return messages
}

func wantMessages(t *testing.T, got []string, want ...string) {
	t.Helper()
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func startHabits(t *testing.T) *app {
	long(t)
	return startApp(t, startService(t, engines[0]), strings.ReplaceAll(t.Name(), "/", " "))
}

var (
	javaHeader = http.Header{"User-Agent": {"Microsoft SignalR/10.0 (10.0.0; Linux; Java; 21.0.2; Eclipse Adoptium)"}}
	netHeader  = http.Header{
		"User-Agent":           {"Microsoft SignalR/10.0 (10.0.0; Linux; .NET; .NET 10.0.0)"},
		"X-Signalr-User-Agent": {"Microsoft SignalR/10.0 (10.0.0; Linux; .NET; .NET 10.0.0)"},
		"X-Requested-With":     {"XMLHttpRequest"},
	}
	swiftHeader = http.Header{"User-Agent": {"Microsoft SignalR/1.0 (1.0.0; macOS; Swift)"}}
)

// Traps T38, T39: the Java client sends JSON in binary frames, and reads it strictly.
func TestHabitsT38T39JavaSendsBinaryFrames(t *testing.T) {
	conn := negotiateByHand(t, startHabits(t), javaHeader, false).dial()
	send := func(text string) {
		t.Helper()
		if err := conn.Write(t.Context(), websocket.MessageBinary, []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	send(`{"protocol":"json","version":1}` + "\x1e")
	wantMessages(t, readStrictly(t, conn), `{}`)
	send(`{"type":1,"invocationId":"1","target":"Add","arguments":[40,2]}` + "\x1e")
	wantMessages(t, readStrictly(t, conn), `{"type":3,"invocationId":"1","result":42}`)
	send(`{"type":1,"invocationId":"2","target":"FailTold","arguments":["no"]}` + "\x1e")
	wantMessages(t, readStrictly(t, conn), `{"type":3,"invocationId":"2","error":"An unexpected error occurred invoking 'FailTold' on the server. HubException: no"}`)
	send(`{"type":1,"invocationId":"3","target":"Nothing","arguments":[]}` + "\x1e")
	wantMessages(t, readStrictly(t, conn), `{"type":3,"invocationId":"3","result":null}`)
	send(`{"type":4,"invocationId":"4","target":"StreamNumbers","arguments":[0]}` + "\x1e")
	wantMessages(t, readStrictly(t, conn), `{"type":3,"invocationId":"4"}`)
	send(`{"type":1,"target":"SayAndAbort","arguments":["bye"]}` + "\x1e")
	got := readStrictly(t, conn)
	if len(got) < 2 {
		got = append(got, readStrictly(t, conn)...)
	}
	wantMessages(t, got, `{"type":1,"target":"Receive","arguments":["bye"]}`, `{"type":7}`)
	if _, _, err := conn.Read(t.Context()); websocket.CloseStatus(err) != websocket.StatusNormalClosure {
		t.Errorf("the socket ended with %v, want 1000", err)
	}
}

// Trap T40: the Java client ends long polling by DELETE, and waits for its open poll.
func TestTrapT40JavaDeletesWhileItPolls(t *testing.T) {
	h := negotiateByHand(t, startHabits(t), javaHeader, false)
	if status, body := h.do(http.MethodGet, h.url, nil, ""); status != http.StatusOK || len(body) > 0 {
		t.Fatalf("first poll: %d %q", status, body)
	}
	if status, _ := h.do(http.MethodPost, h.url, []byte(`{"protocol":"json","version":1}`+"\x1e"), "text/plain;charset=UTF-8"); status != http.StatusOK {
		t.Fatalf("POST: %d", status)
	}
	status, body := h.do(http.MethodGet, h.url, nil, "")
	wantMessages(t, strictly(t, string(body)), `{}`)
	if status != http.StatusOK {
		t.Errorf("poll: %d", status)
	}
	polled, asked := make(chan int, 1), make(chan struct{})
	h.wrote = func(httptrace.WroteRequestInfo) { close(asked) }
	go func() {
		status, _ := h.do(http.MethodGet, h.url, nil, "")
		polled <- status
	}()
	<-asked
	h.wrote = nil
	if status, body := h.do(http.MethodDelete, h.url, nil, ""); status != http.StatusAccepted || len(body) > 0 {
		t.Errorf("DELETE: %d %q, want 202", status, body)
	}
	select {
	case status := <-polled:
		if status != http.StatusNoContent && status != http.StatusNotFound {
			t.Errorf("the open poll: %d, want 204", status)
		}
	case <-time.After(wait):
		t.Error("the open poll was left waiting")
	}
}

// The .NET client sends its handshake and first calls as it likes: together, or cut, and
// closes with 1000.
func TestHabitsNetCutsAndJoinsFrames(t *testing.T) {
	app := startHabits(t)
	conn := negotiateByHand(t, app, netHeader, false).dial()
	write := func(text string) {
		t.Helper()
		if err := conn.Write(t.Context(), websocket.MessageText, []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	call := `{"type":1,"invocationId":"1","target":"ConnectionID","arguments":[]}` + "\x1e"
	write(`{"protocol":"json","version":1}` + "\x1e" + call[:20])
	write(call[20:40])
	write(call[40:] + `{"type":6}` + "\x1e" + `{"type":1,"target":"tocaller","arguments":["T24"]}` + "\x1e")
	var got []string
	for len(got) < 3 {
		got = append(got, readStrictly(t, conn)...)
	}
	var answer struct{ Result string }
	if err := json.Unmarshal([]byte(got[1]), &answer); err != nil {
		t.Fatal(err)
	}
	// Trap T24: its handlers are found by the exact name, so targets stay as the app wrote them.
	wantMessages(t, got, `{}`, `{"type":3,"invocationId":"1","result":"`+answer.Result+`"}`, `{"type":1,"target":"Receive","arguments":["T24"]}`)
	write(`{"type":7}` + "\x1e")
	if err := conn.Close(websocket.StatusNormalClosure, ""); err != nil {
		t.Errorf("close: %v", err)
	}
	o := app.endings.of(answer.Result)
	select {
	case <-o.told:
		if o.err != nil {
			t.Errorf("OnDisconnected(%v), want nil", o.err)
		}
	case <-time.After(wait):
		t.Error("OnDisconnected was not called")
	}
}

// The .NET client has its token in the header of every request, of an event stream too.
func TestHabitsNetHasItsTokenInTheHeader(t *testing.T) {
	streamEvents(t, negotiateByHand(t, startHabits(t), netHeader, false))
}

// The Swift client has it in the query of the stream.
func TestHabitsSwiftHasItsTokenInTheQuery(t *testing.T) {
	streamEvents(t, negotiateByHand(t, startHabits(t), swiftHeader, true))
}

func streamEvents(t *testing.T, h *habit) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, h.url, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header = h.header.Clone()
	r.Header.Set("Accept", "text/event-stream")
	stream, err := h.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Body.Close()
	if kind := stream.Header.Get("Content-Type"); stream.StatusCode != http.StatusOK || kind != "text/event-stream" {
		t.Fatalf("stream: %d %s", stream.StatusCode, kind)
	}
	h.do(http.MethodPost, h.url, []byte(`{"protocol":"json","version":1}`+"\x1e"), "")
	h.do(http.MethodPost, h.url, []byte(`{"type":1,"invocationId":"1","target":"Add","arguments":[1,2]}`+"\x1e"), "")
	var got []string
	text := ""
	for buffer := make([]byte, 4096); len(got) < 2; {
		n, err := stream.Body.Read(buffer)
		if err != nil {
			t.Fatal(err)
		}
		text += string(buffer[:n])
		for {
			event, rest, ok := strings.Cut(text, "\r\n\r\n")
			if !ok {
				break
			}
			text = rest
			// As strict as the .NET client: lines are data or comments.
			for line := range strings.SplitSeq(event, "\r\n") {
				if data, ok := strings.CutPrefix(line, "data: "); ok {
					got = append(got, strictly(t, data)...)
				} else if !strings.HasPrefix(line, ":") {
					t.Fatalf("line %q of an event", line)
				}
			}
		}
	}
	wantMessages(t, got, `{}`, `{"type":3,"invocationId":"1","result":3}`)
}

// Trap T17: the Swift client polls on and on unless a poll is answered 204, so a connection
// that has ended gives it one.
func TestTrapT17SwiftPollsUntilItIsTold(t *testing.T) {
	h := negotiateByHand(t, startHabits(t), swiftHeader, false)
	h.do(http.MethodGet, h.url, nil, "")
	h.do(http.MethodPost, h.url, []byte(`{"protocol":"json","version":1}`+"\x1e"+`{"type":1,"target":"Abort","arguments":[]}`+"\x1e"), "")
	var got []string
	for range 10 {
		status, body := h.do(http.MethodGet, h.url, nil, "")
		if status == http.StatusNoContent {
			wantMessages(t, got, `{}`, `{"type":7}`)
			return
		}
		if status != http.StatusOK {
			t.Fatalf("a poll was answered %d before 204", status)
		}
		if len(body) > 0 {
			got = append(got, strictly(t, string(body))...)
		}
	}
	t.Error("no poll was answered 204")
}

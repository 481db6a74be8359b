package service_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"switchboard/accesstoken"
	"switchboard/hubprotocol"
	"switchboard/internal/servicetest"
	"switchboard/service"
	"switchboard/serviceprotocol"
)

const (
	hello        = `{"protocol":"json","version":1}` + "\x1e"
	welcome      = "{}\x1e"
	eventStream  = "text/event-stream"
	textPlain    = "text/plain"
	octetStream  = "application/octet-stream"
	noConnection = "No Connection with that ID"
)

// A requester is a client that is carried by requests.
type requester struct {
	t          *testing.T
	service    *servicetest.Service
	client     *http.Client
	token      string // access token; "" sends none
	id, secret string // connection id and token
}

func newRequester(t *testing.T, s *servicetest.Service, claims ...accesstoken.Claim) *requester {
	t.Helper()
	q := &requester{t: t, service: s, client: &http.Client{Transport: &http.Transport{}}, token: servicetest.Token(t, "/client", "chat", claims...)}
	t.Cleanup(func() {
		if response, err := q.start(context.Background(), "DELETE", "", ""); err == nil {
			response.Body.Close() // else the service waits for a last poll
		}
		q.client.CloseIdleConnections()
	})
	_, body := request(t, "POST", s.URL+"/client/negotiate?hub=chat&negotiateVersion=1", q.token, nil)
	var answer struct{ ConnectionID, ConnectionToken string }
	if err := json.Unmarshal([]byte(body), &answer); err != nil {
		t.Fatal(err)
	}
	q.id, q.secret = answer.ConnectionID, answer.ConnectionToken
	return q
}

// start sends a request and returns its answer, whose body is not read.
func (q *requester) start(ctx context.Context, method, accept, body string) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, method, q.service.URL+"/client/?hub=chat&id="+q.secret, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	if q.token != "" {
		r.Header.Set("Authorization", "Bearer "+q.token)
	}
	if accept != "" {
		r.Header.Set("Accept", accept)
	}
	return q.client.Do(r)
}

// An answer is what a client looks at.
type answer struct {
	status            int
	contentType, body string
}

func (q *requester) do(method, accept, body string) answer {
	q.t.Helper()
	ctx, cancel := context.WithTimeout(q.t.Context(), servicetest.Wait)
	defer cancel()
	response, err := q.start(ctx, method, accept, body)
	if err != nil {
		q.t.Fatal(err)
	}
	defer response.Body.Close()
	b, err := io.ReadAll(response.Body)
	if err != nil {
		q.t.Fatal(err)
	}
	return answer{response.StatusCode, response.Header.Get("Content-Type"), string(b)}
}

func (q *requester) expect(method, body string, want answer) {
	q.t.Helper()
	if got := q.do(method, "", body); got != want {
		q.t.Errorf("%s: %+v, want %+v", method, got, want)
	}
}

func (q *requester) post(body string) {
	q.t.Helper()
	q.expect("POST", body, answer{200, textPlain, ""})
}

// poll wants a poll to be answered with the body.
func (q *requester) poll(body string) {
	q.t.Helper()
	q.expect("GET", "", answer{200, octetStream, body})
}

// polling starts a poll that will wait.
func (q *requester) polling() <-chan answer {
	result := make(chan answer, 1)
	go func() { result <- q.do("GET", "", "") }()
	return result
}

// waiting returns a poll that waits by now: it has replaced another one.
func (q *requester) waiting() <-chan answer {
	q.t.Helper()
	one, other := q.polling(), q.polling()
	var got answer
	result := one
	select {
	case got = <-one:
		result = other
	case got = <-other:
	case <-time.After(servicetest.Wait):
	}
	if got != (answer{204, textPlain, ""}) {
		q.t.Fatalf("a replaced poll is answered with %+v, want 204", got)
	}
	return result
}

func (q *requester) wait(result <-chan answer, want answer) {
	q.t.Helper()
	select {
	case got := <-result:
		if got != want {
			q.t.Errorf("poll: %+v, want %+v", got, want)
		}
	case <-time.After(servicetest.Wait):
		q.t.Fatal("the poll is not answered")
	}
}

// open makes a long-polling connection that the app server has accepted.
func openPolling(t *testing.T, s *servicetest.Service, a *servicetest.AppServer, claims ...accesstoken.Claim) *requester {
	t.Helper()
	q := newRequester(t, s, claims...)
	q.poll("")
	q.post(hello)
	if got := a.Accept().ConnectionID; got != q.id {
		t.Fatalf("connection %s opens, want %s", got, q.id)
	}
	q.poll(welcome)
	return q
}

func data(id, payload string) *serviceprotocol.ConnectionData {
	return &serviceprotocol.ConnectionData{ConnectionID: id, Payload: []byte(payload)}
}

func TestLongPolling(t *testing.T) {
	s := servicetest.Start(t, service.Config{})
	a := s.AppServer("chat")
	q := openPolling(t, s, a)

	q.post("{\"type\":6}\x1e")
	if got := servicetest.Expect[*serviceprotocol.ConnectionData](a); string(got.Payload) != "{\"type\":6}\x1e" {
		t.Errorf("the app server got %q", got.Payload)
	}
	a.Send(data(q.id, "one\x1e"), data(q.id, "two\x1e"), &serviceprotocol.BroadcastData{
		Payloads: serviceprotocol.Payloads{{Protocol: "json", Data: []byte("all\x1e")}}})
	got := ""
	for got != "one\x1etwo\x1eall\x1e" && strings.HasPrefix("one\x1etwo\x1eall\x1e", got) {
		answer := q.do("GET", "", "")
		got += answer.body
	}
	if got != "one\x1etwo\x1eall\x1e" {
		t.Errorf("polls brought %q", got)
	}

	waiting := q.waiting()
	a.Send(data(q.id, "three\x1e"))
	q.wait(waiting, answer{200, octetStream, "three\x1e"})

	q.token = "" // it may have expired; the connection token is enough
	q.post("{\"type\":6}\x1e")
	servicetest.Expect[*serviceprotocol.ConnectionData](a)
	waiting = q.waiting()
	q.expect("DELETE", "", answer{202, textPlain, ""})
	q.wait(waiting, answer{204, textPlain, ""})
	if got := servicetest.Expect[*serviceprotocol.CloseConnection](a); got.ConnectionID != q.id || got.Error != "" {
		t.Errorf("the app server got %+v", got)
	}
	q.token = servicetest.Token(t, "/client", "chat")
	for _, method := range []string{"GET", "POST", "DELETE"} {
		q.expect(method, "", answer{404, textPlain, noConnection})
	}
}

func TestPollHeaders(t *testing.T) {
	s := servicetest.Start(t, service.Config{})
	s.AppServer("chat")
	response, err := newRequester(t, s).start(t.Context(), "GET", "", "")
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	want := map[string]string{
		"Cache-Control": "no-cache, no-store", "Pragma": "no-cache", "Expires": "Thu, 01 Jan 1970 00:00:00 GMT",
		"Content-Length": "0", "Content-Type": octetStream,
	}
	for name, value := range want {
		if got := response.Header.Get(name); got != value {
			t.Errorf("%s: %q, want %q", name, got, value)
		}
	}
}

func TestNewerPollReplacesAnOlderOne(t *testing.T) {
	s := servicetest.Start(t, service.Config{})
	a := s.AppServer("chat")
	q := openPolling(t, s, a)
	for range 10 {
		waiting := q.waiting()
		a.Send(data(q.id, "x\x1e"))
		q.wait(waiting, answer{200, octetStream, "x\x1e"})
	}
}

// What the hub said last is delivered, and then one poll is told of the end.
func TestPollsOfAConnectionThatTheAppServerCloses(t *testing.T) {
	s := servicetest.Start(t, service.Config{})
	a := s.AppServer("chat")
	q := openPolling(t, s, a)
	a.Send(data(q.id, "last\x1e"), &serviceprotocol.CloseConnection{ConnectionID: q.id})
	var got strings.Builder
	for {
		answer := q.do("GET", "", "")
		got.WriteString(answer.body)
		if answer.status == 204 {
			break
		}
		if answer.status != 200 {
			t.Fatalf("poll: %+v", answer)
		}
	}
	if want := "last\x1e{\"type\":7}\x1e"; got.String() != want {
		t.Errorf("polls brought %q, want %q", got.String(), want)
	}
	q.expect("GET", "", answer{404, textPlain, noConnection})
}

func TestClientThatDoesNotPollIsEnded(t *testing.T) {
	s := servicetest.Start(t, service.Config{Timeouts: service.Timeouts{PollWait: time.Minute}})
	a := s.AppServer("chat")
	q := openPolling(t, s, a, accesstoken.Claim{Type: accesstoken.ClaimPollWait, Value: "1"})
	start := time.Now()
	if got := servicetest.Expect[*serviceprotocol.CloseConnection](a); got.ConnectionID != q.id {
		t.Errorf("the app server got %+v", got)
	}
	if took := time.Since(start); took < 500*time.Millisecond {
		t.Errorf("ended after %v, want a second", took)
	}
	gone := answer{404, textPlain, noConnection}
	got := q.do("GET", "", "")
	if got.status == 204 { // the poll came before the connection was forgotten
		got = q.do("GET", "", "")
	}
	if got != gone {
		t.Errorf("GET: %+v, want %+v", got, gone)
	}
}

// A connection may carry binary over long polling, and many messages in a body.
func TestLongPollingOfMessagePack(t *testing.T) {
	s := servicetest.Start(t, service.Config{})
	a := s.AppServer("chat")
	q := newRequester(t, s)
	q.poll("")
	ping, err := hubprotocol.MessagePack.Append(nil, &hubprotocol.Ping{})
	if err != nil {
		t.Fatal(err)
	}
	q.post(strings.Replace(hello, "json", "messagepack", 1) + string(ping))
	if got := a.Accept(); got.Protocol != "messagepack" {
		t.Errorf("protocol %q", got.Protocol)
	}
	if got := servicetest.Expect[*serviceprotocol.ConnectionData](a); string(got.Payload) != string(ping) {
		t.Errorf("the app server got %q, want a ping", got.Payload)
	}
	a.Send(data(q.id, string(ping)))
	got := ""
	for len(got) < len(welcome)+len(ping) {
		got += q.do("GET", "", "").body
	}
	if got != welcome+string(ping) {
		t.Errorf("polls brought %q", got)
	}
}

// events reads a stream, event by event.
type events struct {
	t    *testing.T
	body io.ReadCloser
	in   *bufio.Reader
	stop context.CancelFunc
}

func (q *requester) stream() *events {
	q.t.Helper()
	ctx, stop := context.WithTimeout(q.t.Context(), time.Minute)
	q.t.Cleanup(stop)
	response, err := q.start(ctx, "GET", "application/json, "+eventStream+";q=0.9", "")
	if err != nil {
		q.t.Fatal(err)
	}
	q.t.Cleanup(func() { response.Body.Close() })
	want := map[string]string{
		"Content-Type": eventStream, "Cache-Control": "no-cache,no-store", "Pragma": "no-cache",
		"Content-Encoding": "identity", "X-Accel-Buffering": "no",
	}
	for name, value := range want {
		if got := response.Header.Get(name); response.StatusCode != 200 || got != value {
			q.t.Errorf("%d, %s: %q, want 200, %q", response.StatusCode, name, got, value)
		}
	}
	e := &events{q.t, response.Body, bufio.NewReader(response.Body), stop}
	if line := e.line(); line != ":\r\n" {
		q.t.Errorf("the stream begins with %q, want a comment", line)
	}
	return e
}

func (e *events) line() string {
	e.t.Helper()
	line, err := e.in.ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		e.t.Fatal(err)
	}
	return line
}

// expect reads events until want has come; each is whole messages.
func (e *events) expect(want string) {
	e.t.Helper()
	got := ""
	for got != want {
		var lines []string
		line := e.line()
		for ; line != "\r\n" && line != ""; line = e.line() {
			text, ok := strings.CutPrefix(strings.TrimSuffix(line, "\r\n"), "data: ")
			if !ok {
				e.t.Fatalf("the stream has %q", line)
			}
			lines = append(lines, text)
		}
		event := strings.Join(lines, "\n")
		got += event
		if line == "" || !strings.HasPrefix(want, got) || !strings.HasSuffix(event, "\x1e") {
			e.t.Fatalf("the stream brought %q, want %q", got, want)
		}
	}
}

func (e *events) expectEnd() {
	e.t.Helper()
	if line := e.line(); line != "" {
		e.t.Errorf("the stream goes on with %q", line)
	}
}

func TestServerSentEvents(t *testing.T) {
	s := servicetest.Start(t, service.Config{})
	a := s.AppServer("chat")
	q := newRequester(t, s)
	e := q.stream()
	q.post(hello[:10])
	q.post(hello[10:] + "{\"type\":6}\x1e")
	a.Accept()
	servicetest.Expect[*serviceprotocol.ConnectionData](a)
	e.expect(welcome)
	a.Send(data(q.id, "one\x1e"), data(q.id, "{\n\"two\":\r\n2}\x1e"), data(q.id, "large "+strings.Repeat("x", 200_000)+"\x1e"))
	e.expect("one\x1e{\n\"two\":\n2}\x1elarge " + strings.Repeat("x", 200_000) + "\x1e")

	q.token = ""
	q.post("{\"type\":6}\x1e")
	servicetest.Expect[*serviceprotocol.ConnectionData](a)
	a.Send(&serviceprotocol.CloseConnection{ConnectionID: q.id, Error: "enough"})
	e.expect("{\"type\":7,\"error\":\"Connection closed with an error.\"}\x1e")
	e.expectEnd()
	q.token = servicetest.Token(t, "/client", "chat")
	q.expect("POST", "", answer{404, textPlain, noConnection})
}

func TestStreamThatTheClientEnds(t *testing.T) {
	s := servicetest.Start(t, service.Config{})
	a := s.AppServer("chat")
	q := newRequester(t, s)
	e := q.stream()
	q.post(hello)
	a.Accept()
	e.expect(welcome)
	e.stop()
	if got := servicetest.Expect[*serviceprotocol.CloseConnection](a); got.ConnectionID != q.id {
		t.Errorf("the app server got %+v", got)
	}
}

func TestStreamOfABinaryProtocol(t *testing.T) {
	s := servicetest.Start(t, service.Config{})
	s.AppServer("chat")
	q := newRequester(t, s)
	e := q.stream()
	q.do("POST", "", strings.Replace(hello, "json", "messagepack", 1)) // the answer may be that it has ended
	e.expect(`{"error":"Cannot use the 'messagepack' protocol on the current transport. The transport does not support 'Binary' transfer format."}` + "\x1e")
	e.expectEnd()
}

// A client that does not read its stream is closed.
func TestSlowStream(t *testing.T) {
	s := servicetest.Start(t, service.Config{Timeouts: service.Timeouts{ClientSend: time.Second}})
	a := s.AppServer("chat")
	q := newRequester(t, s)
	e := q.stream()
	q.post(hello)
	a.Accept()
	e.expect(welcome)
	for range 15 { // more than the buffers of two sockets, less than the queue's bound at once
		a.Send(data(q.id, strings.Repeat("x", 1<<20)+"\x1e"))
	}
	if got := servicetest.Expect[*serviceprotocol.CloseConnection](a); got.ConnectionID != q.id || !strings.HasPrefix(got.Error, "Too many messages") {
		t.Errorf("the app server got %+v", got)
	}
}

// The wrong request at the wrong time.
func TestTransportsAreNotMixed(t *testing.T) {
	s := servicetest.Start(t, service.Config{})
	a := s.AppServer("chat")
	const mid = "Cannot change transports mid-connection"
	const noDelete = "Cannot terminate this connection using the DELETE endpoint."

	polling := openPolling(t, s, a)
	if got, want := polling.do("GET", eventStream, ""), (answer{400, textPlain, mid}); got != want {
		t.Errorf("stream of a polling connection: %+v, want %+v", got, want)
	}
	streaming := newRequester(t, s)
	e := streaming.stream()
	streaming.expect("GET", "", answer{400, textPlain, mid})
	streaming.expect("DELETE", "", answer{400, textPlain, noDelete})
	if got := streaming.do("GET", eventStream, ""); got.status != 409 || got.body != "" {
		t.Errorf("second stream: %+v, want 409", got)
	}
	e.stop()

	socket := newRequester(t, s)
	s.Dial("/client/?hub=chat&id="+socket.secret, socket.token)
	socket.expect("GET", "", answer{400, textPlain, mid})
	socket.expect("POST", "", answer{405, textPlain, "POST requests are not allowed for WebSocket connections."})
	socket.expect("DELETE", "", answer{400, textPlain, noDelete})

	none := newRequester(t, s)
	none.secret = ""
	for _, method := range []string{"GET", "POST", "DELETE"} {
		none.expect(method, "", answer{400, textPlain, "Connection ID required"})
	}
	none.secret = "unknown"
	for _, method := range []string{"GET", "POST", "DELETE"} {
		none.expect(method, "", answer{404, textPlain, noConnection})
	}
	none.token = ""
	for _, method := range []string{"GET", "POST", "DELETE"} {
		none.expect(method, "", answer{401, textPlain, ""})
	}
}

// The app server says which transports its clients may use.
func TestAllowedTransports(t *testing.T) {
	s := servicetest.Start(t, service.Config{})
	s.AppServer("chat")
	q := newRequester(t, s, accesstoken.Claim{Type: accesstoken.ClaimTransports, Value: "4"})
	_, body := request(t, "POST", s.URL+"/client/negotiate?hub=chat&negotiateVersion=1", q.token, nil)
	if want := `"availableTransports":[{"transport":"LongPolling","transferFormats":["Text","Binary"]}]`; !strings.Contains(body, want) {
		t.Errorf("negotiate: %s, want %s", body, want)
	}
	if got, want := q.do("GET", eventStream, ""), (answer{404, textPlain, "ServerSentEvents transport not supported by this end point type"}); got != want {
		t.Errorf("stream: %+v, want %+v", got, want)
	}
	q.poll("")
}

// A POST may come before the first GET; it is answered then.
func TestPostBeforeTheFirstGet(t *testing.T) {
	s := servicetest.Start(t, service.Config{})
	a := s.AppServer("chat")
	q := newRequester(t, s)
	posted := make(chan answer, 1)
	go func() { posted <- q.do("POST", "", hello) }()
	e := q.stream()
	q.wait(posted, answer{200, textPlain, ""})
	a.Accept()
	e.expect(welcome)
	e.stop()
}

func TestPostWhoseConnectionNeverComes(t *testing.T) {
	s := servicetest.Start(t, service.Config{Timeouts: service.Timeouts{Connect: time.Second}})
	newRequester(t, s).expect("POST", hello, answer{404, textPlain, noConnection})
}

// An app server that does not keep up holds up the POSTs of its clients.
func TestPostsWaitForTheAppServer(t *testing.T) {
	s := servicetest.Start(t, service.Config{Limits: service.Limits{ServerQueueBytes: 64 << 10}})
	a := s.AppServer("chat")
	q := openPolling(t, s, a)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	const size = 20 << 20
	r, err := http.NewRequestWithContext(ctx, "POST", s.URL+"/client/?hub=chat&id="+q.secret, io.LimitReader(endless{}, size))
	if err != nil {
		t.Fatal(err)
	}
	result := make(chan error, 1)
	go func() {
		response, err := q.client.Do(r)
		if err == nil {
			response.Body.Close()
			if response.StatusCode != 200 {
				err = fmt.Errorf("status %d", response.StatusCode)
			}
		}
		result <- err
	}()
	for got := 0; got < size; {
		got += len(servicetest.Expect[*serviceprotocol.ConnectionData](a).Payload)
	}
	if err := <-result; err != nil {
		t.Error(err)
	}
}

// endless is the beginning of a hub message that does not end.
type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}

func TestShutdownEndsRequests(t *testing.T) {
	s := servicetest.Start(t, service.Config{})
	a := s.AppServer("chat")
	q := openPolling(t, s, a)
	streaming := newRequester(t, s)
	e := streaming.stream()
	streaming.post(hello)
	a.Accept()
	e.expect(welcome)
	waiting := q.waiting()
	ctx, cancel := context.WithTimeout(t.Context(), servicetest.Wait)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- s.Shutdown(ctx) }()
	const bye = `{"type":7,"error":"Service reloading, please reconnect.","allowReconnect":true}` + "\x1e"
	e.expect(bye)
	e.expectEnd()
	select {
	case got := <-waiting:
		if got != (answer{200, octetStream, bye}) && got.status != 204 {
			t.Errorf("poll: %+v, want the goodbye", got)
		}
	case <-time.After(servicetest.Wait):
		t.Fatal("the poll is not answered")
	}
	if got := q.do("GET", "", ""); got.status == 200 && got.body == bye { // the first came too early
		q.expect("GET", "", answer{204, textPlain, ""})
	}
	if err := <-ended; err != nil {
		t.Errorf("shutdown: %v", err)
	}
}

// A connection ends with its user's authentication if the app wants that, on every
// transport.
func TestAuthenticationExpires(t *testing.T) {
	s := servicetest.Start(t, service.Config{})
	a := s.AppServer("chat")
	soon := accesstoken.Claim{Type: accesstoken.ClaimExpiry, Value: fmt.Sprint(time.Now().Add(2 * time.Second).Unix())}
	wanted := accesstoken.Claim{Type: accesstoken.ClaimCloseOnExpiry, Value: "true"}
	const bye = `{"type":7,"allowReconnect":true}` + "\x1e"

	lives, _ := s.Open(a, "chat", "json", soon) // its app does not want it
	socket, _ := s.Open(a, "chat", "json", soon, wanted)
	streaming := newRequester(t, s, soon, wanted)
	e := streaming.stream()
	streaming.post(hello)
	a.Accept()
	e.expect(welcome)
	polling := openPolling(t, s, a, soon, wanted)

	waiting := polling.waiting()
	socket.Expect(bye)
	socket.ExpectClose()
	e.expect(bye)
	e.expectEnd()
	polling.wait(waiting, answer{200, octetStream, bye})
	for range 3 {
		if got := servicetest.Expect[*serviceprotocol.CloseConnection](a); got.Error != "" {
			t.Errorf("the app server got %+v, want no error", got)
		}
	}
	lives.Send("{\"type\":6}\x1e")
	servicetest.Expect[*serviceprotocol.ConnectionData](a)
}

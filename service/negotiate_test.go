package service_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"switchboard/accesstoken"
	"switchboard/internal/servicetest"
	"switchboard/service"
	"switchboard/serviceprotocol"
)

// request sends a request and returns the answer with its body.
func request(t *testing.T, method, url, token string, header http.Header) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, values := range header {
		r.Header[name] = values
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := http.DefaultTransport.(*http.Transport).Clone().RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response, string(body)
}

func TestNegotiate(t *testing.T) {
	svc := servicetest.Start(t, service.Config{})
	token := servicetest.Token(t, "/client", "chat")
	for _, path := range []string{"/client/negotiate?hub=chat&negotiateVersion=1", "/client/negotiate/?hub=Chat&negotiateVersion=5&asrs.op=%2Fchat"} {
		response, body := request(t, "POST", svc.URL+path, token, nil)
		var answer struct {
			NegotiateVersion              int
			ConnectionID, ConnectionToken string
			AvailableTransports           []struct {
				Transport       string
				TransferFormats []string
			}
		}
		if err := json.Unmarshal([]byte(body), &answer); err != nil || response.StatusCode != 200 {
			t.Fatalf("%s: %d %q (%v)", path, response.StatusCode, body, err)
		}
		if answer.NegotiateVersion != 1 || answer.ConnectionID == "" || answer.ConnectionToken == "" || answer.ConnectionToken == answer.ConnectionID {
			t.Errorf("%s: answer = %+v, want version 1 with an id and another token", path, answer)
		}
		if got := response.Header.Get("Content-Type"); got != "application/json" {
			t.Errorf("%s: content type = %q, want application/json", path, got)
		}
		if got, want := fmt.Sprint(answer.AvailableTransports), "[{WebSockets [Text Binary]} {ServerSentEvents [Text]} {LongPolling [Text Binary]}]"; got != want {
			t.Errorf("%s: transports = %s, want %s", path, got, want)
		}
	}
	_, body := request(t, "POST", svc.URL+"/client/negotiate?hub=chat", token, nil)
	if !strings.Contains(body, `"negotiateVersion":0`) || strings.Contains(body, "connectionToken") {
		t.Errorf("version 0: %s, want version 0 without a token", body)
	}
	_, body = request(t, "POST", svc.URL+"/client/negotiate?hub=chat&negotiateVersion=x", token, nil)
	if got, want := body, `{"error":"The client requested a non-integer protocol version."}`; got != want {
		t.Errorf("version x: %s, want %s", got, want)
	}
}

func TestRefusedRequests(t *testing.T) {
	svc := servicetest.Start(t, service.Config{})
	good := servicetest.Token(t, "/client", "chat")
	expired, err := accesstoken.Sign(servicetest.Key, accesstoken.HS256, accesstoken.Token{
		Audience: "http://x/client/?hub=chat", Expires: time.Now().Add(-time.Minute)})
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := accesstoken.Sign("another key", accesstoken.HS256, accesstoken.Token{
		Audience: "http://x/client/?hub=chat", Expires: time.Now().Add(time.Minute)})
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, method, path, token string
		status                    int
		says                      string // in the body or the challenge
	}{
		{"no hub", "POST", "/client/negotiate", good, 400, "'hub'"},
		{"two hubs", "POST", "/client/negotiate?hub=chat&hub=b", good, 400, "'hub'"},
		{"bad hub name", "POST", "/client/negotiate?hub=1chat", good, 400, "not valid"},
		{"no token", "POST", "/client/negotiate?hub=chat", "", 401, ""},
		{"expired token", "POST", "/client/negotiate?hub=chat", expired, 401, "expired"},
		{"wrong key", "POST", "/client/negotiate?hub=chat", foreign, 401, "signature"},
		{"another hub's token", "POST", "/client/negotiate?hub=other", good, 401, "Failed to validate audience"},
		{"app server's token", "POST", "/client/negotiate?hub=chat", servicetest.Token(t, "/server", "chat"), 401, "Failed to validate audience"},
		{"token over 4 KiB", "POST", "/client/negotiate?hub=chat", good + strings.Repeat("x", 4096), 413, "4096"},
		{"GET of negotiate", "GET", "/client/negotiate?hub=chat", good, 405, ""},
		{"PUT", "PUT", "/client/?hub=chat&id=x", good, 405, ""},
		{"long URI", "POST", "/client/negotiate?hub=chat&x=" + strings.Repeat("x", 13<<10), good, 414, "12 KiB"},
		{"long headers", "POST", "/client/negotiate?hub=chat", strings.Repeat("x", 64<<10), 431, ""},
		{"server without token", "GET", "/server/?hub=chat", "", 401, ""},
		{"server with client's token", "GET", "/server/?hub=chat", good, 401, "Failed to validate audience"},
		{"server without hub", "GET", "/server/", good, 400, "'hub'"},
		{"server without upgrade", "GET", "/server/?hub=chat", servicetest.Token(t, "/server", "chat"), 426, ""},
		{"unknown path", "GET", "/nothing", "", 404, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			response, body := request(t, tt.method, svc.URL+tt.path, tt.token, nil)
			said := body + response.Header.Get("WWW-Authenticate")
			if response.StatusCode != tt.status || !strings.Contains(said, tt.says) {
				t.Errorf("answer = %d %q, want %d and %q", response.StatusCode, said, tt.status, tt.says)
			}
			if tt.token != "" && strings.Contains(said, tt.token) {
				t.Errorf("the answer shows the token: %q", said)
			}
			if tt.status == 401 && body != "" { // JavaScript clients show the body instead
				t.Errorf("body of a 401 = %q, want none", body)
			}
		})
	}
}

func TestTrapT13PreflightNeedsNoToken(t *testing.T) {
	svc := servicetest.Start(t, service.Config{})
	response, _ := request(t, "OPTIONS", svc.URL+"/client/negotiate?hub=chat", "", http.Header{
		"Origin":                         {"https://app.example"},
		"Access-Control-Request-Method":  {"POST"},
		"Access-Control-Request-Headers": {"authorization,x-requested-with,x-signalr-user-agent"},
	})
	for name, want := range map[string]string{
		"Access-Control-Allow-Origin":      "https://app.example",
		"Access-Control-Allow-Credentials": "true",
		"Access-Control-Allow-Headers":     "authorization,x-requested-with,x-signalr-user-agent",
		"Access-Control-Allow-Methods":     "GET, POST, DELETE, OPTIONS",
	} {
		if got := response.Header.Get(name); got != want {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
	}
	if response.StatusCode != 204 {
		t.Errorf("status = %d, want 204", response.StatusCode)
	}
}

func TestHealth(t *testing.T) {
	svc := servicetest.Start(t, service.Config{})
	for _, method := range []string{"GET", "HEAD"} {
		if response, _ := request(t, method, svc.URL+"/api/health?api-version=2022-06-01", "", nil); response.StatusCode != 200 {
			t.Errorf("%s health = %d, want 200", method, response.StatusCode)
		}
	}
	if err := svc.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if response, _ := request(t, "GET", svc.URL+"/api/health", "", nil); response.StatusCode != 503 {
		t.Errorf("health after shutdown = %d, want 503", response.StatusCode)
	}
	response, _ := request(t, "POST", svc.URL+"/client/negotiate?hub=chat", servicetest.Token(t, "/client", "chat"), nil)
	if response.StatusCode != 503 {
		t.Errorf("negotiate after shutdown = %d, want 503", response.StatusCode)
	}
}

func TestNegotiatedConnection(t *testing.T) {
	svc := servicetest.Start(t, service.Config{})
	app := svc.AppServer("chat")
	token := servicetest.Token(t, "/client", "chat")
	_, body := request(t, "POST", svc.URL+"/client/negotiate?hub=chat&negotiateVersion=1", token, nil)
	var answer struct{ ConnectionID, ConnectionToken string }
	if err := json.Unmarshal([]byte(body), &answer); err != nil {
		t.Fatal(err)
	}
	connect := "/client/?hub=chat&asrs.op=%2Fchat&a=b%20c&access_token=" + token + "&id=" + answer.ConnectionToken
	client := svc.Dial(connect, token)
	client.Send(`{"protocol":"json","version":1}` + "\x1e")
	open := app.Accept()
	if open.ConnectionID != answer.ConnectionID {
		t.Errorf("connection id = %q, want the negotiated %q", open.ConnectionID, answer.ConnectionID)
	}
	if got, want := open.QueryString, "?hub=chat&asrs.op=%2Fchat&a=b%20c"; got != want {
		t.Errorf("query string = %q, want %q, without secrets", got, want)
	}
	client.Expect("{}\x1e")

	upgrade := http.Header{"Connection": {"Upgrade"}, "Upgrade": {"websocket"}, "Sec-Websocket-Version": {"13"}, "Sec-Websocket-Key": {"dGhlIHNhbXBsZSBub25jZQ=="}}
	if response, _ := request(t, "GET", svc.URL+connect, token, upgrade); response.StatusCode != 409 {
		t.Errorf("second transport = %d, want 409", response.StatusCode)
	}
	_ = client.Close(1000, "")
	servicetest.Expect[*serviceprotocol.CloseConnection](app)
	response, said := request(t, "GET", svc.URL+"/client/?hub=chat&id=unknown", token, upgrade)
	if response.StatusCode != 404 || said != "No Connection with that ID" {
		t.Errorf("unknown id = %d %q, want 404", response.StatusCode, said)
	}
}

func TestNegotiatedConnectionIsForgotten(t *testing.T) {
	svc := servicetest.Start(t, service.Config{Timeouts: service.Timeouts{Connect: time.Nanosecond}})
	token := servicetest.Token(t, "/client", "chat")
	_, body := request(t, "POST", svc.URL+"/client/negotiate?hub=chat", token, nil)
	var answer struct{ ConnectionID string }
	if err := json.Unmarshal([]byte(body), &answer); err != nil {
		t.Fatal(err)
	}
	upgrade := http.Header{"Connection": {"Upgrade"}, "Upgrade": {"websocket"}, "Sec-Websocket-Version": {"13"}, "Sec-Websocket-Key": {"dGhlIHNhbXBsZSBub25jZQ=="}}
	response, _ := request(t, "GET", svc.URL+"/client/?hub=chat&id="+answer.ConnectionID, token, upgrade)
	if response.StatusCode != 404 {
		t.Errorf("status = %d, want 404", response.StatusCode)
	}
	if got := svc.Stats().ClientConnections; got != 0 {
		t.Errorf("connections = %d, want 0", got)
	}
}

func TestConnectionLimit(t *testing.T) {
	svc := servicetest.Start(t, service.Config{Limits: service.Limits{ClientConnections: 2}})
	token := servicetest.Token(t, "/client", "chat")
	for range 2 {
		if response, _ := request(t, "POST", svc.URL+"/client/negotiate?hub=chat", token, nil); response.StatusCode != 200 {
			t.Fatalf("negotiate = %d, want 200", response.StatusCode)
		}
	}
	response, body := request(t, "POST", svc.URL+"/client/negotiate?hub=chat", token, nil)
	if response.StatusCode != 429 || !strings.Contains(body, "limits.client-connections") {
		t.Errorf("negotiate over the limit = %d %q, want 429 that names the limit", response.StatusCode, body)
	}
}

// net/http waits for the body before it answers, for five seconds as we tell it.
func TestBodyThatNeverComesHoldsNothing(t *testing.T) {
	t.Parallel()
	svc := servicetest.Start(t, service.Config{})
	conn, err := net.Dial("tcp", strings.TrimPrefix(svc.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte("POST /client/negotiate?hub=chat HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	if err := conn.SetReadDeadline(time.Now().Add(servicetest.Wait)); err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatalf("no answer before the body: %v", err)
	}
	defer response.Body.Close()
	if response.StatusCode != 401 {
		t.Errorf("status = %d, want 401", response.StatusCode)
	}
}

func TestDiagnosticClients(t *testing.T) {
	svc := servicetest.Start(t, service.Config{})
	app := svc.AppServer("chat")
	diagnostic := accesstoken.Claim{Type: accesstoken.ClaimDiagnostic, Value: "true"}
	token := servicetest.Token(t, "/client", "chat", diagnostic)
	client := svc.Client("chat", "json", diagnostic)
	open := app.Accept()
	if got := open.Headers.Get(serviceprotocol.HeaderDiagnosticClient); got != "true" {
		t.Errorf("the app server is told %q", got)
	}
	for range 99 {
		if response, _ := request(t, "POST", svc.URL+"/client/negotiate?hub=chat", token, nil); response.StatusCode != 200 {
			t.Fatalf("negotiate = %d, want 200", response.StatusCode)
		}
	}
	response, body := request(t, "POST", svc.URL+"/client/negotiate?hub=chat", token, nil)
	if response.StatusCode != 429 || body != "There are 100 diagnostic clients already." {
		t.Errorf("negotiate over the limit = %d %q, want 429", response.StatusCode, body)
	}
	svc.Client("chat", "json") // others may come
	if open := app.Accept(); open.Headers.Get(serviceprotocol.HeaderDiagnosticClient) != "" {
		t.Error("the app server is told of a client that is none")
	}
	_ = client.Close(1000, "")
	servicetest.Expect[*serviceprotocol.CloseConnection](app)
	deadline := time.Now().Add(servicetest.Wait)
	for response.StatusCode != 200 && time.Now().Before(deadline) {
		response, _ = request(t, "POST", svc.URL+"/client/negotiate?hub=chat", token, nil)
	}
	if response.StatusCode != 200 {
		t.Errorf("negotiate when one has gone = %d, want 200", response.StatusCode)
	}
}

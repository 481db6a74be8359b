package metrics_test

import (
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"switchboard/internal/metrics"
	"switchboard/internal/servicetest"
	"switchboard/service"
	"switchboard/serviceprotocol"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func page(svc *servicetest.Service) string {
	w := httptest.NewRecorder()
	metrics.Handler(svc.Stats).ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	return w.Body.String()
}

func TestFigures(t *testing.T) {
	svc := servicetest.Start(t, service.Config{})
	app := svc.AppServer("chat")
	client, _ := svc.Open(app, "chat", "json")
	svc.Open(app, "chat", "json")
	app.Send(&serviceprotocol.BroadcastData{Payloads: serviceprotocol.Payloads{{Protocol: "json", Data: []byte("m\x1e")}}})
	client.Expect("m\x1e")
	_ = client.Close(1000, "")
	servicetest.Expect[*serviceprotocol.CloseConnection](app)
	refused := httptest.NewRecorder()
	svc.ServeHTTP(refused, httptest.NewRequest("POST", "/client/negotiate?hub=chat&access_token=abc", nil))

	text := page(svc)
	for _, want := range []string{
		`switchboard_client_connections{generation="aspnetcore",hub="chat"} 1`,
		`switchboard_server_connections{generation="aspnetcore",hub="chat"} 1`,
		`switchboard_app_servers{generation="aspnetcore",hub="chat"} 1`,
		`switchboard_client_connections_opened_total{generation="aspnetcore",hub="chat"} 2`,
		`switchboard_messages_to_clients_total{generation="aspnetcore",hub="chat"} 4`, // two handshake responses, two of the broadcast
		`switchboard_messages_from_app_servers_total{generation="aspnetcore",hub="chat"} 3`,
		`switchboard_client_connections_closed_total{category="ServerConnectionClosed",generation="aspnetcore",hub="chat",reason="server_connection_lost"} 0`,
		`switchboard_tokens_refused_total{endpoint="client",reason="malformed"} 1`,
		`switchboard_server_connections_closed_total{reason="idle"} 0`,
		"go_goroutines ", "process_open_fds ",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the page has no %s", want)
		}
	}
	if t.Failed() {
		t.Log(text)
	}
}

// docs/metrics.md lists every metric of ours, and no other.
func TestDocumented(t *testing.T) {
	svc := servicetest.Start(t, service.Config{})
	svc.AppServer("chat")
	svc.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/server/?hub=chat", nil))
	text, err := os.ReadFile("../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	name := regexp.MustCompile(`\bswitchboard_[a-z_]+`)
	shown, documented := map[string]bool{}, map[string]bool{}
	for _, n := range name.FindAllString(page(svc), -1) {
		shown[n] = true
	}
	for _, n := range name.FindAllString(string(text), -1) {
		documented[n] = true
	}
	for n := range shown {
		if !documented[n] {
			t.Errorf("%s is not in docs/metrics.md", n)
		}
	}
	for n := range documented {
		if !shown[n] {
			t.Errorf("docs/metrics.md has %s, which is not shown", n)
		}
	}
}

package appserver_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"switchboard/appserver"
	"switchboard/negotiate"
)

func TestEmbeddedService(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFakeService(t)
		a := startWith(t, f, appserver.Config{Service: f, ServerConnections: 1}, &echoHub{})
		c := a.conn.connect(t, "c1")
		c.send(t, invoke("1", "Echo", `"inside"`))
		c.want(t, `{"type":3,"invocationId":"1","result":"inside"}`)

		answer, err := negotiate.ParseAnswer(a.negotiate("http://app.test:5000/chat/negotiate?x=1").Body.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		const prefix = "http://app.test:5000/client/?hub=echohub&asrs.op=%2Fchat&x=1&asrs_request_id="
		if !strings.HasPrefix(answer.URL, prefix) {
			t.Errorf("url %s\nwant it to begin with %s", answer.URL, prefix)
		}
		w := httptest.NewRecorder()
		a.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "https://app.test/chat/negotiate", nil))
		if answer, err = negotiate.ParseAnswer(w.Body.Bytes()); err != nil || !strings.HasPrefix(answer.URL, "https://app.test/client/?hub=echohub&") {
			t.Errorf("over TLS: url %s, %v", answer.URL, err)
		}
	})
}

func TestEmbeddedServiceGetsClients(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFakeService(t)
		a := startWith(t, f, appserver.Config{Service: f, ServerConnections: 1}, &echoHub{})
		for url, want := range map[string]string{
			"/client/negotiate?hub=echohub": "service got /client/negotiate?hub=echohub",
			"/client/?hub=echohub&id=1":     "service got /client/?hub=echohub&id=1",
			"/client":                       "service got /client",
			"/server/?hub=echohub":          "404 page not found",
			"/clients":                      "404 page not found",
		} {
			if got := strings.TrimSpace(a.negotiate(url).Body.String()); got != want {
				t.Errorf("%s: %q, want %q", url, got, want)
			}
		}
		if _, err := a.MapHub("/client/chat", &chatHub{}); err == nil || !strings.Contains(err.Error(), "paths under /client belong to Config.Service") {
			t.Errorf("MapHub under /client = %v, want an error", err)
		}
	})
}

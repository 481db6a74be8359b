package client_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"switchboard/client"
)

// A front answers negotiate requests by a script, and notes them.
type front struct {
	*httptest.Server
	mu       sync.Mutex
	requests []string // method, path and query, token
	answer   func(n int, w http.ResponseWriter)
}

func newFront(t *testing.T, answer func(n int, w http.ResponseWriter)) *front {
	f := &front{answer: answer}
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		n := len(f.requests)
		f.requests = append(f.requests, strings.TrimSpace(r.Method+" "+r.URL.RequestURI()+" "+r.Header.Get("Authorization")))
		f.mu.Unlock()
		f.answer(n, w)
	}))
	t.Cleanup(f.Close)
	return f
}

func (f *front) fails(t *testing.T, path string, config client.Config) error {
	t.Helper()
	c, err := client.New(f.URL+path, config)
	if err != nil {
		t.Fatal(err)
	}
	if err = c.Start(t.Context()); err == nil {
		stop(t, c)
		t.Fatal("Start: no error")
	}
	if strings.Contains(err.Error(), "secret") {
		t.Errorf("the error tells a secret: %v", err)
	}
	return err
}

func (f *front) want(t *testing.T, want ...string) {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	if !slices.Equal(f.requests, want) {
		t.Errorf("requests\n%s\nwant\n%s", strings.Join(f.requests, "\n"), strings.Join(want, "\n"))
	}
}

func writes(text string) func(int, http.ResponseWriter) {
	return func(_ int, w http.ResponseWriter) { _, _ = w.Write([]byte(text)) }
}

func TestNegotiateRefusals(t *testing.T) {
	tests := []struct {
		name   string
		answer func(int, http.ResponseWriter)
		want   string
	}{
		{"error", writes(`{"error":"not today"}`), "start: negotiate: not today"},
		{"status with text", func(_ int, w http.ResponseWriter) { http.Error(w, "gone fishing", http.StatusServiceUnavailable) }, "gone fishing: Status code '503'"},
		{"status alone", func(_ int, w http.ResponseWriter) { w.WriteHeader(403) }, "Forbidden: Status code '403'"},
		{"garbage", writes("<html>"), "parse negotiate answer"},
		{"old server", writes(`{"ProtocolVersion":"1.2","Url":"/signalr"}`), "ASP.NET SignalR"},
		{"no token", writes(`{"negotiateVersion":1,"connectionId":"c","availableTransports":[]}`), "connectionToken is missing"},
		{"no transport", writes(`{"connectionId":"c","availableTransports":[{"transport":"Pigeons","transferFormats":["Text"]}]}`),
			"None of the transports supported by the client are supported by the server."},
		{"stateful reconnect that nobody asked for", writes(`{"useStatefulReconnect":true,"connectionId":"c","availableTransports":[]}`),
			"Client didn't negotiate Stateful Reconnect but the server did."},
		{"redirect to nowhere", writes(`{"url":"chat"}`), "is not an absolute http or https URL"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if err := newFront(t, tt.answer).fails(t, "/hub", client.Config{}); !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Start: %v, want %s", err, tt.want)
			}
		})
	}
}

func TestNegotiateErrorsAreTyped(t *testing.T) {
	err := newFront(t, func(_ int, w http.ResponseWriter) { w.WriteHeader(403) }).fails(t, "/hub", client.Config{})
	if refusal, ok := errors.AsType[*client.HTTPError](err); !ok || refusal.Status != 403 {
		t.Errorf("got %v, want an HTTPError of 403", err)
	}
	err = newFront(t, writes(`{"error":"no"}`)).fails(t, "/hub", client.Config{})
	if refusal, ok := errors.AsType[*client.NegotiateError](err); !ok || refusal.Message != "no" {
		t.Errorf("got %v, want a NegotiateError", err)
	}
}

// Trap T22: the path is extended, and the query stays as it is.
func TestTrapT22NegotiateURL(t *testing.T) {
	for path, want := range map[string]string{
		"/hub":                               "/hub/negotiate?negotiateVersion=1",
		"/hub/?a=%20b":                       "/hub/negotiate?a=%20b&negotiateVersion=1",
		"/hub?negotiateVersion=0":            "/hub/negotiate?negotiateVersion=0",
		"/hub?useStatefulReconnect=true&x=1": "/hub/negotiate?useStatefulReconnect=true&x=1&negotiateVersion=1",
	} {
		f := newFront(t, writes(`{"error":"no"}`))
		f.fails(t, path, client.Config{})
		f.want(t, "POST "+want)
	}
	f := newFront(t, writes(`{"error":"no"}`))
	f.fails(t, "/hub", client.Config{StatefulReconnect: true})
	f.want(t, "POST /hub/negotiate?negotiateVersion=1&useStatefulReconnect=true")
}

func TestRedirects(t *testing.T) {
	var f *front
	f = newFront(t, func(n int, w http.ResponseWriter) {
		switch n {
		case 0:
			_, _ = fmt.Fprintf(w, `{"url":"%s/client/?hub=x","accessToken":"secret-2","availableTransports":[]}`, f.URL)
		case 1:
			_, _ = fmt.Fprintf(w, `{"url":"%s/other"}`, f.URL)
		default:
			w.WriteHeader(401) // the user's token is not asked for again
		}
	})
	asked := 0
	err := f.fails(t, "/hub", client.Config{Token: func(context.Context) (string, error) { asked++; return "secret-1", nil }})
	if refusal, ok := errors.AsType[*client.HTTPError](err); !ok || refusal.Error() != "Unauthorized: Status code '401'" {
		t.Errorf("got %v, want 401", err)
	}
	f.want(t, "POST /hub/negotiate?negotiateVersion=1 Bearer secret-1",
		"POST /client/negotiate?hub=x&negotiateVersion=1 Bearer secret-2",
		"POST /other/negotiate?negotiateVersion=1 Bearer secret-2")
	if asked != 1 {
		t.Errorf("the token was asked for %d times, want once", asked)
	}
}

func TestRedirectsWithoutEnd(t *testing.T) {
	var f *front
	f = newFront(t, func(_ int, w http.ResponseWriter) { _, _ = fmt.Fprintf(w, `{"url":"%s/hub"}`, f.URL) })
	err := f.fails(t, "/hub", client.Config{})
	if !strings.HasSuffix(err.Error(), "Negotiate redirection limit exceeded.") || len(f.requests) != 100 {
		t.Errorf("after %d requests: %v", len(f.requests), err)
	}
}

// A token that has expired is asked for once more.
func TestTokenIsRenewed(t *testing.T) {
	f := newFront(t, func(n int, w http.ResponseWriter) {
		if n == 0 {
			w.WriteHeader(401)
			return
		}
		_, _ = w.Write([]byte(`{"error":"enough"}`))
	})
	asked := 0
	f.fails(t, "/hub", client.Config{Token: func(context.Context) (string, error) { asked++; return fmt.Sprintf("secret-%d", asked), nil }})
	f.want(t, "POST /hub/negotiate?negotiateVersion=1 Bearer secret-1", "POST /hub/negotiate?negotiateVersion=1 Bearer secret-2")

	broken := errors.New("no token today")
	err := f.fails(t, "/hub", client.Config{Token: func(context.Context) (string, error) { return "", broken }})
	if !errors.Is(err, broken) {
		t.Errorf("got %v, want the error of Token", err)
	}
}

// A transport that does not work is followed by the next, which negotiates anew.
func TestNextTransport(t *testing.T) {
	f := newFront(t, func(n int, w http.ResponseWriter) {
		if n%2 == 1 {
			w.WriteHeader(404)
			return
		}
		_, _ = fmt.Fprintf(w, `{"negotiateVersion":1,"connectionId":"c","connectionToken":"secret-%d","availableTransports":[`+
			`{"transport":"WebSockets","transferFormats":["Text","Binary"]},{"transport":"ServerSentEvents","transferFormats":["Text"]},`+
			`{"transport":"LongPolling","transferFormats":["Text","Binary"]}]}`, n)
	})
	err := f.fails(t, "/hub", client.Config{})
	for _, transport := range []string{"WebSockets: ", "ServerSentEvents: ", "LongPolling: "} {
		if !strings.Contains(err.Error(), transport) {
			t.Errorf("the error has no %s: %v", transport, err)
		}
	}
	const negotiate = "POST /hub/negotiate?negotiateVersion=1"
	f.want(t, negotiate, "GET /hub?id=secret-0", negotiate, "GET /hub?id=secret-2", negotiate, "GET /hub?id=secret-4", negotiate)
}

func TestConfigMistakes(t *testing.T) {
	_, err := client.New("ftp://x", client.Config{ServerTimeout: -1, SkipNegotiation: true, Transports: 8})
	for _, want := range []string{"url: ", "ServerTimeout: must not be negative", "SkipNegotiation: Transports must be WebSockets alone", "Transports: no transport is among them"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s in it", err, want)
		}
	}
}

package service_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"switchboard/accesstoken"
	"switchboard/appserver"
	"switchboard/client"
	"switchboard/internal/servicetest"
	"switchboard/negotiate"
	"switchboard/service"
)

// startSecure runs a service over TLS that offers HTTP/2, and returns it with its
// address and what trusts it.
func startSecure(t *testing.T) (svc *service.Service, address string, trust *tls.Config) {
	t.Helper()
	certificate := servicetest.NewCertificate(t)
	pair, err := tls.LoadX509KeyPair(certificate.CertFile, certificate.KeyFile)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address = l.Addr().String()
	if svc, err = service.New(service.Config{AccessKeys: []string{servicetest.Key}, Endpoint: "https://" + address}); err != nil {
		t.Fatal(err)
	}
	server := svc.HTTPServer("")
	secure := &tls.Config{Certificates: []tls.Certificate{pair}, NextProtos: []string{"h2", "http/1.1"}}
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(tls.NewListener(service.Listener(l), secure)) })
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), servicetest.Wait)
		defer cancel()
		if err := svc.Shutdown(ctx); err != nil {
			t.Errorf("shutdown: %v", err)
		}
		if err := server.Shutdown(ctx); err != nil {
			t.Errorf("end of the server: %v", err)
		}
		serving.Wait()
	})
	return svc, address, &tls.Config{RootCAs: certificate.Roots}
}

// A witness notes which version of HTTP each answer came in.
type witness struct {
	next *http.Transport
	mu   sync.Mutex
	seen map[string]bool // method and version
}

func (w *witness) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := w.next.RoundTrip(r)
	if err == nil {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.seen[fmt.Sprintf("%s %d", r.Method, answer.ProtoMajor)] = true
	}
	return answer, err
}

type http2Hub struct{}

func (http2Hub) Add(a, b int) int { return a + b }
func (http2Hub) Tell(ctx *appserver.Context, text string) error {
	return ctx.Clients().Caller().Send(ctx, "Told", text)
}

// Everything but the WebSocket itself goes over HTTP/2, where the client wants it.
func TestHTTP2(t *testing.T) {
	svc, address, trust := startSecure(t)
	app, err := appserver.New(appserver.Config{
		ConnectionString:  svc.ConnectionString(),
		ServerConnections: 1,
		HTTPClient:        &http.Client{Transport: &http.Transport{TLSClientConfig: trust.Clone()}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := app.MapHub("/hub", &http2Hub{}, func(c *appserver.HubConfig) { c.Name = "hub" }); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- app.Run(ctx) }()
	defer func() { stop(); <-done }()
	if err := app.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	token, err := accesstoken.Sign(servicetest.Key, accesstoken.HS256, accesstoken.Token{
		Audience: "https://" + address + "/client/?hub=hub", Expires: time.Now().Add(time.Hour),
	})
	if err != nil {
		t.Fatal(err)
	}
	for transport, want := range map[negotiate.Transport][]string{
		client.WebSockets:       {"POST 2", "GET 1"},
		client.ServerSentEvents: {"POST 2", "GET 2"},
		client.LongPolling:      {"POST 2", "GET 2", "DELETE 2"},
	} {
		t.Run(transport.String(), func(t *testing.T) {
			w := &witness{next: &http.Transport{TLSClientConfig: trust.Clone(), ForceAttemptHTTP2: true}, seen: map[string]bool{}}
			defer w.next.CloseIdleConnections()
			conn, err := client.New("https://"+address+"/client/?hub=hub", client.Config{
				Transports: transport,
				HTTPClient: &http.Client{Transport: w},
				Token:      func(context.Context) (string, error) { return token, nil },
			})
			if err != nil {
				t.Fatal(err)
			}
			told := make(chan string, 1)
			conn.On("Told", func(text string) { told <- text })
			if err := conn.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			if n, err := client.Invoke[int](t.Context(), conn, "Add", 40, 2); n != 42 || err != nil {
				t.Errorf("Add = %d, %v, want 42", n, err)
			}
			large := strings.Repeat("x", 30_000)
			if err := conn.Send(t.Context(), "Tell", large); err != nil {
				t.Fatal(err)
			}
			select {
			case text := <-told:
				if text != large {
					t.Errorf("told %d bytes", len(text))
				}
			case <-time.After(servicetest.Wait):
				t.Error("nothing was told")
			}
			if err := conn.Stop(t.Context()); err != nil {
				t.Error(err)
			}
			w.mu.Lock()
			defer w.mu.Unlock()
			for _, request := range want {
				if !w.seen[request] {
					t.Errorf("no %s among %v", request, w.seen)
				}
			}
			if len(w.seen) != len(want) {
				t.Errorf("requests %v, want %q", w.seen, want)
			}
		})
	}
}

// Without TLS a client has to know that it may speak HTTP/2.
func TestHTTP2WithoutTLS(t *testing.T) {
	s := servicetest.Start(t, service.Config{})
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	transport := &http.Transport{Protocols: protocols}
	defer transport.CloseIdleConnections()
	answer, err := (&http.Client{Transport: transport}).Get(s.URL + "/api/health")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK || answer.ProtoMajor != 2 {
		t.Errorf("got %d over HTTP/%d, want 200 over HTTP/2", answer.StatusCode, answer.ProtoMajor)
	}
}

// Trap T34: a client that tries CONNECT, as for a WebSocket over HTTP/2, is answered and
// can fall back.
func TestTrapT34ConnectOverHTTP2(t *testing.T) {
	_, address, trust := startSecure(t)
	transport := &http.Transport{TLSClientConfig: trust.Clone(), ForceAttemptHTTP2: true}
	defer transport.CloseIdleConnections()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodConnect, "https://"+address+"/client/?hub=hub", nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := transport.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode < 400 || answer.ProtoMajor != 2 {
		t.Errorf("got %d over HTTP/%d, want a refusal over HTTP/2", answer.StatusCode, answer.ProtoMajor)
	}
}

package service_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"switchboard/internal/servicetest"
	"switchboard/service"
	"switchboard/serviceprotocol"
)

func TestTrapT28ShutdownLetsClientsReconnect(t *testing.T) {
	svc := servicetest.Start(t, service.Config{InstanceID: "here"})
	app := svc.AppServer("chat")
	client, id := svc.Open(app, "chat", "json")
	early := svc.Dial("/client/?hub=chat", servicetest.Token(t, "/client", "chat")) // has not sent its handshake
	done := make(chan error, 1)
	go func() { done <- svc.Shutdown(t.Context()) }()

	client.Expect(`{"type":7,"error":"Service reloading, please reconnect.","allowReconnect":true}` + "\x1e")
	if got := client.ExpectClose(); got != 1000 {
		t.Errorf("close status = %d, want 1000", got)
	}
	early.Expect(`{"error":"Service reloading, please reconnect."}` + "\x1e")
	early.ExpectClose()
	if got := servicetest.Expect[*serviceprotocol.CloseConnection](app); got.ConnectionID != id {
		t.Errorf("app server is told that %q closed, want %q", got.ConnectionID, id)
	}
	if gone, _ := servicetest.Expect[*serviceprotocol.Ping](app).Get(serviceprotocol.PingOffline); gone != "here" {
		t.Errorf("app server is told that %q goes, want the instance", gone)
	}
	if err := <-done; err != nil {
		t.Errorf("shutdown: %v", err)
	}
	if stats := svc.Stats(); stats.ClientConnections != 0 || stats.ServerConnections != 0 {
		t.Errorf("after shutdown: %+v, want no connections", stats)
	}
}

func TestShutdownCutsWhatDoesNotEnd(t *testing.T) {
	svc := servicetest.Start(t, service.Config{})
	app := svc.AppServer("chat")
	svc.Open(app, "chat", "json") // never answers the closing handshake
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	start := time.Now()
	if err := svc.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("shutdown = %v, want the deadline", err)
	}
	if took := time.Since(start); took > servicetest.Wait {
		t.Errorf("shutdown took %v", took)
	}
}

// lockedBuffer is a log that several goroutines write.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func TestNothingSecretInLogs(t *testing.T) {
	var log lockedBuffer
	svc := servicetest.Start(t, service.Config{Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	app := svc.AppServer("chat")
	token := servicetest.Token(t, "/client", "chat")
	client := svc.Dial("/client/?hub=chat&access_token="+token, token)
	client.Send(`{"protocol":"json","version":1}` + "\x1e")
	id := app.Accept().ConnectionID
	client.Expect("{}\x1e")
	client.Send("payload-from-client\x1e")
	servicetest.Expect[*serviceprotocol.ConnectionData](app)
	app.Send(&serviceprotocol.ConnectionData{ConnectionID: id, Payload: []byte("payload-from-server\x1e")})
	client.Expect("payload-from-server\x1e")
	request(t, "POST", svc.URL+"/client/negotiate?hub=other", token, nil) // refused
	request(t, "POST", svc.URL+"/client/negotiate?hub=chat", "garbage-token", nil)
	app.Close()
	client.Next()
	client.ExpectClose()
	if err := svc.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	text := log.String()
	for _, secret := range []string{token, token[strings.LastIndex(token, ".")+1:], servicetest.Key, "payload-from", "garbage-token"} {
		if strings.Contains(text, secret) {
			t.Errorf("the log shows %q:\n%s", secret, text)
		}
	}
	for _, want := range []string{"client refused", "reason=server_connection_lost", "connection_id=" + id} {
		if !strings.Contains(text, want) {
			t.Errorf("the log does not say %q:\n%s", want, text)
		}
	}
}

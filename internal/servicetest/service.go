// Package servicetest runs a service, scripted app servers and raw clients in
// one process, so that a test of the whole reads as one line per step. Every
// wait is bounded, and what a step did not expect fails the test.
package servicetest

import (
	"context"
	"log/slog"
	"net/http/httptest"
	"testing"
	"time"

	"switchboard/accesstoken"
	"switchboard/service"
)

// Wait bounds every step.
const Wait = 10 * time.Second

// Key is the access key of services that Start makes.
const Key = "servicetest-key"

// Engine is the engine of services that Start makes, unless they name one.
var Engine service.Engine

// A Service is a running service on a loopback port.
type Service struct {
	*service.Service
	URL string // http://127.0.0.1:port
	t   testing.TB
}

// Start runs a service until the test ends.
func Start(t testing.TB, c service.Config) *Service {
	t.Helper()
	if c.AccessKeys == nil {
		c.AccessKeys = []string{Key}
	}
	if c.Engine == "" {
		c.Engine = Engine
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.NewTextHandler(t.Output(), nil))
	}
	svc, err := service.New(c)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(svc)
	server.Config = svc.HTTPServer("")
	server.Start()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), Wait)
		defer cancel()
		if err := svc.Shutdown(ctx); err != nil {
			t.Errorf("shutdown: %v", err)
		}
		server.Close()
	})
	return &Service{Service: svc, URL: server.URL, t: t}
}

// Token signs a token for /client or /server of hub as the .NET SDK does: the
// audience has no port, and "kid" means nothing.
func Token(t testing.TB, path, hub string, claims ...accesstoken.Claim) string {
	t.Helper()
	return sign(t, path+"/?hub="+hub, claims)
}

// AspNetToken signs a token for clients of ASP.NET SignalR of the application "app".
func AspNetToken(t testing.TB, claims ...accesstoken.Claim) string {
	t.Helper()
	return sign(t, "/aspnetclient", append([]accesstoken.Claim{{Type: accesstoken.ClaimApplication, Value: "App"}}, claims...))
}

func sign(t testing.TB, pathAndQuery string, claims []accesstoken.Claim) string {
	t.Helper()
	now := time.Now()
	token, err := accesstoken.Sign(Key, accesstoken.HS256, accesstoken.Token{
		Audience:  "http://127.0.0.1" + pathAndQuery,
		IssuedAt:  now,
		NotBefore: now,
		Expires:   now.Add(time.Hour),
		Claims:    claims,
	})
	if err != nil {
		t.Fatal(err)
	}
	return token
}

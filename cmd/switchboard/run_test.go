package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"switchboard/internal/servicetest"
	"switchboard/service"
)

// runUntil runs c until use returns, and returns the error of run and the log.
func runUntil(t *testing.T, c config, use func(svc *service.Service, url string)) (log string, err error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var out bytes.Buffer
	err = run(ctx, c, slog.New(slog.NewTextHandler(&out, nil)), nil, func(svc *service.Service, url string) {
		go func() { // run serves once this function has returned
			defer cancel()
			use(svc, url)
		}()
	})
	return out.String(), err
}

func local() config {
	c := defaults()
	c.Listen = "127.0.0.1:0"
	c.Service.AccessKeys = []string{"secret"}
	return c
}

func TestEndsWithItsContext(t *testing.T) {
	var connectionString, reached string
	log, err := runUntil(t, local(), func(svc *service.Service, url string) { connectionString, reached = svc.ConnectionString(), url })
	if err != nil {
		t.Fatalf("run: %v", err)
	}
	if want := "Endpoint=" + reached + ";AccessKey=secret;Version=1.0;"; connectionString != want {
		t.Errorf("connection string = %q, want %q", connectionString, want)
	}
	for _, want := range []string{"msg=listening address=" + strings.TrimPrefix(reached, "http://"), `msg="shutting down" cause=context`, `msg="ended in good order"`} {
		if !strings.Contains(log, want) {
			t.Errorf("the log has no %q:\n%s", want, log)
		}
	}
	if strings.Contains(log, "secret") {
		t.Errorf("the log has the access key:\n%s", log)
	}
}

func TestKeepsTheEndpointThatIsSet(t *testing.T) {
	c := local()
	c.Service.Endpoint = "https://signalr.example.com"
	var got string
	if _, err := runUntil(t, c, func(svc *service.Service, _ string) { got = svc.ConnectionString() }); err != nil {
		t.Fatalf("run: %v", err)
	}
	if want := "Endpoint=https://signalr.example.com;AccessKey=secret;Version=1.0;"; got != want {
		t.Errorf("connection string = %q, want %q", got, want)
	}
}

func TestServesHTTPS(t *testing.T) {
	c := local()
	certificate := servicetest.NewCertificate(t)
	c.TLS = tlsConfig{CertFile: certificate.CertFile, KeyFile: certificate.KeyFile}
	client := http.Client{Transport: &http.Transport{
		TLSClientConfig:   &tls.Config{RootCAs: certificate.Roots},
		ForceAttemptHTTP2: true,
		DisableKeepAlives: true,
	}}
	_, err := runUntil(t, c, func(_ *service.Service, url string) {
		response, err := client.Get(url + "/api/health")
		if err != nil {
			t.Errorf("GET %s: %v", url, err)
			return
		}
		response.Body.Close()
		if got, want := response.StatusCode, http.StatusOK; got != want {
			t.Errorf("status = %d, want %d", got, want)
		}
		if got, want := response.Proto, "HTTP/2.0"; got != want {
			t.Errorf("protocol = %s, want %s", got, want)
		}
	})
	if err != nil {
		t.Fatalf("run: %v", err)
	}
}

func TestLogFormat(t *testing.T) {
	for format, want := range map[string]string{"text": "level=WARN msg=loud", "json": `"level":"WARN","msg":"loud"`, "auto": `"level":"WARN","msg":"loud"`} {
		var out bytes.Buffer // no terminal
		log := newLogger(&out, logConfig{Level: "warn", Format: format})
		log.Info("soft")
		log.Warn("loud")
		if got := out.String(); !strings.Contains(got, want) || strings.Contains(got, "soft") {
			t.Errorf("format %s: log = %q, want one line with %q", format, got, want)
		}
	}
}

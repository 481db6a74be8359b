package main

import (
	"context"
	"net/http"
	"time"

	"switchboard/internal/metrics"
	"switchboard/service"
)

// serveMetrics shows the figures of svc on a port of its own, which clients
// need not reach, until stop is called. Without an address it does nothing.
func serveMetrics(ctx context.Context, address string, svc *service.Service) (url string, stop func(), err error) {
	if address == "" {
		return "", func() {}, nil
	}
	l, err := listen(ctx, "metrics-listen", address)
	if err != nil {
		return "", nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", metrics.Handler(svc.Stats))
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(l) // until stop
	}()
	return baseURL("http", l.Addr()) + "/metrics", func() { _ = server.Close(); <-done }, nil
}

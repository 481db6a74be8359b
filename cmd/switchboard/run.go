package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"runtime/debug"

	"switchboard/service"
)

// run serves until ctx is done or a signal comes, then ends in good order. It
// returns nil after that, and an error when it could not start, could not go
// on, or had to cut connections. ready, when not nil, is called once the port
// is open.
func run(ctx context.Context, c config, log *slog.Logger, signals <-chan os.Signal, ready func(svc *service.Service, url string)) error {
	collectOften()
	l, url, err := open(ctx, c)
	if err != nil {
		return err
	}
	defer l.Close()
	if c.Service.Endpoint == "" {
		c.Service.Endpoint = url
	}
	c.Service.Logger = log
	svc, err := service.New(c.Service)
	if err != nil {
		return err
	}
	metricsURL, stopMetrics, err := serveMetrics(ctx, c.MetricsListen, svc)
	if err != nil {
		return errors.Join(err, svc.Shutdown(ctx))
	}
	defer stopMetrics()
	log.Info("listening", "address", l.Addr().String(), "tls", c.TLS.CertFile != "", "mode", c.Service.Mode, "version", buildVersion(), "metrics", metricsURL)
	if c.knownKey() && !l.Addr().(*net.TCPAddr).IP.IsLoopback() {
		log.Warn("the access key is the published one of the emulator, and other machines can reach this address")
	}
	if ready != nil {
		ready(svc, url)
	}
	r := running{service: svc, http: svc.HTTPServer(c.Listen), log: log, signals: signals}
	return r.serve(ctx, l, c)
}

// collectOften has the heap grow less between two garbage collections than Go's
// default of twice its size. Idle clients are most of it, and a service in
// steady flow makes next to no garbage, so that this saves a quarter of the
// memory and costs nothing. GOGC in the environment overrides it.
func collectOften() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(50)
	}
}

// running is a service with its port open.
type running struct {
	service *service.Service
	http    *http.Server
	log     *slog.Logger
	signals <-chan os.Signal
}

func (r *running) serve(ctx context.Context, l net.Listener, c config) error {
	failed := make(chan error, 1) // ends when the port is closed
	go func() { failed <- r.http.Serve(l) }()
	cause := "context"
	select {
	case err := <-failed:
		return fmt.Errorf("accept connections: %w", err)
	case signal := <-r.signals:
		cause = signal.String()
	case <-ctx.Done():
	}
	stats := r.service.Stats()
	r.log.Info("shutting down", "cause", cause, "timeout", c.ShutdownTimeout.String(),
		"client_connections", stats.ClientConnections, "server_connections", stats.ServerConnections)

	ctx, cancel := context.WithTimeoutCause(context.WithoutCancel(ctx), c.ShutdownTimeout,
		fmt.Errorf("shutdown-timeout: %s were not enough, and what was open has been cut", formatDuration(c.ShutdownTimeout)))
	defer cancel()
	if err := r.shutdown(ctx); err != nil {
		return err
	}
	<-failed
	r.log.Info("ended in good order")
	return nil
}

// errSecondSignal means that somebody would not wait for the shutdown.
var errSecondSignal = errors.New("a second signal came, and what was open has been cut")

// shutdown ends the connections and then the port. At a second signal it
// returns at once: the end of the program ends what still runs.
func (r *running) shutdown(ctx context.Context) error {
	ended := make(chan error, 1)
	go func() { ended <- r.drain(ctx) }()
	select {
	case err := <-ended:
		return err
	case <-r.signals:
		return errSecondSignal
	}
}

// drain leaves the port open for as long as there are connections to end, so
// that health checks and new clients get an answer.
func (r *running) drain(ctx context.Context) error {
	err := r.service.Shutdown(ctx)
	if r.http.Shutdown(ctx) != nil { // only the end of ctx makes it fail
		r.http.Close()
		return context.Cause(ctx)
	}
	return err
}

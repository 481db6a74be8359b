package trial

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"switchboard/appserver"
	"switchboard/internal/loadgen/hubapp"
)

// What the app server is told by its environment, where no other user of the
// machine can read it.
const (
	EnvConnectionString = "BENCH_CONNECTION_STRING"
	envRootCA           = "BENCH_ROOT_CA" // PEM; not set: those of the system
)

// connectWait is how long the app server may take to connect to the service. It
// is shorter than startWait, so that it is the app server that says what is wrong.
const connectWait = 5 * time.Second

// ServeApp is the app server of a trial: it runs the hub until orders ends.
func ServeApp(ctx context.Context, serverConnections int, orders io.Reader, answers io.Writer) error {
	client, err := httpClient(os.Getenv(envRootCA))
	if err != nil {
		return err
	}
	app, err := appserver.New(appserver.Config{
		ConnectionString:  os.Getenv(EnvConnectionString),
		ServerConnections: serverConnections,
		Identify:          hubapp.Identify,
		HTTPClient:        client,
		Logger:            slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
		HubDefaults:       appserver.HubConfig{MaximumReceiveMessageSize: 2 << 20, EnableDetailedErrors: true},
	})
	if err != nil {
		return err
	}
	if _, err := app.MapHub(hubapp.Path, &hubapp.Hub{}, func(c *appserver.HubConfig) { c.Name = "bench" }); err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("open port of the app server: %w", err)
	}
	server := http.Server{Handler: app, ReadHeaderTimeout: 10 * time.Second}
	return serveApp(ctx, app, &server, l, orders, answers)
}

func serveApp(ctx context.Context, app *appserver.App, server *http.Server, l net.Listener, orders io.Reader, answers io.Writer) error {
	ctx, cancel := context.WithCancel(ctx)
	var work sync.WaitGroup
	var ran, served error
	work.Go(func() { ran = app.Run(ctx) })
	work.Go(func() {
		if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			served = err
		}
	})
	ready, done := context.WithTimeout(ctx, connectWait)
	err := app.Ready(ready)
	done()
	if err != nil && ctx.Err() == nil {
		err = fmt.Errorf("no connection to the service within %v", connectWait)
	}
	if err == nil {
		err = Attend("http://"+l.Addr().String()+hubapp.Path, orders, answers)
	}
	server.Close()
	cancel()
	work.Wait()
	return errors.Join(err, ran, served)
}

func httpClient(rootCA string) (*http.Client, error) {
	if rootCA == "" {
		return nil, nil
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM([]byte(rootCA)) {
		return nil, fmt.Errorf("%s has no certificate", envRootCA)
	}
	return &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}, nil
}

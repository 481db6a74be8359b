// Chat is an app server with one hub and a page for it: messages to everybody,
// to rooms and to one person, and who is here.
//
//	go run ./examples/chat
//
// The service that holds the browsers' connections runs inside the program,
// or elsewhere with --connection-string. README.md tells how it is put together.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"switchboard/appserver"
	"switchboard/service"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "chat:", err)
		os.Exit(1)
	}
}

// run serves the chat until ctx is done, and then ends it in good order.
func run(ctx context.Context, args []string, stdout io.Writer) error {
	listen, connectionString := parse(args)
	logger := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	// A classic client that is told why its connection ends starts again at once.
	svc, err := service.New(service.Config{Logger: logger, AspNet: service.AspNet{Errors: service.AlwaysErrors}})
	if err != nil {
		return err
	}

	config := appserver.Config{ApplicationName: "example", Identify: identify, Logger: logger, ConnectionString: connectionString}
	if config.ConnectionString == "" {
		config.Service = svc // the one line: the service runs in this program, not elsewhere
	}

	app, err := appserver.New(config)
	if err != nil {
		return err
	}
	both := func(c *appserver.HubConfig) { c.Generations = appserver.AspNetCore | appserver.AspNet }
	if _, err := app.MapHub("/chat", &Chat{log: logger}, both); err != nil {
		return err
	}
	handler, err := routes(app)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", listen)
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "Chat is ready: open http://%s in two tabs. Ctrl+C ends it.\n", listener.Addr())
	return serve(ctx, listener, handler, app, svc)
}

func parse(args []string) (listen, connectionString string) {
	flags := flag.NewFlagSet("chat", flag.ExitOnError)
	flags.StringVar(&listen, "listen", "127.0.0.1:5000", "`host:port` to listen on; port 0 takes a free one")
	flags.StringVar(&connectionString, "connection-string", "",
		"a `service` to use, such as \"switchboard dev\" prints\n(default $SWITCHBOARD_CONNECTION_STRING, and without it a service in this program)")
	_ = flags.Parse(args) // a mistake ends the program
	return listen, cmp.Or(connectionString, os.Getenv("SWITCHBOARD_CONNECTION_STRING"))
}

func routes(app *appserver.App) (http.Handler, error) {
	page, err := page()
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("/chat/", app)         // where a browser asks for the service
	mux.Handle("/signalr/", app)      // the same with the classic client
	mux.Handle("/client/", app)       // the service, when it runs in this program
	mux.Handle("/aspnetclient/", app) // the same with the classic client
	mux.Handle("/", page)
	return mux, nil
}

// serve runs the app until ctx is done. Browsers are told to reconnect before
// their connections are closed.
func serve(ctx context.Context, listener net.Listener, handler http.Handler, app *appserver.App, svc *service.Service) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	served := make(chan error, 1)
	go func() {
		defer stop()
		served <- server.Serve(listener)
	}()

	running := app.Run(ctx)
	patience, giveUp := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer giveUp()
	stopping := errors.Join(running, svc.Shutdown(patience), server.Shutdown(patience))
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		return errors.Join(err, stopping)
	}
	return stopping
}

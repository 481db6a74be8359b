package trial_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"os"
	"testing"

	"go.uber.org/goleak"

	"switchboard/internal/loadgen"
	"switchboard/internal/loadgen/trial"
	"switchboard/service"
)

// children are what a trial starts this test program again for, by argument.
var children = map[string]func() error{
	"service":    serveService,
	"app-server": func() error { return trial.ServeApp(context.Background(), 2, os.Stdin, os.Stdout) },
	"load": func() error {
		return loadgen.Serve(struct {
			io.Reader
			io.WriteCloser
		}{os.Stdin, os.Stdout})
	},
	"mute": func() error { return nil },
}

func TestMain(m *testing.M) {
	if len(os.Args) == 2 && children[os.Args[1]] != nil {
		if err := children[os.Args[1]](); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Setenv("GORACE", "atexit_sleep_ms=0") // spares each child a second
	goleak.VerifyTestMain(m)
}

// pidFile is where a service leaves its process, for tests that end it.
const pidFile = "TRIAL_TEST_PID_FILE"

// serveService does what "switchboard bench service" does.
func serveService() error {
	svc, err := service.New(service.Config{AccessKeys: []string{os.Getenv("SWITCHBOARD_ACCESS_KEYS")}})
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", os.Getenv("SWITCHBOARD_LISTEN"))
	if err != nil {
		return err
	}
	url := "http://" + l.Addr().String()
	if file := os.Getenv("SWITCHBOARD_TLS_CERT_FILE"); file != "" {
		pair, err := tls.LoadX509KeyPair(file, os.Getenv("SWITCHBOARD_TLS_KEY_FILE"))
		if err != nil {
			return err
		}
		l = tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{pair}})
		url = "https://" + l.Addr().String()
	}
	if path := os.Getenv(pidFile); path != "" {
		if err := os.WriteFile(path, fmt.Append(nil, os.Getpid()), 0o600); err != nil {
			return err
		}
	}
	server := svc.HTTPServer("")
	go func() { _ = server.Serve(l) }() // until Close
	defer server.Close()
	if err := trial.Attend(url, os.Stdin, os.Stdout); err != nil {
		return err
	}
	return svc.Shutdown(context.Background())
}

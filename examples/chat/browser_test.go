package main

import (
	"bufio"
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"switchboard/service"
)

// asProgram makes the test binary the program itself, so that it can be killed.
const asProgram = "CHAT_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// TestInBrowsers drives the page in Chromium; browser.test.mjs says what it does.
func TestInBrowsers(t *testing.T) {
	if testing.Short() {
		t.Skip("needs Node.js and Chromium, which -short leaves out")
	}
	chromium := prepare(t)
	t.Run("service in the program", func(t *testing.T) {
		browse(t, chromium, "")
	})
	t.Run("service elsewhere", func(t *testing.T) {
		browse(t, chromium, startService(t))
	})
}

// prepare installs what the browser test needs and returns the path of Chromium.
func prepare(t *testing.T) string {
	t.Helper()
	script(t, "../../scripts/prerequisites.sh", "node", "npm")
	script(t, "../../scripts/npm-ci.sh", ".")
	return script(t, "../../scripts/chromium.sh")
}

// script returns what a command prints. A command that fails has said why.
func script(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), name, args...).Output()
	if failure, ok := errors.AsType[*exec.ExitError](err); ok {
		t.Fatalf("%s: %s", name, failure.Stderr)
	}
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// browse runs browser.test.mjs against the program, which it can kill and start.
func browse(t *testing.T, chromium, connectionString string) {
	app := &program{connectionString: connectionString, address: "127.0.0.1:0"}
	app.start(t)
	t.Cleanup(func() { app.end(t) })

	control := http.NewServeMux()
	control.HandleFunc("POST /kill", func(http.ResponseWriter, *http.Request) { app.kill() })
	control.HandleFunc("POST /start", func(http.ResponseWriter, *http.Request) { app.start(t) })
	server := httptest.NewServer(control)
	t.Cleanup(server.Close)

	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	node := exec.CommandContext(ctx, "node", "--test", "--test-reporter=spec", "browser.test.mjs")
	node.Env = append(os.Environ(),
		"CHAT_URL=http://"+app.address, "CHAT_CONTROL="+server.URL, "CHROMIUM="+chromium)
	out, err := node.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Errorf("browser.test.mjs: %v", err)
	}
}

// startService runs a service of its own and returns its connection string.
func startService(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	svc, err := service.New(service.Config{
		Endpoint: "http://" + listener.Addr().String(),
		AspNet:   service.AspNet{Errors: service.AlwaysErrors},
	})
	if err != nil {
		t.Fatal(err)
	}
	server := svc.HTTPServer("")
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		if err := errors.Join(svc.Shutdown(ctx), server.Shutdown(ctx)); err != nil {
			t.Error(err)
		}
		<-served
	})
	return svc.ConnectionString()
}

// A program is the chat as a process.
type program struct {
	connectionString string
	address          string // after the first start the one that it got
	process          *exec.Cmd
}

// start returns when the program listens.
func (p *program) start(t *testing.T) {
	t.Helper()
	p.process = exec.Command(os.Args[0], "--listen", p.address)
	p.process.Env = append(os.Environ(), asProgram+"=1", "SWITCHBOARD_CONNECTION_STRING="+p.connectionString)
	p.process.Stderr = t.Output()
	out, err := p.process.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.process.Start(); err != nil {
		t.Fatal(err)
	}
	line, _ := bufio.NewReader(out).ReadString('\n')
	url := regexp.MustCompile(`http://(\S+) `).FindStringSubmatch(line)
	if url == nil {
		t.Fatalf("the program says %q, want its address", line)
	}
	p.address = url[1]
}

func (p *program) kill() {
	_ = p.process.Process.Kill()
	_ = p.process.Wait() // says that it was killed
}

// end stops the program as an operator would.
func (p *program) end(t *testing.T) {
	if err := p.process.Process.Signal(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	if err := p.process.Wait(); err != nil {
		t.Errorf("the program ended with %v, want 0", err)
	}
}

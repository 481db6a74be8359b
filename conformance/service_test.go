package conformance_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"switchboard/accesstoken"
	"switchboard/internal/servicetest"
)

// wait bounds every step.
const wait = 15 * time.Second

const accessKey = "conformance-key-of-more-than-32-bytes"

// A service is the switchboard command, running.
type service struct {
	connectionString string
	endpoint         *accesstoken.Endpoint
	certificate      *servicetest.Certificate // nil without TLS
	metrics          string                   // URL
	pid              int
	listens          string // host:port
	stop             func() // ends it, and waits for that; the end of the test does it too
	kill             func() // ends it at once
}

// An engine is a way to serve the sockets of clients.
type engine struct {
	name  string
	flags []string
	tls   bool
}

// engines has two on Linux, of which the first serves TLS as well; elsewhere they
// are one.
var engines = []engine{
	{name: "loops", flags: []string{"--engine", "auto"}},
	{name: "loops-tls", flags: []string{"--engine", "auto"}, tls: true},
	{name: "goroutines", flags: []string{"--engine", "goroutines"}},
}

// startService builds the command and runs it until the test ends. It then has
// to end in good order.
func startService(t *testing.T, e engine, flags ...string) *service {
	t.Helper()
	args := slices.Concat([]string{"serve", "--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0",
		"--access-key", accessKey, "--log-format", "json"}, e.flags, flags)
	var certificate *servicetest.Certificate
	if e.tls {
		c := servicetest.NewCertificate(t)
		certificate = &c
		args = append(args, "--tls-cert-file", c.CertFile, "--tls-key-file", c.KeyFile)
	}
	cmd := exec.Command(buildCommand(t), args...)
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	started := make(chan logLine, 1)
	var reading sync.WaitGroup
	reading.Go(func() { readLog(t, stderr, started) })
	var once sync.Once
	stop := func() { once.Do(func() { stopService(t, cmd, &reading) }) }
	t.Cleanup(stop)

	select {
	case line := <-started:
		s := newService(t, line.Address, certificate)
		s.metrics, s.pid, s.stop, s.listens = line.Metrics, cmd.Process.Pid, stop, line.Address
		s.kill = func() {
			once.Do(func() {
				_ = cmd.Process.Kill()
				reading.Wait()
				_ = cmd.Wait() // says that it was killed
			})
		}
		return s
	case <-time.After(wait):
		t.Fatal("the command does not say where it listens")
		return nil
	}
}

// command is built once for all tests.
var command struct {
	once   sync.Once
	dir    string // removed by TestMain
	binary string
	err    error
}

// buildCommand builds with the race detector if the test has it.
func buildCommand(t *testing.T) string {
	t.Helper()
	command.once.Do(func() {
		if command.dir, command.err = os.MkdirTemp("", "conformance"); command.err != nil {
			return
		}
		command.binary = filepath.Join(command.dir, "switchboard")
		args := slices.Concat([]string{"build", "-o", command.binary}, raceFlag, []string{"../cmd/switchboard"})
		if out, err := exec.Command("go", args...).CombinedOutput(); err != nil {
			command.err = fmt.Errorf("go build: %w\n%s", err, out)
		}
	})
	if command.err != nil {
		t.Fatal(command.err)
	}
	return command.binary
}

func newService(t *testing.T, address string, certificate *servicetest.Certificate) *service {
	t.Helper()
	scheme := "http"
	if certificate != nil {
		scheme = "https"
	}
	s := &service{
		connectionString: fmt.Sprintf("Endpoint=%s://%s;AccessKey=%s;Version=1.0;", scheme, address, accessKey),
		certificate:      certificate,
	}
	var err error
	if s.endpoint, err = accesstoken.ParseConnectionString(s.connectionString); err != nil {
		t.Fatal(err)
	}
	return s
}

func stopService(t *testing.T, cmd *exec.Cmd, reading *sync.WaitGroup) {
	kill := time.AfterFunc(wait, func() { _ = cmd.Process.Kill() })
	defer kill.Stop()
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Errorf("stop the command: %v", err)
	}
	reading.Wait()
	if err := cmd.Wait(); err != nil {
		t.Errorf("the command did not end in good order: %v", err)
	}
}

// A logLine is what matters here of a line of the log.
type logLine struct{ Level, Msg, Address, Metrics string }

// readLog reads what the command logs, until it ends. It tells when the command
// listens, and copies what is out of the ordinary. An error fails the test.
func readLog(t *testing.T, r io.Reader, started chan<- logLine) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var line logLine
		err := json.Unmarshal(lines.Bytes(), &line) // a panic is not JSON
		if line.Msg == "listening" {
			started <- line
		}
		if line.Level != "INFO" {
			fmt.Fprintf(t.Output(), "service: %s\n", lines.Text())
		}
		if line.Level == "ERROR" || err != nil {
			t.Errorf("the command logs %s", lines.Text())
		}
	}
}

// trust returns what those who connect to the service trust; nil is the default.
func (s *service) trust() *tls.Config {
	if s.certificate == nil {
		return nil
	}
	return &tls.Config{RootCAs: s.certificate.Roots}
}

// clientURL returns where clients of a hub connect to the service.
func (s *service) clientURL(hub string) string { return s.endpoint.ClientURL(hub) }

// webSocketURL is clientURL for a WebSocket.
func (s *service) webSocketURL(hub string) string {
	return "ws" + strings.TrimPrefix(s.clientURL(hub), "http")
}

// token lets a client connect to the service without the app server.
func (s *service) token(hub, user string) (string, error) {
	now := time.Now()
	t := accesstoken.Token{Audience: s.endpoint.ClientAudience(hub), IssuedAt: now, NotBefore: now, Expires: now.Add(time.Hour)}
	if user != "" {
		t.Claims = []accesstoken.Claim{{Type: accesstoken.ClaimUserID, Value: user}}
	}
	return accesstoken.Sign(s.endpoint.AccessKey, accesstoken.HS256, t)
}

func bounded() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), wait)
}

// samples returns the samples of a metric, by their labels.
func (s *service) samples(t testing.TB, name string) map[string]float64 {
	t.Helper()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Get(s.metrics)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]float64{}
	for line := range bytes.Lines(body) {
		labels, ok := strings.CutPrefix(strings.TrimSpace(string(line)), name)
		if at := strings.LastIndexByte(labels, ' '); ok && at >= 0 && strings.IndexByte("{ ", labels[0]) >= 0 {
			all[labels[:at]], _ = strconv.ParseFloat(labels[at+1:], 64)
		}
	}
	return all
}

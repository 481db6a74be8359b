package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// raceOption spares each process of a race-checked run a second at its end.
const raceOption = "GORACE=atexit_sleep_ms=0"

// patience bounds every wait of a story.
const patience = 30 * time.Second

// processes are the background processes of a story by name.
type processes map[string]*process

// processesKey finds the processes among the values of a story.
type processesKey struct{}

// A process is switchboard in the background.
type process struct {
	command *exec.Cmd
	stdout  bytes.Buffer  // may be read once ended is closed
	lines   chan string   // of standard error; closed at its end
	ended   chan struct{} // closed when the process has ended
	seen    []string      // lines that were taken from lines
}

func find(ts *testscript.TestScript, name string) *process {
	p, ok := ts.Value(processesKey{}).(processes)[name]
	if !ok {
		ts.Fatalf("no process is named %s", name)
	}
	return p
}

func usage(ts *testscript.TestScript, neg bool, ok bool, text string) {
	if neg || !ok {
		ts.Fatalf("usage: %s", text)
	}
}

func start(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) > 1, "start NAME VARIABLE=VALUE… ARGS…")
	environ := []string{"PATH=" + os.Getenv("PATH"), raceOption}
	name, args := args[0], args[1:]
	for len(args) > 0 && strings.Contains(args[0], "=") {
		environ, args = append(environ, args[0]), args[1:]
	}
	p := &process{
		command: exec.Command("switchboard", args...),
		lines:   make(chan string, 1000),
		ended:   make(chan struct{}),
	}
	p.command.Env = environ
	p.command.Dir = ts.Getenv("WORK")
	p.command.Stdout = &p.stdout
	stderr, err := p.command.StderrPipe()
	ts.Check(err)
	ts.Check(p.command.Start())
	go p.follow(stderr)
	ts.Defer(func() {
		_ = p.command.Process.Kill() // it may have ended
		<-p.ended
	})
	ts.Value(processesKey{}).(processes)[name] = p
	ts.Setenv(name, p.wait(ts, regexp.MustCompile(`"msg":"listening","address":"([^"]+)"`))[1])
}

func (p *process) follow(stderr io.Reader) {
	for lines := bufio.NewScanner(stderr); lines.Scan(); {
		p.lines <- lines.Text()
	}
	close(p.lines)
	_ = p.command.Wait() // ended looks at the exit code
	close(p.ended)
}

// wait returns the submatches of the first line on standard error that pattern matches.
func (p *process) wait(ts *testscript.TestScript, pattern *regexp.Regexp) []string {
	for _, line := range p.seen {
		if match := pattern.FindStringSubmatch(line); match != nil {
			return match
		}
	}
	timeout := time.After(patience)
	for {
		select {
		case line, ok := <-p.lines:
			if !ok {
				ts.Fatalf("it ended without a line that matches %s:\n%s", pattern, strings.Join(p.seen, "\n"))
			}
			p.seen = append(p.seen, line)
			if match := pattern.FindStringSubmatch(line); match != nil {
				return match
			}
		case <-timeout:
			ts.Fatalf("no line matches %s:\n%s", pattern, strings.Join(p.seen, "\n"))
		}
	}
}

func logged(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) == 2, "logged NAME REGEXP")
	pattern, err := regexp.Compile(args[1])
	ts.Check(err)
	find(ts, args[0]).wait(ts, pattern)
}

func signalProcess(ts *testscript.TestScript, neg bool, args []string) {
	signals := map[string]os.Signal{"TERM": syscall.SIGTERM, "INT": os.Interrupt, "HUP": syscall.SIGHUP}
	usage(ts, neg, len(args) == 2 && signals[args[1]] != nil, "signal NAME TERM|INT|HUP")
	ts.Check(find(ts, args[0]).command.Process.Signal(signals[args[1]]))
}

func ended(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) == 2, "ended NAME CODE")
	p := find(ts, args[0])
	select {
	case <-p.ended:
	case <-time.After(patience):
		ts.Fatalf("%s still runs", args[0])
	}
	for line := range p.lines {
		p.seen = append(p.seen, line)
	}
	stderr := strings.Join(p.seen, "\n") + "\n"
	ts.Check(os.WriteFile(ts.MkAbs(args[0]+".out"), p.stdout.Bytes(), 0o600))
	ts.Check(os.WriteFile(ts.MkAbs(args[0]+".err"), []byte(stderr), 0o600))
	if got := strconv.Itoa(p.command.ProcessState.ExitCode()); got != args[1] {
		ts.Fatalf("exit code = %s, want %s; standard error:\n%s", got, args[1], stderr)
	}
}

func health(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) == 3, "health METHOD ADDRESS STATUS")
	status, err := askHealth(args[0], args[1])
	ts.Check(err)
	if got := strconv.Itoa(status); got != args[2] {
		ts.Fatalf("status = %s, want %s", got, args[2])
	}
}

// askHealth returns the status code of a request over a connection of its own.
func askHealth(method, address string) (int, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, "http://"+address+"/api/health", nil)
	if err != nil {
		return 0, err
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		return 0, err
	}
	return response.StatusCode, response.Body.Close()
}

// stall begins a request whose headers do not end. A server that shuts down
// waits five seconds for them, which is longer than the stories last.
// Connections are accepted one after the other: the answer on the second
// proves that the server has the first.
func stall(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) == 1, "stall ADDRESS")
	conn, err := net.Dial("tcp", args[0])
	ts.Check(err)
	ts.Defer(func() { conn.Close() })
	_, err = io.WriteString(conn, "GET /api/health HTTP/1.1\r\n")
	ts.Check(err)
	_, err = askHealth(http.MethodGet, args[0])
	ts.Check(err)
}

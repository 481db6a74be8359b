package trial_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"switchboard/internal/loadgen"
	"switchboard/internal/loadgen/report"
	"switchboard/internal/loadgen/trial"
)

// withChildren has a trial start this test program for its children.
func withChildren(t *testing.T, c trial.Config) trial.Config {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c.Program, c.Service, c.AppServer, c.Load = program, []string{"service"}, []string{"app-server"}, []string{"load"}
	return c
}

func run(t *testing.T, c trial.Config) *report.Result {
	t.Helper()
	r, err := trial.Run(t.Context(), withChildren(t, c))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestScenarios(t *testing.T) {
	for _, protocol := range []string{"json", "messagepack"} {
		for _, scenario := range loadgen.Scenarios {
			c := short()
			c.Scenario, c.Protocol = scenario, protocol
			check(t, string(scenario)+"/"+protocol, c)
		}
	}
}

func TestVariants(t *testing.T) {
	for name, vary := range map[string]func(c *trial.Config){
		"TLS":               func(c *trial.Config) { c.TLS = true },
		"TLS connects":      func(c *trial.Config) { c.TLS, c.Scenario, c.Protocol = true, loadgen.Connect, "messagepack" },
		"big groups":        func(c *trial.Config) { c.Scenario, c.Groups, c.Senders = loadgen.SendToGroup, 2, 6 },
		"warm storm":        func(c *trial.Config) { c.Scenario, c.Warmup = loadgen.Connect, time.Nanosecond },
		"processes":         func(c *trial.Config) { c.Scenario, c.LoadProcesses, c.LoadThreads = loadgen.Broadcast, 2, 2 },
		"rate":              func(c *trial.Config) { c.Rate = 200 },
		"rate of connects":  func(c *trial.Config) { c.Scenario, c.Rate = loadgen.Connect, 400 },
		"in flight":         func(c *trial.Config) { c.InFlight = 1 },
		"large payload":     func(c *trial.Config) { c.Scenario, c.Payload, c.InFlight = loadgen.SendToUser, 20_000, 2 },
		"one client":        func(c *trial.Config) { c.Scenario, c.Clients = loadgen.SendToConnection, 1 },
		"shared negotiate":  func(c *trial.Config) { c.Negotiation = loadgen.NegotiateShared },
		"without negotiate": func(c *trial.Config) { c.Negotiation = loadgen.NegotiateSkip },
		"with users":        func(c *trial.Config) { c.Users, c.Warmup = true, 20*time.Millisecond },
	} {
		c := short()
		vary(&c)
		check(t, name, c)
	}
}

// check runs a trial and looks at its account.
func check(t *testing.T, name string, c trial.Config) {
	t.Run(name, func(t *testing.T) {
		t.Parallel()
		r := run(t, c)
		for c.Scenario.Sends() && r.Account.Received == 0 && c.Duration < 5*time.Second {
			c.Duration *= 10 // a machine that is busy may do nothing in so short a time
			r = run(t, c)
		}
		a := r.Account
		if a.Faults() || a.Foreign != 0 || a.Received != a.Expected {
			t.Errorf("account = %+v; errors: %v", a, r.Errors)
		}
		if c.Scenario.Sends() && (a.Received == 0 || r.Latency.Count == 0 || r.Latency.Max < r.Latency.P50) {
			t.Errorf("received %d, latency = %+v", a.Received, r.Latency)
		}
		if c.Scenario == loadgen.Connect && (len(r.Rounds) == 0 || r.Latency.Count != r.Operations.Count) {
			t.Errorf("%d rounds with %d connects, and %d latencies", len(r.Rounds), r.Operations.Count, r.Latency.Count)
		}
		for _, u := range []*report.Usage{r.Service, r.AppServer} {
			if u == nil || u.PID == 0 || u.Memory.Before <= 0 || u.Memory.Settled <= 0 {
				t.Errorf("usage = %+v", u)
			}
		}
		if r.Settings.Clients != c.Clients || r.Connecting.Clients != c.Clients || r.Load.CPU <= 0 {
			t.Errorf("%d clients came, want %d; load = %+v", r.Connecting.Clients, c.Clients, r.Load)
		}
		checkWriters(t, r)
	})
}

// checkWriters writes the result in every form.
func checkWriters(t *testing.T, r *report.Result) {
	t.Helper()
	var table, text, page bytes.Buffer
	if err := errors.Join(report.Table(&table, r), report.JSON(&text, r), report.HTML(&page, r)); err != nil {
		t.Fatal(err)
	}
	var again report.Result
	if err := json.Unmarshal(text.Bytes(), &again); err != nil || again.Account != r.Account {
		t.Errorf("JSON reads back as %+v, %v", again.Account, err)
	}
}

func TestPinnedService(t *testing.T) {
	c := short()
	c.PinService, c.ServiceProfile = 0, filepath.Join(t.TempDir(), "cpu.pprof")
	if err := c.Check(); err != nil {
		t.Skip(err) // a machine with one core, or without core 0
	}
	r := run(t, c)
	if r.Settings.ServiceCore == nil || *r.Settings.ServiceCore != 0 || r.Account.Faults() {
		t.Errorf("settings = %+v, account = %+v", r.Settings, r.Account)
	}
	if s, err := os.Stat(c.ServiceProfile); err != nil || s.Size() == 0 {
		t.Errorf("profile: %v", err)
	}
}

// at returns a Progress that calls f when the trial is in a phase.
func at(phase string, f func()) func(trial.Progress) {
	var once sync.Once
	return func(p trial.Progress) {
		if p.Phase == phase {
			once.Do(f)
		}
	}
}

func TestDeadService(t *testing.T) {
	for _, scenario := range []loadgen.Scenario{loadgen.Echo, loadgen.Idle, loadgen.Connect} {
		t.Run(string(scenario), func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "pid")
			t.Setenv(pidFile, path)
			c := short()
			c.Scenario, c.Duration = scenario, 20*time.Second
			c.Progress = at("measure", func() { kill(t, path) })
			_, err := trial.Run(t.Context(), withChildren(t, c))
			if err == nil || !strings.Contains(err.Error(), "service: signal: ") || !strings.Contains(err.Error(), "killed") {
				t.Errorf("Run = %v, want that the service was killed", err)
			}
		})
	}
}

func kill(t *testing.T, path string) {
	text, err := os.ReadFile(path)
	if err != nil {
		t.Error(err)
		return
	}
	pid, err := strconv.Atoi(string(text))
	if err != nil {
		t.Error(err)
		return
	}
	process, err := os.FindProcess(pid)
	if err == nil {
		err = process.Kill()
	}
	if err != nil {
		t.Error(err)
	}
}

func TestInterrupt(t *testing.T) {
	for _, scenario := range []loadgen.Scenario{loadgen.Echo, loadgen.Connect} {
		t.Run(string(scenario), func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			c := short()
			c.Scenario, c.Duration, c.Progress = scenario, 20*time.Second, at("measure", cancel)
			r, err := trial.Run(ctx, withChildren(t, c))
			if err != nil {
				t.Fatal(err)
			}
			if !r.Interrupted || r.Operations.Count == 0 || r.Account.Faults() {
				t.Errorf("interrupted = %v, operations = %+v, account = %+v", r.Interrupted, r.Operations, r.Account)
			}
		})
	}
}

func TestInterruptBeforeAnything(t *testing.T) {
	for _, phase := range []string{"start", "prepare"} {
		ctx, cancel := context.WithCancel(t.Context())
		c := short()
		c.Progress = at(phase, cancel)
		if _, err := trial.Run(ctx, withChildren(t, c)); !errors.Is(err, trial.ErrInterrupted) {
			t.Errorf("%s: Run = %v, want %v", phase, err, trial.ErrInterrupted)
		}
		cancel()
	}
}

func TestChildThatDoesNotStart(t *testing.T) {
	for name, break_ := range map[string]func(c *trial.Config){
		"service":    func(c *trial.Config) { c.Service = []string{"mute"} },
		"app server": func(c *trial.Config) { c.AppServer = []string{"mute"} },
	} {
		c := withChildren(t, short())
		break_(&c)
		if _, err := trial.Run(t.Context(), c); err == nil || !strings.Contains(err.Error(), "start "+name+": it has ended") {
			t.Errorf("Run = %v, want that %s has ended", err, name)
		}
	}
}

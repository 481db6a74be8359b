package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"switchboard/internal/loadgen/report"
)

// TestMain is a child of a trial when the trial says so: the test program takes
// the place of the command.
func TestMain(m *testing.M) {
	if is, err := runChild(os.Args[1:]); is {
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// Every system does every kind of work, with few clients and for a moment.
// Nothing is lost, and each has figures.
func TestEverySystem(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	c := &comparison{rounds: 1, duration: 150 * time.Millisecond, core: -1, progress: io.Discard}
	var err error
	if c.sections, err = choose(sections, []string{"idle-1000", "idle-tls", "echo", "broadcast-8", "connect-own"}, nil); err != nil {
		t.Fatal(err)
	}
	expected := 0
	c.eachRow(func(_ *section, r *row) {
		r.trial.Clients, r.trial.InFlight, r.trial.Rate = 20, min(r.trial.InFlight, 4), min(r.trial.Rate, 500)
		r.longer = 0
		expected += len(r.systems)
	})
	root, err := projectFolder(ctx)
	if err != nil {
		t.Fatal(err)
	}
	_, clean, err := c.build(ctx, root, "")
	if err != nil {
		t.Fatal(err)
	}
	defer clean()
	if err := c.run(ctx); err != nil {
		t.Fatal(err)
	}
	if len(c.samples) != expected {
		t.Errorf("%d trials, want %d", len(c.samples), expected)
	}
	for _, s := range c.samples {
		check(t, c, &s)
	}
}

func check(t *testing.T, c *comparison, s *sample) {
	t.Helper()
	if fault := s.faulty(); fault != "" {
		t.Errorf("%s with %s: %s", s.Row, s.System, fault)
		return
	}
	if s.Result.Settings.PayloadBytes > 0 && s.Result.Account.Received == 0 {
		t.Errorf("%s with %s: nothing was received", s.Row, s.System)
	}
	if s.Result.Service == nil || s.Result.Service.Memory.Settled <= 0 {
		t.Errorf("%s with %s: its process was not seen", s.Row, s.System)
	}
	answers := s.System == switchboard || s.System == brokerRequest
	if (s.Result.AppServer != nil) != answers {
		t.Errorf("%s with %s: app server is %v", s.Row, s.System, s.Result.AppServer)
	}
}

// made is a comparison whose results are made up: three rounds of the row
// echo-saturated.
func made(t *testing.T) *comparison {
	t.Helper()
	chosen, err := choose(sections, []string{"echo-saturated", "idle-1000", "idle-5000"}, []string{switchboard, bareFloor})
	if err != nil {
		t.Fatal(err)
	}
	c := &comparison{rounds: 3, duration: 5 * time.Second, sections: chosen}
	add := func(row, system string, round int, cpu, memory float64) *report.Result {
		r := &report.Result{
			Started: time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC),
			Machine: report.Machine{Processor: "Abacus", Cores: 2, System: "linux 6.1", Go: "go1.26"},
			Service: &report.Usage{CPU: 1, PerOperation: cpu, Memory: report.Memory{PerConnection: memory}},
		}
		c.samples = append(c.samples, sample{Row: row, System: system, Round: round, Result: r})
		return r
	}
	// The machine is twice as slow in the second round.
	for round, slow := range []float64{1, 2, 1.1} {
		add("echo-saturated", bareFloor, round, 10*slow, 0)
		add("echo-saturated", switchboard, round, 17*slow+float64(round)/2, 0)
		add("idle-1000", switchboard, round, 0, 2048)
		add("idle-5000", switchboard, round, 0, 1024)
	}
	return c
}

func text(t *testing.T, c *comparison) string {
	t.Helper()
	var b bytes.Buffer
	if err := (&page{comparison: c, command: "go run .", version: "v1"}).write(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestPage(t *testing.T) {
	got := text(t, made(t))
	for _, want := range []string{
		"| Date | 4 May 2026 |", "| Processor | Abacus, 2 cores |", "| Kernel | linux 6.1 |", "| Go | go1.26 |",
		"| Switchboard | v1 |", "| Command | `go run .` |",
		"### 64 in flight", "| floor | 11.0 µs (10.0 µs … 20.0 µs) | 1.00× |",
		// 17, 34.5, 19.7 against 10, 20, 11: by round, not by median
		"| Switchboard | 19.7 µs (17.0 µs … 34.5 µs) | 1.73× (1.70× … 1.79×) |",
		"at most 1.80× floor. Measured: 1.73× (1.70× … 1.79×). Met.",
		// (1024·5000 − 2048·1000) / 4000
		"service RSS per client more than in `idle-1000` | at most 1.50 KB | 768 B | met |",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("page has no %q", want)
		}
	}
	if strings.Contains(got, "NATS") && strings.Contains(got, "| NATS") {
		t.Error("page has a table with NATS, which was not asked for")
	}
	if t.Failed() {
		t.Log(got)
	}
}

func TestPageTellsOfFaults(t *testing.T) {
	c := made(t)
	c.samples[1].Result.Account.Lost = 7
	c.samples[0].Result, c.samples[0].Error = nil, "it fell over"
	got := text(t, c)
	for _, want := range []string{"| Switchboard ⚠ |", "| floor ⚠ |", "⚠ Switchboard, round 1: 7 lost.", "⚠ floor, round 1: failed: it fell over.", "**Not met**: something went wrong"} {
		if !strings.Contains(got, want) {
			t.Errorf("page has no %q", want)
		}
	}
	if t.Failed() {
		t.Log(got)
	}
}

func TestReport(t *testing.T) {
	c := made(t)
	folder := t.TempDir()
	o := options{out: filepath.Join(folder, "page.md"), json: filepath.Join(folder, "all.json")}
	var stdout bytes.Buffer
	if err := c.report(&page{comparison: c}, o, &stdout); err != nil {
		t.Fatal(err)
	}
	if file, err := os.ReadFile(o.out); err != nil || !bytes.Equal(file, stdout.Bytes()) {
		t.Errorf("page in the file has %d bytes, %v; on standard output %d", len(file), err, stdout.Len())
	}
	raw, err := os.ReadFile(o.json)
	var samples []sample
	if err == nil {
		err = json.Unmarshal(raw, &samples)
	}
	if err != nil || len(samples) != len(c.samples) {
		t.Errorf("JSON has %d samples, %v; want %d", len(samples), err, len(c.samples))
	}
	c.samples[3].Result.Account.Repeated = 1
	if err := c.report(&page{comparison: c}, options{}, io.Discard); err == nil {
		t.Error("report() of a repeated message = nil, want an error")
	}
}

func TestChoose(t *testing.T) {
	for _, c := range []struct {
		words, systems []string
		want           string // rows, and how many systems all of them have
	}{
		{nil, []string{switchboard}, "idle-1000 idle-5000 idle-19000 idle-tls echo-saturated echo-10000 broadcast-8 broadcast-64 broadcast-10000 broadcast-2k connect-own connect-shared 12"},
		{[]string{"broadcast"}, []string{brokerRequest}, "0"},
		{[]string{"broadcast-8", "echo"}, nil, "echo-saturated echo-10000 broadcast-8 15"},
	} {
		chosen, err := choose(sections, c.words, c.systems)
		n := 0
		for _, s := range chosen {
			for _, r := range s.rows {
				n += len(r.systems)
			}
		}
		if got := strings.TrimSpace(fmt.Sprintf("%s %d", strings.Join(rowNames(chosen), " "), n)); err != nil || got != c.want {
			t.Errorf("choose(%v, %v) = %s, %v; want %s", c.words, c.systems, got, err, c.want)
		}
	}
	if _, err := choose(sections, []string{"echos"}, nil); err == nil {
		t.Error("choose(echos) = nil, want an error")
	}
}

// Every row names systems that exist, says what each does, and has a yardstick
// among them.
func TestRows(t *testing.T) {
	for _, s := range sections {
		said := map[string]bool{}
		for _, d := range s.does {
			said[d.system] = true
		}
		for _, r := range s.rows {
			names := map[string]bool{}
			for _, name := range r.systems {
				names[name] = true
				if _, err := systemNamed(name); err != nil || !said[name] {
					t.Errorf("%s: what %s does is not said (%v)", r.name, name, err)
				}
			}
			for _, target := range r.targets {
				if target.against != "" && !names[target.against] {
					t.Errorf("%s: target against %s, which is not measured", r.name, target.against)
				}
			}
			if r.against != "" && !names[r.against] {
				t.Errorf("%s: yardstick %s is not measured", r.name, r.against)
			}
		}
	}
}

func TestFormat(t *testing.T) {
	for _, c := range []struct {
		unit  unit
		value float64
		want  string
	}{
		{inMicros, 0.2954, "0.30 µs"}, {inMicros, 0.0312, "0.031 µs"}, {inMicros, 9.71, "9.71 µs"}, {inMicros, 1234, "1.23 ms"}, {inMicros, 2.5e6, "2.50 s"},
		{inBytes, 289, "289 B"}, {inBytes, 1536, "1.50 KB"}, {inBytes, -300, "-300 B"}, {inBytes, 57 * 1024 * 1024, "58,368 KB"},
		{perSecond, 1234567, "1,234,567"}, {perSecond, 0, "0"}, {asShare, 0.4567, "45.7 %"}, {asShare, 0, "0.00 %"},
	} {
		if got := c.unit.format(c.value); got != c.want {
			t.Errorf("format(%v) = %q, want %q", c.value, got, c.want)
		}
	}
	if got := newSpread([]float64{4, 1, 3, 2}); math.Abs(got.median-2.5) > 1e-9 || got.low != 1 || got.high != 4 {
		t.Errorf("newSpread() = %+v", got)
	}
}

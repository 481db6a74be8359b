package report_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"switchboard/internal/loadgen/report"
)

// sample is the result of a broadcast in which little went wrong.
func sample() *report.Result {
	core := 0
	r := &report.Result{
		Version: "v1.2.3", Started: time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC), Seconds: 2,
		Machine: report.Machine{Processor: "Some CPU", Cores: 2, System: "linux", Go: "go1.26"},
		Settings: report.Settings{
			Scenario: "broadcast", Operation: "broadcast", Protocol: "json", Clients: 1000, PayloadBytes: 128,
			InFlight: 8, Senders: 8, Duration: 2, Warmup: 1, Negotiation: "own", ServiceCore: &core, ServerConns: 5,
		},
		Operations: report.Rate{Count: 2000, PerSecond: 1000}, Deliveries: report.Rate{Count: 2_000_000, PerSecond: 1e6},
		Latency: report.Latency{
			Count: 2_000_000, Mean: 900, P50: 800, P90: 1500, P99: 2500, P999: 4000, Max: 5000,
			Curve: []report.Quantile{{0, 100}, {0.5, 800}, {0.9, 1500}, {0.99, 2500}, {0.999, 4000}},
		},
		Service: &report.Usage{
			PID: 7, CPUSeconds: 1.8, UserSeconds: 0.6, SystemSeconds: 1.2, CPU: 0.9, PerOperation: 900, PerDelivery: 0.9, PerConnect: 80,
			Memory: report.Memory{Before: 10 << 20, Connected: 13 << 20, Settled: 12 << 20, PerConnection: 1500, PerConnectionUnsettled: 3000},
		},
		Load:       report.Load{Processes: 1, CPU: 0.8, Busiest: 0.95, Threads: []report.Thread{{0.5, 0.1}, {0.8, 0.15}}},
		Connecting: report.Connect{Clients: 1000, Seconds: 0.25, PerSecond: 4000},
		Account:    report.Account{Sent: 3000, Expected: 3_000_000, Received: 2_999_999, Lost: 1},
		Warnings:   []string{"Something to know."}, Errors: []string{`<script src="https://example.com/x">`},
	}
	for i, phase := range []string{"connect", "warm up", "measure", "measure", "drain"} {
		p := report.Point{At: float64(i + 1), Seconds: 1, Phase: phase, Open: 1000, Operations: 1000, Deliveries: 1e6, ServiceCPU: 0.9, ServiceRSS: 12 << 20}
		if phase == "measure" {
			p.P50, p.P99 = 800, 2500
		}
		r.Samples = append(r.Samples, p)
	}
	return r
}

func table(t *testing.T, r *report.Result) string {
	t.Helper()
	var b strings.Builder
	if err := report.Table(&b, r); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func html(t *testing.T, r *report.Result) string {
	t.Helper()
	var b strings.Builder
	if err := report.HTML(&b, r); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestTable(t *testing.T) {
	want, err := os.ReadFile("testdata/table.txt")
	if err != nil {
		t.Fatal(err)
	}
	if got := table(t, sample()); got != string(want) {
		t.Errorf("table =\n%s\nwant\n%s", got, want)
	}
}

func TestTableOfScenarios(t *testing.T) {
	for name, c := range map[string]struct {
		vary  func(r *report.Result)
		wants []string
	}{
		"few clients": {func(r *report.Result) { r.Settings.Clients = 10 }, []string{"12.0 MB  RSS, 10.0 MB before"}},
		"not seen":    {func(r *report.Result) { r.Service = nil }, []string{"service      ", "not seen"}},
		"all well":    {func(r *report.Result) { r.Account = report.Account{Expected: 5, Received: 5} }, []string{"nothing lost, nothing repeated"}},
		"everything wrong": {func(r *report.Result) {
			r.Account = report.Account{Expected: 9, Lost: 1000, Repeated: 2, Misdirected: 3, Failed: 4, Dropped: 5}
		}, []string{"1,000 lost, 2 repeated or overtaken, 3 delivered to the wrong client, 4 connects failed, 5 connections dropped"}},
		"rate": {func(r *report.Result) {
			r.Settings.InFlight, r.Settings.Rate, r.Load.BehindUs = 0, 500, 1500
		}, []string{"500 per second", "sent at most 1.50 ms late"}},
		"groups": {func(r *report.Result) {
			r.Settings.Operation, r.Settings.Groups, r.Settings.GroupSize = "message", 100, 10
		}, []string{"100 groups of 10", "per delivery"}},
		"storms": {func(r *report.Result) {
			r.Settings.Scenario, r.Settings.Operation, r.Account = "connect", "connect", report.Account{}
			r.Rounds = []report.Round{{PerSecond: 50, Warmup: true}, {PerSecond: 300}, {PerSecond: 100}, {PerSecond: 200}}
		}, []string{"200 /s  of 3 storms; slowest 100 /s, fastest 300 /s; before them one to warm up, with 50 /s", "connects that failed"}},
	} {
		r := sample()
		c.vary(r)
		got := table(t, r)
		for _, want := range c.wants {
			if !strings.Contains(got, want) {
				t.Errorf("%s: the table lacks %q:\n%s", name, want, got)
			}
		}
	}
}

func TestFaults(t *testing.T) {
	for _, a := range []report.Account{{Lost: 1}, {Repeated: 1}, {Misdirected: 1}, {Failed: 1}, {Dropped: 1}} {
		if !a.Faults() {
			t.Errorf("%+v is no fault", a)
		}
	}
	if a := (report.Account{Sent: 1, Expected: 2, Received: 2, Foreign: 3, Unsent: 4}); a.Faults() {
		t.Errorf("%+v is a fault", a)
	}
}

func TestJSONReadsBack(t *testing.T) {
	var b bytes.Buffer
	if err := report.JSON(&b, sample()); err != nil {
		t.Fatal(err)
	}
	var got report.Result
	decoder := json.NewDecoder(&b)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&got); err != nil {
		t.Fatal(err)
	}
	if want := sample(); !reflect.DeepEqual(&got, want) {
		t.Errorf("JSON reads back as %+v, want %+v", &got, want)
	}
}

// The page is one file: it asks for nothing, and what it has is well-formed.
func TestPageIsSelfContained(t *testing.T) {
	page := html(t, sample())
	page = strings.ReplaceAll(page, "&lt;script src=&#34;https://example.com/x&#34;&gt;", "") // an error, as text
	for _, word := range []string{"http:", "https:", "src=", "href=", "<link", "@import", "url(", "fetch(", "NaN", "Inf"} {
		if strings.Contains(page, word) {
			t.Errorf("the page has %q", word)
		}
	}
	if !strings.Contains(page, "default-src 'none'") {
		t.Error("the page has no policy that forbids to ask for more")
	}
}

func TestPlots(t *testing.T) {
	pictures := regexp.MustCompile(`(?s)<svg.*?</svg>`).FindAllString(html(t, sample()), -1)
	var titles []string
	for _, picture := range pictures {
		checkXML(t, picture)
		titles = append(titles, regexp.MustCompile(`aria-label="([^"]+)"`).FindStringSubmatch(picture)[1])
	}
	want := []string{"Latency distribution", "Throughput", "CPU", "Memory", "Latency over time"}
	if !reflect.DeepEqual(titles, want) {
		t.Errorf("plots = %v, want %v", titles, want)
	}
}

func checkXML(t *testing.T, text string) {
	t.Helper()
	for decoder := xml.NewDecoder(strings.NewReader(text)); ; {
		_, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Errorf("picture is not XML: %v\n%s", err, text)
			return
		}
	}
}

// A trial that saw next to nothing has a page all the same.
func TestPageOfNothing(t *testing.T) {
	for name, r := range map[string]*report.Result{
		"empty":      {},
		"one sample": {Samples: []report.Point{{At: 1}}, Latency: report.Latency{Count: 1, Max: 5, Curve: []report.Quantile{{0, 5}}}},
		"all zero":   {Samples: []report.Point{{}, {}}, Service: &report.Usage{}},
	} {
		for _, picture := range regexp.MustCompile(`(?s)<svg.*?</svg>`).FindAllString(html(t, r), -1) {
			checkXML(t, picture)
			if strings.Contains(picture, "NaN") || strings.Contains(picture, "Inf") {
				t.Errorf("%s: a picture has a place that is no number:\n%s", name, picture)
			}
		}
		table(t, r)
	}
}

type full struct{}

var errFull = errors.New("disk is full")

func (full) Write([]byte) (int, error) { return 0, errFull }

func TestWriteErrors(t *testing.T) {
	for name, write := range map[string]func(io.Writer, *report.Result) error{"table": report.Table, "JSON": report.JSON, "HTML": report.HTML} {
		if err := write(full{}, sample()); !errors.Is(err, errFull) {
			t.Errorf("%s: error = %v, want %v", name, err, errFull)
		}
	}
}

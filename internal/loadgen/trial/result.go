package trial

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"runtime"
	"strings"
	"time"

	"switchboard/internal/loadgen"
	"switchboard/internal/loadgen/report"
)

// result puts together what was measured.
func (m *measurement) result(processes int) report.Result {
	t := m.trial
	r := report.Result{
		Version: t.Version, Started: time.Now().UTC().Truncate(time.Second), Machine: machine(len(t.cores)), Settings: t.settings(),
		Interrupted: m.interrupted, Warnings: []string{}, Errors: m.watch.errors, Samples: m.watch.points,
	}
	var operations, deliveries uint64
	var length time.Duration
	for _, s := range m.spans() {
		operations += t.operations(&s.to.seen) - t.operations(&s.from.seen)
		deliveries += s.to.seen.Received - s.from.seen.Received
		length += s.to.at - s.from.at
	}
	r.Seconds = length.Seconds()
	r.Operations, r.Deliveries = rate(operations, r.Seconds), rate(deliveries, r.Seconds)
	r.Latency = latency(&m.watch.latency)
	r.Service = m.usage(t.service, operations, deliveries, func(m mark) reading { return m.service }, func(s settled) reading { return s.service })
	if r.Service != nil && t.PinService >= 0 {
		r.Service.Others = m.others(r.Service)
	}
	r.AppServer = m.usage(t.app, operations, deliveries, func(m mark) reading { return m.app }, func(s settled) reading { return s.app })
	r.Load = m.load(processes)
	clients := m.came.seen.Opened - m.called.seen.Opened
	seconds := (m.came.at - m.called.at).Seconds()
	r.Connecting = report.Connect{Clients: clients, Seconds: seconds, PerSecond: over(float64(clients), seconds)}
	r.Account = account(&m.last.seen)
	if t.Scenario == loadgen.Connect {
		r.Rounds = m.report()
	}
	if r.Errors == nil {
		r.Errors = []string{}
	}
	m.warn(&r)
	return r
}

func rate(n uint64, seconds float64) report.Rate {
	return report.Rate{Count: n, PerSecond: over(float64(n), seconds)}
}

// per returns the microseconds for each of n things.
func per(d time.Duration, n uint64) float64 { return over(micros(d), float64(n)) }

// over divides. What nothing was done for has no figure: it is 0, since JSON
// has no word for it.
func over(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return a / b
}

// usage works out what a process used, or nil if it is not known which it is.
func (m *measurement) usage(s subject, operations, deliveries uint64, at func(mark) reading, once func(settled) reading) *report.Usage {
	if s.meter.pid == 0 {
		return nil
	}
	var cpu, user, system, wait, length time.Duration
	for _, span := range m.spans() {
		from, to := at(span.from), at(span.to)
		cpu += to.cpu - from.cpu
		user += to.user - from.user
		system += to.system - from.system
		wait += max(0, to.wait-from.wait) // less when a thread has ended
		length += span.to.at - span.from.at
	}
	clients := float64(m.came.seen.Opened - m.called.seen.Opened)
	before, connected, after := once(m.before), at(m.came), once(m.settled)
	return &report.Usage{
		PID: s.meter.pid, CPUSeconds: cpu.Seconds(), UserSeconds: user.Seconds(), SystemSeconds: system.Seconds(),
		CPU: over(cpu.Seconds(), length.Seconds()), Wait: over(wait.Seconds(), length.Seconds()),
		PerOperation: per(cpu, operations), PerDelivery: per(cpu, deliveries),
		PerConnect: per(connected.cpu-at(m.called).cpu, uint64(clients)),
		Memory: report.Memory{
			Before: before.rss, Connected: connected.rss, Settled: after.rss, End: at(m.to).rss,
			BeforeAnon: before.anonymous, SettledAnon: after.anonymous,
			PerConnection:          over(float64(after.rss-before.rss), clients),
			PerConnectionUnsettled: over(float64(connected.rss-before.rss), clients),
		},
	}
}

// others works out what share of the service's own core was used by others. The
// kernel counts the time of a core in ticks, so that it is not exact.
func (m *measurement) others(service *report.Usage) float64 {
	busy, length := 0.0, 0.0
	for _, s := range m.spans() {
		busy += (s.to.core - s.from.core).Seconds()
		length += (s.to.at - s.from.at).Seconds()
	}
	return max(0, over(busy-service.CPUSeconds, length))
}

func latency(h *loadgen.Histogram) report.Latency {
	l := report.Latency{
		Count: h.Count(), Mean: micros(h.Mean()), P50: micros(h.Quantile(0.5)), P90: micros(h.Quantile(0.9)),
		P99: micros(h.Quantile(0.99)), P999: micros(h.Quantile(0.999)), Max: micros(h.Max()), Curve: []report.Quantile{},
	}
	if l.Count == 0 {
		return l
	}
	// Towards 1 in steps that get smaller by 10^(1/10), until no message is left.
	for i := 0; ; i++ {
		left := math.Pow(10, -float64(i)/10)
		if left*float64(l.Count) < 1 {
			break
		}
		l.Curve = append(l.Curve, report.Quantile{Share: 1 - left, Latency: micros(h.Quantile(1 - left))})
	}
	return l
}

func (m *measurement) load(processes int) report.Load {
	l := report.Load{Processes: processes, Threads: []report.Thread{}}
	spans := m.spans()
	length := 0.0
	for _, s := range spans {
		length += (s.to.at - s.from.at).Seconds()
		l.CPU += (s.to.seen.CPU - s.from.seen.CPU).Seconds()
		l.BytesIn += s.to.seen.BytesIn - s.from.seen.BytesIn
		l.BytesOut += s.to.seen.BytesOut - s.from.seen.BytesOut
	}
	for i := range spans[0].from.seen.Threads {
		thread := report.Thread{}
		for _, s := range spans {
			from, to := s.from.seen.Threads[i], s.to.seen.Threads[i]
			thread.CPU += over((to.CPU - from.CPU).Seconds(), length)
			thread.Wait += over((to.Wait - from.Wait).Seconds(), length)
		}
		l.Busiest = max(l.Busiest, thread.CPU+thread.Wait)
		l.Threads = append(l.Threads, thread)
	}
	l.CPU = over(l.CPU, length)
	l.BehindUs = micros(m.watch.behind)
	return l
}

func account(s *loadgen.Snapshot) report.Account {
	a := report.Account{
		Sent: s.Sent, Unsent: s.Unsent, Expected: s.Expected, Received: s.Received, Repeated: s.Repeated,
		Misdirected: s.Misdirected, Foreign: s.Foreign, Failed: s.Failed, Dropped: s.Dropped,
	}
	if a.Expected > a.Received {
		a.Lost = a.Expected - a.Received
	}
	return a
}

// warn says what to know before the figures are believed.
func (m *measurement) warn(r *report.Result) {
	warn := func(format string, args ...any) { r.Warnings = append(r.Warnings, fmt.Sprintf(format, args...)) }
	if r.Interrupted {
		warn("The trial was interrupted after %.1f of %.1f seconds.", r.Seconds, r.Settings.Duration)
	}
	if r.Load.Busiest > 0.9 {
		warn("A thread of the load side was busy for %.0f %% of the time (running or waiting for a core): "+
			"throughput and latency may be its limit, not the service's. CPU and memory per operation hold.", 100*r.Load.Busiest)
	}
	if r.Account.Unsent > 0 {
		warn("%d messages were due but not sent, because their connections took no more or the load side had no time.", r.Account.Unsent)
	}
	if due := r.Settings.Rate; due > 0 && r.Operations.PerSecond < 0.95*due && m.trial.Scenario.Sends() {
		warn("%.0f per second were asked for, and %.0f were sent.", due, r.Operations.PerSecond)
	}
	pinned := r.Service != nil && r.Settings.ServiceCore != nil
	if pinned && r.Service.Others > 0.1 {
		warn("Other programs had the core of the service for %.0f %% of the time: rates and latencies are worse than on a quiet machine.", 100*r.Service.Others)
	}
	if saturated := r.Settings.Rate == 0 && m.trial.Scenario != loadgen.Idle; pinned && saturated && r.Service.CPU+r.Service.Others < 0.9 {
		warn("The service used %.0f %% of its core, so it was not at its limit: the load side or the app server was, or there was too little in flight.", 100*r.Service.CPU)
	}
}

func (t *trial) settings() report.Settings {
	s := report.Settings{
		Scenario: string(t.Scenario), Operation: operationName(t.Scenario), Protocol: t.Protocol, Clients: t.Clients,
		Duration: t.Duration.Seconds(), Warmup: t.Warmup.Seconds(), Negotiation: string(t.Negotiation),
		TLS: t.TLS || strings.HasPrefix(t.hubURL, "https:"), ConnectAtOnce: t.ConnectInFlight, PingSeconds: t.Ping.Seconds(),
		Rate: t.Rate,
	}
	if t.Scenario.Sends() {
		s.PayloadBytes, s.InFlight = t.Payload, t.InFlight
	}
	if t.Scenario == loadgen.SendToGroup {
		s.Groups, s.GroupSize = t.Groups, t.GroupSize
	}
	if t.Scenario == loadgen.SendToGroup || t.Scenario == loadgen.Broadcast {
		s.Senders = t.Senders
	}
	if t.app.child != nil {
		s.ServerConns = t.ServerConnections
	}
	if t.service.child != nil && t.PinService >= 0 {
		s.ServiceCore = &t.PinService
	}
	return s
}

func operationName(s loadgen.Scenario) string {
	switch s {
	case loadgen.Echo:
		return "round trip"
	case loadgen.Broadcast:
		return "broadcast"
	case loadgen.Connect:
		return "connect"
	case loadgen.Idle:
		return "ping"
	}
	return "message"
}

func machine(cores int) report.Machine {
	m := report.Machine{Processor: runtime.GOARCH, Cores: cores, System: runtime.GOOS, Go: runtime.Version()}
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		_, rest, _ := bytes.Cut(text, []byte("model name"))
		line, _, _ := bytes.Cut(rest, []byte("\n"))
		if name := strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(string(line)), ":")); name != "" {
			m.Processor = name
		}
	}
	if text, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		m.System += " " + strings.TrimSpace(string(text))
	}
	return m
}

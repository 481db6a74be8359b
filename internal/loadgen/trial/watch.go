package trial

import (
	"context"
	"fmt"
	"sync"
	"time"

	"switchboard/internal/loadgen"
	"switchboard/internal/loadgen/report"
)

// The phases of a trial, as results name them.
const (
	phaseConnect = "connect"
	phaseWarmUp  = "warm up"
	phaseMeasure = "measure"
	phaseDrain   = "drain" // what is on its way comes
	phaseLeave   = "leave"
)

// A mark is everything that is known at one moment.
type mark struct {
	at           time.Duration // monotonic clock of the machine
	seen         loadgen.Snapshot
	service, app reading
	core         time.Duration // that the core of the service was busy; 0 if it has none of its own
}

// A watch looks at all processes again and again. Its methods may be called from
// any goroutine.
type watch struct {
	trial *trial
	fleet *fleet

	mu      sync.Mutex
	phase   string            // guarded by mu, as is all below
	begun   time.Duration     // when the first clients began to connect
	last    mark              // the latest point began here
	latency loadgen.Histogram // of the whole trial
	recent  loadgen.Histogram // since last
	points  []report.Point
	errors  []string
	behind  time.Duration // longest that a message was sent after it was due
}

// enter says what the points from now on belong to.
func (w *watch) enter(ctx context.Context, phase string) (mark, error) {
	m, err := w.mark(ctx)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.phase = phase
	return m, err
}

// mark looks at everything, and ends a point. It is an error when something has
// ended that the trial needs.
func (w *watch) mark(ctx context.Context) (m mark, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if m.service, err = w.trial.service.read(); err != nil {
		return m, err
	}
	if m.app, err = w.trial.app.read(); err != nil {
		return m, err
	}
	if w.trial.PinService >= 0 {
		if m.core, err = coreBusy(w.trial.PinService); err != nil {
			return m, err
		}
	}
	if m.seen, err = w.fleet.snapshot(ctx); err != nil {
		return m, err
	}
	m.at = loadgen.Monotonic()
	seen := &m.seen
	w.latency.Merge(seen.Latency, seen.LatencyMax)
	w.recent.Merge(seen.Latency, seen.LatencyMax)
	w.errors = append(w.errors, seen.Errors...)
	w.behind = max(w.behind, seen.Behind)
	w.addPoint(m)
	return m, w.nobodyLocked(seen)
}

// nobodyLocked is an error when all clients were dropped in the middle.
func (w *watch) nobodyLocked(seen *loadgen.Snapshot) error {
	sending := w.phase == phaseWarmUp || w.phase == phaseMeasure
	if seen.Open > 0 || seen.Dropped == 0 || !sending || w.trial.Scenario == loadgen.Connect {
		return nil
	}
	return fmt.Errorf("all clients were dropped; the first said: %s", append(w.errors, "nothing")[0])
}

// forget drops the latencies that were seen so far.
func (w *watch) forget() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.latency.Reset()
}

func (w *watch) addPoint(m mark) {
	interval := (m.at - w.last.at).Seconds()
	if w.last.at == 0 {
		w.begun, w.last = m.at, m
		return
	}
	if interval < 0.02 {
		return // two marks of one moment; the next point has both
	}
	cpu := func(now, before time.Duration) float64 { return (now - before).Seconds() / interval }
	operations := w.trial.operations(&m.seen) - w.trial.operations(&w.last.seen)
	w.points = append(w.points, report.Point{
		At: (m.at - w.begun).Seconds(), Seconds: interval, Phase: w.phase, Open: m.seen.Open,
		Operations: float64(operations) / interval,
		Deliveries: float64(m.seen.Received-w.last.seen.Received) / interval,
		P50:        micros(w.recent.Quantile(0.5)), P99: micros(w.recent.Quantile(0.99)),
		ServiceCPU: cpu(m.service.cpu, w.last.service.cpu),
		AppCPU:     cpu(m.app.cpu, w.last.app.cpu),
		LoadCPU:    cpu(m.seen.CPU, w.last.seen.CPU),
		ServiceRSS: m.service.rss, AppRSS: m.app.rss,
	})
	w.last = m
	w.recent.Reset()
	w.tell()
}

func (w *watch) tell() {
	if w.trial.Progress == nil {
		return
	}
	p := w.points[len(w.points)-1]
	w.trial.Progress(Progress{
		Phase: w.phase, Open: p.Open, Operations: p.Operations, Deliveries: p.Deliveries,
		P99: time.Duration(p.P99 * 1e3), ServiceCPU: p.ServiceCPU,
	})
}

// every marks until ctx ends. Its error says why nothing more can be seen.
func (w *watch) every(ctx context.Context, interval time.Duration) error {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			if _, err := w.mark(ctx); err != nil && ctx.Err() == nil {
				return err
			}
		case <-ctx.Done():
			return nil
		}
	}
}

func micros(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e3 }

package trial

import (
	"context"
	"errors"
	"time"

	"switchboard/internal/loadgen"
	"switchboard/internal/loadgen/report"
)

// ErrInterrupted means that a trial was ended before it had measured anything.
var ErrInterrupted = errors.New("interrupted before anything was measured")

// A measurement is a trial once everything runs.
type measurement struct {
	trial  *trial
	fleet  *fleet
	watch  *watch
	before settled // no client was connected

	called, came mark    // the clients began to connect, the last was there
	settled      settled // after that
	from, to     mark    // what is measured
	last         mark    // after what was on its way has come
	rounds       []storm
	interrupted  bool
}

// A storm is one round of connects.
type storm struct {
	from, to mark
	warmup   bool
}

// run measures. The end of ctx ends it early.
func (m *measurement) run(ctx context.Context) error {
	always := context.WithoutCancel(ctx) // to read what was measured when ctx has ended
	if _, err := m.watch.enter(ctx, phaseConnect); err != nil {
		return err
	}
	seeing, blind := context.WithCancelCause(ctx)
	defer blind(nil)
	stop := background(always, func(ctx context.Context) {
		if err := m.watch.every(ctx, m.interval()); err != nil {
			blind(err)
		}
	})
	var err error
	if m.trial.Scenario == loadgen.Connect {
		err = m.storms(seeing, always)
	} else {
		err = m.steady(seeing, always)
	}
	stop()
	if ctx.Err() == nil && seeing.Err() != nil {
		return context.Cause(seeing)
	}
	return err
}

// interval returns how often to look: often enough for a plot, and so that the
// looking costs nothing.
func (m *measurement) interval() time.Duration {
	return min(max(m.trial.Duration/100, 200*time.Millisecond), 10*time.Second)
}

func (m *measurement) see(ctx context.Context) (loadgen.Snapshot, error) {
	mark, err := m.watch.mark(ctx)
	return mark.seen, err
}

// steady connects all clients and has them send, or be idle, for a time.
func (m *measurement) steady(ctx, always context.Context) (err error) {
	if err := m.fleet.call(ctx, "Redirect", loadgen.None{}); err != nil {
		return err
	}
	if m.called, err = m.watch.mark(ctx); err != nil {
		return err
	}
	if err := m.fleet.call(ctx, "Connect", 0.0); err != nil {
		return err
	}
	if m.came, err = m.watch.mark(ctx); err != nil {
		return err
	}
	if err := m.trial.join(ctx, m.fleet, m.see); err != nil {
		return err
	}
	if _, err = m.watch.enter(ctx, phaseWarmUp); err != nil {
		return err
	}
	if m.settled, err = m.trial.settle(ctx); err != nil {
		return err
	}
	until, err := m.send(ctx)
	if err != nil {
		return err
	}
	if m.from, err = m.enterProfiled(ctx); err != nil {
		return err
	}
	if pause(ctx, until-loadgen.Monotonic()) != nil {
		m.interrupted = true
		if err := m.fleet.call(always, "Stop", loadgen.None{}); err != nil {
			return err
		}
	}
	return m.finish(always)
}

// send begins to send, and waits until it is to be measured.
func (m *measurement) send(ctx context.Context) (until time.Duration, err error) {
	from := loadgen.Monotonic() + m.trial.Warmup
	until = from + m.trial.Duration
	if m.trial.Scenario.Sends() {
		err = m.fleet.call(ctx, "Run", loadgen.Window{From: int64(from), To: int64(until), Until: int64(until)})
	}
	if err == nil {
		err = pause(ctx, from-loadgen.Monotonic())
	}
	return until, err
}

func (m *measurement) enterProfiled(ctx context.Context) (mark, error) {
	if path := m.trial.ServiceProfile; path != "" {
		if err := m.trial.service.child.order(ctx, orderProfile+path); err != nil {
			return mark{}, err
		}
	}
	return m.watch.enter(ctx, phaseMeasure)
}

// finish takes the last figures, and waits for what is on its way.
func (m *measurement) finish(ctx context.Context) (err error) {
	if m.to, err = m.watch.enter(ctx, phaseDrain); err != nil {
		return err
	}
	if m.trial.ServiceProfile != "" {
		if err := m.trial.service.child.order(ctx, orderNoProfile); err != nil {
			return err
		}
	}
	if err := drain(ctx, m.see, 0); err != nil {
		return err
	}
	if _, err := m.watch.enter(ctx, phaseLeave); err != nil {
		return err
	}
	if err := m.fleet.call(ctx, "Leave", loadgen.None{}); err != nil {
		return err
	}
	m.last, err = m.watch.mark(ctx) // what came twice may have come this late
	return err
}

// storms has all clients connect, again and again, until that has taken as long
// as the trial is to last, or one failed. The first time is for warming up.
func (m *measurement) storms(ctx, always context.Context) (err error) {
	defer context.AfterFunc(ctx, func() { _ = m.fleet.call(always, "Stop", loadgen.None{}) })()
	if err := m.fleet.call(ctx, "Redirect", loadgen.None{}); err != nil {
		return err
	}
	warmup := m.trial.Warmup > 0
	for taken := time.Duration(0); taken < m.trial.Duration && ctx.Err() == nil; {
		s := storm{warmup: warmup}
		if s.from, err = m.enterProfiled(always); err != nil {
			return err
		}
		if err := m.fleet.call(always, "Connect", m.trial.Rate); err != nil {
			return err
		}
		if s.to, err = m.watch.enter(always, phaseLeave); err != nil {
			return err
		}
		if ctx.Err() == nil || len(m.rounds) == 0 {
			m.rounds = append(m.rounds, s)
		}
		if err := m.afterStorm(always, s); err != nil {
			return err
		}
		if !warmup {
			taken += s.to.at - s.from.at
		}
		warmup = false
		if s.to.seen.Failed+s.to.seen.Dropped > 0 {
			break
		}
	}
	m.interrupted = ctx.Err() != nil
	m.from, m.to = m.rounds[0].from, m.rounds[len(m.rounds)-1].to
	m.last, err = m.watch.mark(always)
	return err
}

// afterStorm reads the memory after the first storm, and ends all connections.
func (m *measurement) afterStorm(ctx context.Context, s storm) (err error) {
	if m.trial.ServiceProfile != "" {
		if err := m.trial.service.child.order(ctx, orderNoProfile); err != nil {
			return err
		}
	}
	if s.warmup {
		m.watch.forget()
	}
	if len(m.rounds) == 1 {
		m.called, m.came = s.from, s.to
		if m.settled, err = m.trial.settle(ctx); err != nil {
			return err
		}
	}
	return m.fleet.call(ctx, "Leave", loadgen.None{})
}

// counted returns the storms that count.
func (m *measurement) counted() []storm {
	if len(m.rounds) > 1 && m.rounds[0].warmup {
		return m.rounds[1:]
	}
	return m.rounds
}

// spans returns the times that are measured.
func (m *measurement) spans() []storm {
	if m.trial.Scenario == loadgen.Connect {
		return m.counted()
	}
	return []storm{{from: m.from, to: m.to}}
}

func (m *measurement) report() []report.Round {
	var list []report.Round
	for i, s := range m.rounds {
		clients := s.to.seen.Opened - s.from.seen.Opened
		seconds := (s.to.at - s.from.at).Seconds()
		list = append(list, report.Round{
			Clients: clients, Seconds: seconds, PerSecond: over(float64(clients), seconds),
			ServiceCPU: per(s.to.service.cpu-s.from.service.cpu, uint64(clients)),
			Warmup:     i == 0 && len(m.counted()) < len(m.rounds),
		})
	}
	return list
}

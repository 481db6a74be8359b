package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"switchboard/internal/loadgen"
	"switchboard/internal/loadgen/report"
	"switchboard/internal/loadgen/trial"
)

// A sample is what one trial found out.
type sample struct {
	Row    string         `json:"row"`
	System string         `json:"system"`
	Round  int            `json:"round"` // from 0
	Result *report.Result `json:"result,omitempty"`
	Error  string         `json:"error,omitempty"` // why there is no result
}

// faulty tells whether something went wrong that a table must not hide.
func (s *sample) faulty() string {
	switch {
	case s.Result == nil:
		return "failed: " + s.Error
	case s.Result.Account.Faults():
		return s.Result.Account.Summary()
	}
	return ""
}

// A comparison runs the rows.
type comparison struct {
	programs programs
	sections []section
	rounds   int
	duration time.Duration
	core     int    // of the system under test; -1: not pinned
	profiles string // folder for CPU profiles; "" for none
	progress io.Writer

	samples []sample
}

// run measures everything: a row at a time, in it one round after the other, and
// in each round all systems, beginning with another one each time. A trial that
// fails is noted, and the rest goes on. The end of ctx is an error.
func (c *comparison) run(ctx context.Context) error {
	for _, s := range c.sections {
		for i := range s.rows {
			for round := range c.rounds {
				if err := c.round(ctx, &s.rows[i], round); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// check reports what is wrong with the settings, before anything is measured.
func (c *comparison) check() (err error) {
	c.eachRow(func(_ *section, r *row) {
		for _, name := range r.systems {
			s, unknown := systemNamed(name)
			if err == nil {
				err = unknown
			}
			if err == nil {
				t := c.settings(r, s, 0)
				err = t.Check()
			}
		}
	})
	return err
}

func (c *comparison) round(ctx context.Context, r *row, round int) error {
	for i := range r.systems {
		s, err := systemNamed(r.systems[(i+round)%len(r.systems)])
		if err != nil {
			return err
		}
		fmt.Fprintf(c.progress, "%-15s round %d of %d  %-15s", r.name, round+1, c.rounds, s.title)
		found := sample{Row: r.name, System: s.name, Round: round}
		found.Result, err = trial.Run(ctx, c.settings(r, s, round))
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			found.Result, found.Error = nil, err.Error()
		} else {
			found.Result.Samples = nil // they are for plots
		}
		c.samples = append(c.samples, found)
		c.show(r, &found)
	}
	return nil
}

func (c *comparison) show(r *row, found *sample) {
	if found.Result != nil {
		for _, f := range r.figures {
			if v, ok := f.of(found.Result); ok {
				fmt.Fprintf(c.progress, "  %s %s", f.unit.format(v), f.name)
			}
		}
	}
	if fault := found.faulty(); fault != "" {
		fmt.Fprintf(c.progress, "  %s", fault)
	}
	fmt.Fprintln(c.progress)
}

// settings returns those of one trial.
func (c *comparison) settings(r *row, s *system, round int) trial.Config {
	t := r.trial
	t.Protocol = "json"
	t.Duration = c.duration
	if r.longer > 0 {
		t.Duration = time.Duration(r.longer * float64(c.duration))
	}
	t.Warmup = min(time.Second, c.duration/2)
	t.Payload = max(t.Payload, loadgen.StampSize)
	t.ConnectInFlight = 64
	t.ServerConnections = 5
	t.PinService = c.core
	if t.Negotiation == "" {
		t.Negotiation = loadgen.NegotiateShared
	}
	if c.profiles != "" {
		t.ServiceProfile = filepath.Join(c.profiles, fmt.Sprintf("%s-%s-%d.pprof", r.name, s.name, round+1))
	}
	s.complete(&t, c.programs)
	return t
}

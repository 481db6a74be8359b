package main

import "fmt"

// values returns what each round found for a figure, by round.
func (c *comparison) values(row, system string, f figure) map[int]float64 {
	found := map[int]float64{}
	for i := range c.samples {
		s := &c.samples[i]
		if s.Row != row || s.System != system || s.Result == nil {
			continue
		}
		if v, known := f.of(s.Result); known {
			found[s.Round] = v
		}
	}
	return found
}

func (c *comparison) spread(row, system string, f figure) spread {
	var values []float64
	for _, v := range c.values(row, system, f) {
		values = append(values, v)
	}
	return newSpread(values)
}

// ratios compares two systems, each round by itself, so that what the machine
// did in between does not matter.
func (c *comparison) ratios(row, system, yardstick string, f figure) spread {
	below := c.values(row, yardstick, f)
	var ratios []float64
	for round, v := range c.values(row, system, f) {
		if by := below[round]; by > 0 {
			ratios = append(ratios, v/by)
		}
	}
	return newSpread(ratios)
}

// growth returns what each client more than in another row adds to a figure that
// is for each client.
func (c *comparison) growth(r *row, t target) spread {
	var grown []float64
	c.eachRow(func(_ *section, few *row) {
		if few.name != t.from {
			return
		}
		least := c.values(few.name, switchboard, t.figure)
		before, now := float64(few.trial.Clients), float64(r.trial.Clients)
		for round, v := range c.values(r.name, switchboard, t.figure) {
			if small, known := least[round]; known {
				grown = append(grown, (v*now-small*before)/(now-before))
			}
		}
	})
	return newSpread(grown)
}

func (c *comparison) eachRow(do func(*section, *row)) {
	for i := range c.sections {
		for k := range c.sections[i].rows {
			do(&c.sections[i], &c.sections[i].rows[k])
		}
	}
}

// faults returns what went wrong with a system, a sentence for each round.
func (c *comparison) faults(row, system string) (faults []string) {
	for i := range c.samples {
		s := &c.samples[i]
		if s.Row != row || s.System != system {
			continue
		}
		if fault := s.faulty(); fault != "" {
			faults = append(faults, fmt.Sprintf("round %d: %s", s.Round+1, fault))
		}
	}
	return faults
}

// A verdict is a target held against what was measured.
type verdict struct {
	row     *row
	target  target
	spread  spread
	faulty  bool
	missing bool // it was not measured
}

func (c *comparison) verdicts(r *row) (list []verdict) {
	for _, t := range r.targets {
		v := verdict{row: r, target: t, faulty: len(c.faults(r.name, switchboard)) > 0}
		if t.from != "" {
			v.spread = c.growth(r, t)
		} else if t.against == "" {
			v.spread = c.spread(r.name, switchboard, t.figure)
		} else {
			v.spread = c.ratios(r.name, switchboard, t.against, t.figure)
		}
		v.missing = v.spread.rounds == 0
		list = append(list, v)
	}
	return list
}

// met tells whether the median keeps to the target, and nothing went wrong.
func (v *verdict) met() bool {
	switch {
	case v.missing || v.faulty:
		return false
	case v.target.least:
		return v.spread.median >= v.target.bound
	}
	return v.spread.median <= v.target.bound
}

func (v *verdict) word() string {
	switch {
	case v.missing:
		return "not measured"
	case v.met():
		return "met"
	case v.faulty:
		return "**not met**: something went wrong, see below"
	}
	return "**not met**"
}

// name says what the target is about.
func (v *verdict) name() string {
	if v.target.from == "" {
		return v.target.figure.name
	}
	return v.target.figure.name + " more than in `" + v.target.from + "`"
}

// bound writes what is allowed, and measured what was found.
func (v *verdict) bound() string {
	word := "at most "
	if v.target.least {
		word = "at least "
	}
	if v.target.against == "" {
		return word + v.target.figure.unit.format(v.target.bound)
	}
	return word + times(v.target.bound) + " " + titleOf(v.target.against)
}

func (v *verdict) measured() string {
	if v.target.against == "" {
		return v.spread.text(v.target.figure.unit.format)
	}
	return v.spread.text(times)
}

func titleOf(name string) string {
	s, err := systemNamed(name)
	if err != nil {
		return name
	}
	return s.title
}

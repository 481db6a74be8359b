package main

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"switchboard/internal/loadgen/report"
)

// A figure is something that a trial tells.
type figure struct {
	name string // in tables
	unit unit
	of   func(*report.Result) (value float64, known bool)
}

type unit int

const (
	inMicros unit = iota
	inBytes
	perSecond
	asShare
)

var (
	cpuPerOperation = usageFigure("service CPU each", inMicros, service, func(u *report.Usage) float64 { return u.PerOperation })
	cpuPerDelivery  = usageFigure("service CPU per delivery", inMicros, service, func(u *report.Usage) float64 { return u.PerDelivery })
	coreBusy        = usageFigure("service's core", asShare, service, func(u *report.Usage) float64 { return u.CPU })
	memory          = usageFigure("service RSS per client", inBytes, service, func(u *report.Usage) float64 { return u.Memory.PerConnection })
	memoryUnsettled = usageFigure("before collecting garbage", inBytes, service, func(u *report.Usage) float64 { return u.Memory.PerConnectionUnsettled })
	behindMemory    = usageFigure("app server RSS per client", inBytes, behind, func(u *report.Usage) float64 { return u.Memory.PerConnection })
	behindCPU       = usageFigure("app server CPU each", inMicros, behind, func(u *report.Usage) float64 { return u.PerOperation })

	wholeCore = usageFigure("a whole core could do", perSecond, service, func(u *report.Usage) float64 { return 1e6 / max(u.PerOperation, 1e-3) })

	operations = figure{"per second", perSecond, func(r *report.Result) (float64, bool) { return r.Operations.PerSecond, true }}
	deliveries = figure{"deliveries per second", perSecond, func(r *report.Result) (float64, bool) { return r.Deliveries.PerSecond, true }}
	median     = figure{"median latency", inMicros, func(r *report.Result) (float64, bool) { return r.Latency.P50, r.Latency.Count > 0 }}
	p99        = figure{"p99 latency", inMicros, func(r *report.Result) (float64, bool) { return r.Latency.P99, r.Latency.Count > 0 }}
	loadBusy   = figure{"load side busy", asShare, func(r *report.Result) (float64, bool) { return r.Load.Busiest, true }}
)

func service(r *report.Result) *report.Usage { return r.Service }
func behind(r *report.Result) *report.Usage  { return r.AppServer }

func usageFigure(name string, u unit, whose func(*report.Result) *report.Usage, of func(*report.Usage) float64) figure {
	return figure{name, u, func(r *report.Result) (float64, bool) {
		usage := whose(r)
		if usage == nil {
			return 0, false
		}
		return of(usage), true
	}}
}

// A spread is what the rounds found for one figure.
type spread struct {
	median, low, high float64
	rounds            int // 0: nothing is known
}

func newSpread(values []float64) spread {
	if len(values) == 0 {
		return spread{}
	}
	values = slices.Sorted(slices.Values(values))
	n := len(values)
	return spread{(values[(n-1)/2] + values[n/2]) / 2, values[0], values[n-1], n}
}

// text writes the median, and the lowest and highest value if they differ.
func (s spread) text(format func(float64) string) string {
	if s.rounds == 0 {
		return "–"
	}
	median, low, high := format(s.median), format(s.low), format(s.high)
	if low == high {
		return median
	}
	return median + " (" + low + " … " + high + ")"
}

// format writes a value with the unit that suits it. 1 KB is 1,024 bytes, as
// in /proc.
func (u unit) format(v float64) string {
	switch {
	case u == perSecond:
		return whole(v)
	case u == asShare:
		return number(100*v) + " %"
	case u == inBytes && math.Abs(v) >= 1<<10:
		return number(v/(1<<10)) + " KB"
	case u == inBytes:
		return whole(v) + " B"
	case v >= 1e6:
		return number(v/1e6) + " s"
	case v >= 1e3:
		return number(v/1e3) + " ms"
	}
	return number(v) + " µs"
}

// number writes three digits that count.
func number(v float64) string {
	switch size := math.Abs(v); {
	case size >= 100:
		return whole(v)
	case size >= 10:
		return strconv.FormatFloat(v, 'f', 1, 64)
	case size >= 0.1 || size == 0:
		return strconv.FormatFloat(v, 'f', 2, 64)
	}
	return strconv.FormatFloat(v, 'f', 3, 64)
}

// whole writes a number without fraction, in groups of three digits.
func whole(v float64) string {
	text := strconv.FormatFloat(math.Abs(v), 'f', 0, 64)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	if v <= -0.5 {
		text = "-" + text
	}
	return text
}

func times(v float64) string { return number(v) + "×" }

func list(words []string) string { return strings.Join(words, ", ") }

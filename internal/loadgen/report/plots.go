package report

import (
	"fmt"
	"math"
	"slices"
)

// plots returns what the page shows, in order.
func (r *Result) plots() []*plot {
	var list []*plot
	if r.Latency.Count > 0 {
		list = append(list, r.latencyPlot())
	}
	if len(r.Samples) < 2 {
		return list
	}
	list = append(list, r.throughputPlot(), r.cpuPlot(), r.memoryPlot())
	if r.Latency.Count > 0 {
		list = append(list, r.latencyOverTime())
	}
	return list
}

// latencyPlot has the shares of messages on an axis where each further nine
// takes the same room.
func (r *Result) latencyPlot() *plot {
	p := &plot{
		Title: "Latency distribution",
		Note:  fmt.Sprintf("of %s: the share on the x axis took no longer than the y axis says", plural(float64(r.Latency.Count), r.measuredThing())),
	}
	line := series{Name: "latency", Color: "service"}
	curve := r.Latency.Curve
	if len(curve) > 1 {
		curve = curve[1:] // the fastest message alone would take most of the y axis
	}
	last := 0.0
	for _, q := range curve {
		last = -math.Log10(1 - q.Share)
		line.points = append(line.points, point{last, q.Latency})
	}
	p.Wide = true
	p.x = axis{max: max(last, 1), format: func(v float64) string { return shareText(1 - math.Pow(10, -v)) }}
	for _, share := range []float64{0.5, 0.9, 0.99, 0.999, 0.9999, 0.99999, 0.999999} {
		if at := -math.Log10(1 - share); at <= p.x.max {
			p.x.ticks = append(p.x.ticks, tick{at, shareText(share)})
		}
	}
	p.y = logAxis(curve[0].Latency, r.Latency.Max, duration)
	p.Series = []series{line}
	return p
}

func (r *Result) measuredThing() string {
	if r.Settings.Operation == "connect" {
		return "measured connect"
	}
	return "measured message"
}

func shareText(share float64) string {
	left := 1 - share
	decimals := 0
	if left > 0 && left < 0.0995 {
		decimals = int(math.Ceil(-math.Log10(left)-1e-6)) - 2
	}
	return fmt.Sprintf("%.*f %%", max(decimals, 0), 100*share)
}

// overTime returns a plot of samples with seconds on its x axis.
func (r *Result) overTime(title, note string, format func(float64) string, lines ...sampled) *plot {
	p := &plot{Title: title, Note: note}
	samples := r.shown()
	highest := 0.0
	for _, l := range lines {
		s := series{Name: l.name, Color: l.color}
		for i := range samples {
			v := l.value(&samples[i])
			if v > highest { // not for a gap
				highest = v
			}
			s.points = append(s.points, point{samples[i].At, v})
		}
		p.Series = append(p.Series, s)
	}
	end := samples[len(samples)-1].At
	p.x = linearAxis(end, 8, func(v float64) string { return number(v) + " s" })
	p.x.max = end
	for len(p.x.ticks) > 0 && p.x.ticks[len(p.x.ticks)-1].at > p.x.max {
		p.x.ticks = p.x.ticks[:len(p.x.ticks)-1]
	}
	p.y = linearAxis(highest, 5, format)
	p.bands = bands(samples)
	return p
}

// A sampled is a line of a plot over time.
type sampled struct {
	name, color string
	value       func(*Point) float64
}

// shown returns the samples that plots have: not those after the load has ended,
// and not those of a few milliseconds, which a change of phase cuts off and
// which are mostly chance.
func (r *Result) shown() []Point {
	list, longest := r.Samples, 0.0
	for n := len(list); n > 0 && r.Settings.Operation != "connect"; n-- {
		if list[n-1].Phase == "measure" {
			list = list[:n]
			break
		}
	}
	for _, s := range list {
		longest = max(longest, s.Seconds)
	}
	long := slices.DeleteFunc(slices.Clone(list), func(s Point) bool { return s.Seconds < longest/3 })
	if len(long) < 2 {
		return list
	}
	return long
}

// bands returns the phases of the trial.
func bands(samples []Point) []band {
	var list []band
	before := 0.0
	for _, s := range samples {
		if n := len(list); n > 0 && list[n-1].name == s.Phase {
			list[n-1].to = s.At
		} else {
			list = append(list, band{s.Phase, before, s.At})
		}
		before = s.At
	}
	return list
}

func (r *Result) throughputPlot() *plot {
	operations := sampled{r.Settings.Operation + "s", "service", func(p *Point) float64 { return p.Operations }}
	deliveries := sampled{"deliveries", "service", func(p *Point) float64 { return p.Deliveries }}
	if !r.fansOut() {
		return r.overTime("Throughput", operations.name+" per second", count, operations)
	}
	return r.overTime("Throughput", "deliveries per second", count, deliveries)
}

func (r *Result) cpuPlot() *plot {
	lines := []sampled{{"load side", "load", func(p *Point) float64 { return 100 * p.LoadCPU }}}
	if r.AppServer != nil {
		lines = append([]sampled{{"app server", "app", func(p *Point) float64 { return 100 * p.AppCPU }}}, lines...)
	}
	if r.Service != nil {
		lines = append([]sampled{{"service", "service", func(p *Point) float64 { return 100 * p.ServiceCPU }}}, lines...)
	}
	return r.overTime("CPU", "per cent of one core", func(v float64) string { return number(v) + " %" }, lines...)
}

func (r *Result) memoryPlot() *plot {
	var lines []sampled
	if r.Service != nil {
		lines = append(lines, sampled{"service", "service", func(p *Point) float64 { return float64(p.ServiceRSS) / (1 << 20) }})
	}
	if r.AppServer != nil {
		lines = append(lines, sampled{"app server", "app", func(p *Point) float64 { return float64(p.AppRSS) / (1 << 20) }})
	}
	return r.overTime("Memory", "resident (RSS)", func(v float64) string { return number(v) + " MB" }, lines...)
}

func (r *Result) latencyOverTime() *plot {
	return r.overTime("Latency over time", "of the messages measured in each interval", duration,
		sampled{"99 %", "tail", func(p *Point) float64 { return orGap(p.P99) }},
		sampled{"median", "service", func(p *Point) float64 { return orGap(p.P50) }})
}

// orGap has no point where nothing was measured.
func orGap(v float64) float64 {
	if v == 0 {
		return math.NaN()
	}
	return v
}

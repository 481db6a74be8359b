package report

import (
	"fmt"
	"html/template"
	"math"
	"slices"
	"strings"
)

// The size of a plot in units of the SVG, and the frame around the data.
const (
	plotWidth, wideWidth  = 640.0, 1332.0
	plotHeight            = 260.0
	frameLeft, frameRight = 64.0, 16.0
	frameTop, frameBottom = 22.0, 28.0
)

// A plot is a picture of some series over one axis.
type plot struct {
	Title, Note string
	Wide        bool // takes the place of two
	x, y        axis
	Series      []series
	bands       []band // what the x axis is divided in; none is one
}

// A series is a line in a plot. Its Color is the name of a variable of the page.
type series struct {
	Name, Color string
	points      []point
}

// A point with a y that is no number is a gap.
type point struct{ x, y float64 }

// A band is a part of the x axis with a name.
type band struct {
	name     string
	from, to float64
}

// An axis maps values to places between 0 and 1.
type axis struct {
	min, max float64
	ticks    []tick
	log      bool
	format   func(float64) string
}

type tick struct {
	at   float64
	text string
}

func (a *axis) place(v float64) float64 {
	low, high := a.min, a.max
	if a.log {
		v, low, high = math.Log10(max(v, a.min)), math.Log10(low), math.Log10(high)
	}
	if high == low {
		return 0
	}
	return (v - low) / (high - low)
}

// linearAxis begins at 0 and ends at a round number not below the highest value.
func linearAxis(highest float64, steps int, format func(float64) string) axis {
	if highest <= 0 {
		highest = 1
	}
	step := roundUp(highest / float64(steps))
	a := axis{max: math.Ceil(highest/step-1e-9) * step, format: format}
	for i := 0; float64(i)*step <= a.max*(1+1e-9); i++ {
		a.ticks = append(a.ticks, tick{float64(i) * step, format(float64(i) * step)})
	}
	return a
}

// roundUp returns the next number of 1, 2, 2.5, 5 and their multiples of ten.
func roundUp(v float64) float64 {
	base := math.Pow(10, math.Floor(math.Log10(v)))
	for _, m := range []float64{1, 2, 2.5, 5} {
		if v <= m*base*(1+1e-9) {
			return m * base
		}
	}
	return 10 * base
}

// logAxis goes from one power of ten to another, and marks 1, 2 and 5 of each
// while there is room.
func logAxis(lowest, highest float64, format func(float64) string) axis {
	lowest = max(lowest, 1e-3)
	highest = max(highest, lowest*1.01)
	a := axis{log: true, format: format, min: floor125(lowest), max: -floor125(-highest)}
	marks := []float64{1, 2, 5}
	if math.Log10(a.max/a.min) > 2.5 {
		marks = []float64{1}
	}
	for base := math.Pow(10, math.Floor(math.Log10(a.min))); base <= a.max; base *= 10 {
		for _, m := range marks {
			if v := m * base; v >= a.min*(1-1e-9) && v <= a.max*(1+1e-9) {
				a.ticks = append(a.ticks, tick{v, format(v)})
			}
		}
	}
	return a
}

// floor125 returns the next of 1, 2, 5 and their multiples of ten that is not
// above v, or for a negative v the negative of the one not below -v.
func floor125(v float64) float64 {
	up := v < 0
	if up {
		v = -v
	}
	base := math.Pow(10, math.Floor(math.Log10(v)))
	if up {
		for _, m := range []float64{1, 2, 5, 10} {
			if m*base >= v*(1-1e-9) {
				return -m * base
			}
		}
	}
	for _, m := range []float64{5, 2} {
		if m*base <= v*(1+1e-9) {
			return m * base
		}
	}
	return base
}

func (p *plot) width() float64 {
	if p.Wide {
		return wideWidth
	}
	return plotWidth
}

func (p *plot) at(q point) (x, y float64) {
	x = frameLeft + p.x.place(q.x)*(p.width()-frameLeft-frameRight)
	y = plotHeight - frameBottom - p.y.place(q.y)*(plotHeight-frameTop-frameBottom)
	return x, y
}

// SVG draws the plot. Colours are variables of the page, so that it follows the
// light and dark scheme.
func (p *plot) SVG() template.HTML {
	var b strings.Builder
	fmt.Fprintf(&b, `<svg viewBox="0 0 %g %g" role="img" aria-label="%s">`, p.width(), plotHeight, template.HTMLEscapeString(p.Title))
	p.drawBands(&b)
	p.drawAxes(&b)
	for _, s := range p.Series {
		p.drawSeries(&b, s)
	}
	p.drawHover(&b)
	b.WriteString("</svg>")
	return template.HTML(b.String())
}

func (p *plot) drawBands(b *strings.Builder) {
	for i, band := range p.bands {
		left, _ := p.at(point{band.from, 0})
		right, _ := p.at(point{band.to, 0})
		if i%2 == 0 {
			fmt.Fprintf(b, `<rect class="band" x="%.1f" y="%.1f" width="%.1f" height="%.1f"/>`, left, frameTop, right-left, plotHeight-frameTop-frameBottom)
		}
		if room := 6.2 * float64(len(band.name)); right-left > room {
			fmt.Fprintf(b, `<text class="phase" x="%.1f" y="%.1f">%s</text>`, left+2, frameTop-6, template.HTMLEscapeString(band.name))
		}
	}
}

func (p *plot) drawAxes(b *strings.Builder) {
	for _, t := range p.y.ticks {
		_, y := p.at(point{p.x.min, t.at})
		fmt.Fprintf(b, `<line class="grid" x1="%g" x2="%g" y1="%.1f" y2="%.1f"/>`, frameLeft, p.width()-frameRight, y, y)
		fmt.Fprintf(b, `<text class="tick" text-anchor="end" x="%g" y="%.1f">%s</text>`, frameLeft-8, y+4, trimmed(t.text))
	}
	for _, t := range p.x.ticks {
		x, _ := p.at(point{t.at, p.y.min})
		fmt.Fprintf(b, `<text class="tick" text-anchor="middle" x="%.1f" y="%g">%s</text>`, x, plotHeight-frameBottom+18, trimmed(t.text))
	}
	_, y := p.at(point{p.x.min, p.y.min})
	fmt.Fprintf(b, `<line class="base" x1="%g" x2="%g" y1="%.1f" y2="%.1f"/>`, frameLeft, p.width()-frameRight, y, y)
}

// drawSeries draws a line for each run of points without a gap. A line that is
// alone in its plot has its area filled.
func (p *plot) drawSeries(b *strings.Builder, s series) {
	for rest := s.points; len(rest) > 0; {
		n := slices.IndexFunc(rest, point.gap)
		if n == 0 {
			rest = rest[1:]
			continue
		}
		if n < 0 {
			n = len(rest)
		}
		p.drawLine(b, s.Color, rest[:n])
		rest = rest[n:]
	}
}

func (q point) gap() bool { return math.IsNaN(q.y) }

func (p *plot) drawLine(b *strings.Builder, color string, points []point) {
	var line strings.Builder
	for _, q := range points {
		x, y := p.at(q)
		fmt.Fprintf(&line, "%.1f,%.1f ", x, y)
	}
	if len(p.Series) == 1 {
		first, _ := p.at(points[0])
		last, _ := p.at(points[len(points)-1])
		bottom := plotHeight - frameBottom
		fmt.Fprintf(b, `<polygon class="area" style="fill:var(--%s)" points="%.1f,%.1f %s%.1f,%.1f"/>`, color, first, bottom, line.String(), last, bottom)
	}
	fmt.Fprintf(b, `<polyline class="line" style="stroke:var(--%s)" points="%s"/>`, color, strings.TrimSpace(line.String()))
}

// drawHover lays strips over the plot, one for each place of the first series.
// The page shows their text where the pointer is; without scripts the title does.
func (p *plot) drawHover(b *strings.Builder) {
	if len(p.Series) == 0 {
		return
	}
	points := p.Series[0].points
	for i, q := range points {
		x, _ := p.at(q)
		left, right := frameLeft, p.width()-frameRight
		if i > 0 {
			before, _ := p.at(points[i-1])
			left = (before + x) / 2
		}
		if i < len(points)-1 {
			after, _ := p.at(points[i+1])
			right = (x + after) / 2
		}
		fmt.Fprintf(b, `<g class="hover"><rect x="%.1f" y="%g" width="%.1f" height="%g"/><line x1="%.1f" x2="%.1f" y1="%g" y2="%g"/>`,
			left, frameTop, max(right-left, 0.5), plotHeight-frameTop-frameBottom, x, x, frameTop, plotHeight-frameBottom)
		p.drawDots(b, i)
		fmt.Fprintf(b, "<title>%s</title></g>", template.HTMLEscapeString(p.hoverText(i)))
	}
}

func (p *plot) drawDots(b *strings.Builder, i int) {
	for _, s := range p.Series {
		if i < len(s.points) && !s.points[i].gap() {
			x, y := p.at(s.points[i])
			fmt.Fprintf(b, `<circle r="4" cx="%.1f" cy="%.1f" style="fill:var(--%s)"/>`, x, y, s.Color)
		}
	}
}

func (p *plot) hoverText(i int) string {
	lines := []string{p.x.format(p.Series[0].points[i].x)}
	for _, s := range p.Series {
		if i < len(s.points) && !s.points[i].gap() {
			lines = append(lines, s.Name+": "+p.y.format(s.points[i].y))
		}
	}
	return strings.Join(lines, "\n")
}

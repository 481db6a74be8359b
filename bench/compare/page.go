package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// A page is docs/performance.md.
type page struct {
	*comparison
	command string // that wrote it
	version string // of Switchboard
	b       strings.Builder
}

// write writes the whole page.
func (p *page) write(w io.Writer) error {
	p.head()
	p.machine()
	p.targets()
	p.systems()
	p.tables()
	if _, err := io.WriteString(w, p.b.String()); err != nil {
		return fmt.Errorf("write page: %w", err)
	}
	return nil
}

func (p *page) say(format string, args ...any) { fmt.Fprintf(&p.b, format+"\n", args...) }

func (p *page) head() {
	p.say("# Performance\n")
	p.say("What a connection and a message cost in Switchboard, next to systems that do the same work or less of it: above all the " +
		"*floor*, the least that a WebSocket server can do on Linux. `make compare` measures and writes this page; do not edit it.\n")
	p.say("How to read it:\n")
	p.say("- Each figure is the median of all rounds, here %d, with the lowest and the highest in brackets.", p.rounds)
	p.say("- In a round all systems take their turn, one after the other, in another order each time. A ratio (×) compares two systems in " +
		"one round, so that what the machine did in between does not count; then the median of the ratios is taken.")
	p.say("- The server has one core for itself (`GOMAXPROCS=1`). The load side has the others, together with what stands behind a server: " +
		"the app server of Switchboard, the responder of NATS. It is the same for all: event loops that count every message, so that each lost, repeated or overtaken one is seen.")
	p.say("- CPU is what the kernel charged to the server's process, so that the work of the kernel for its sockets is in it, and what stands behind it is not.")
	p.say("- *The systems do not do the same.* What each does, and does not do, stands in each section.\n")
}

func (p *page) machine() {
	p.say("## Machine and command\n")
	p.say("| | |\n|---|---|")
	for _, s := range p.samples {
		if s.Result == nil {
			continue
		}
		m := s.Result.Machine
		p.say("| Date | %s |", s.Result.Started.Format("2 January 2006"))
		p.say("| Processor | %s, %d cores |", m.Processor, m.Cores)
		p.say("| Kernel | %s |", m.System)
		p.say("| Go | %s |", m.Go)
		break
	}
	p.say("| Switchboard | %s |", p.version)
	p.say("| Command | `%s` |", p.command)
	p.say("| Each trial | %s after warming up, unless a table says otherwise; JSON hub protocol |\n", p.duration)
}

func (p *page) targets() {
	p.say("## What it is to reach\n")
	p.say("| work | figure | target | measured | |\n|---|---|---|---|---|")
	p.eachRow(func(s *section, r *row) {
		for _, v := range p.verdicts(r) {
			p.say("| %s: %s | %s | %s | %s | %s |", s.title, r.title, v.name(), v.bound(), v.measured(), v.word())
		}
	})
	p.say("")
}

// systems says what was compared.
func (p *page) systems() {
	p.say("## The systems\n")
	for i := range systems {
		s := &systems[i]
		used := false
		p.eachRow(func(_ *section, r *row) { used = used || slices.Contains(r.systems, s.name) })
		if used {
			p.say("- **%s**: %s", strings.TrimSpace(s.title+" "+s.version()), s.about)
		}
	}
	p.say("")
}

func (p *page) tables() {
	for i := range p.sections {
		s := &p.sections[i]
		p.say("## %s\n\n%s\n\nWhat each does for it:\n", s.title, s.text)
		for _, d := range s.does {
			if slices.ContainsFunc(s.rows, func(r row) bool { return slices.Contains(r.systems, d.system) }) {
				p.say("- **%s** %s", titleOf(d.system), d.text)
			}
		}
		for k := range s.rows {
			p.table(&s.rows[k])
		}
		p.say("")
	}
}

func (p *page) table(r *row) {
	p.say("\n### %s\n", r.title)
	p.say("Row `%s`%s.\n", r.name, p.length(r))
	var names []string
	for _, s := range systems { // the same order in every table
		if slices.Contains(r.systems, s.name) {
			names = append(names, s.name)
		}
	}
	columns := p.columns(r, names)
	p.say("| |%s\n|---|%s", cells(columns, func(c column) string { return c.title }), strings.Repeat("---|", len(columns)))
	for _, name := range names {
		title := titleOf(name)
		if len(p.faults(r.name, name)) > 0 {
			title += " ⚠"
		}
		p.say("| %s |%s", title, cells(columns, func(c column) string { return c.of(name) }))
	}
	p.say("")
	for _, v := range p.verdicts(r) {
		p.say("- Target, %s: %s. Measured: %s. %s.", v.name(), v.bound(), v.measured(), sentence(v.word()))
	}
	p.notes(r, names)
}

func (p *page) length(r *row) string {
	if r.longer == 0 {
		return ""
	}
	return fmt.Sprintf(", %s", time.Duration(r.longer*float64(p.duration)).Round(time.Millisecond))
}

// sentence writes the first letter large.
func sentence(words string) string {
	for i, c := range words {
		if c != '*' {
			return words[:i] + strings.ToUpper(words[i:i+1]) + words[i+1:]
		}
	}
	return words
}

// A column is a figure, or how it compares.
type column struct {
	title string
	of    func(system string) string
}

// columns leaves out what no system has.
func (p *page) columns(r *row, names []string) (columns []column) {
	for i, f := range r.figures {
		if !slices.ContainsFunc(names, func(name string) bool { return len(p.values(r.name, name, f)) > 0 }) {
			continue
		}
		columns = append(columns, column{f.name, func(name string) string { return p.spread(r.name, name, f).text(f.unit.format) }})
		if i == 0 && slices.Contains(names, r.against) {
			columns = append(columns, column{"× " + titleOf(r.against), func(name string) string {
				return p.ratios(r.name, name, r.against, f).text(times)
			}})
		}
	}
	return columns
}

func cells(columns []column, text func(column) string) string {
	var b strings.Builder
	for _, c := range columns {
		b.WriteString(" " + text(c) + " |")
	}
	return b.String()
}

// notes says what to know before the figures of a row are believed.
func (p *page) notes(r *row, names []string) {
	var limited []string
	for _, name := range names {
		for _, fault := range p.faults(r.name, name) {
			p.say("- ⚠ %s, %s.", titleOf(name), fault)
		}
		if busy := p.spread(r.name, name, loadBusy); r.paced() || busy.rounds == 0 || busy.median < 0.9 {
			continue
		}
		if core := p.spread(r.name, name, coreBusy); core.median < 0.9 {
			limited = append(limited, titleOf(name))
		}
	}
	if len(limited) > 0 {
		p.say("- The cores of the load side were busy before the server was: %s. Their rates could be higher, their CPU figures hold.", list(limited))
	}
	p.noise(r)
}

// noise tells of other programs on the core of the server. The floor has one
// thread, and so waits for others only; what the rest waits for may be its own.
func (p *page) noise(r *row) {
	const little = 0.05
	worst := 0.0
	for i := range p.samples {
		s := &p.samples[i]
		if s.Row != r.name || s.System != bareFloor && s.System != joinedFloor || s.Result == nil || s.Result.Settings.ServiceCore == nil {
			continue
		}
		worst = max(worst, s.Result.Service.Wait)
	}
	if worst > little {
		p.say("- The machine was not quiet: other programs had the core of the floor for up to %s of the time.", asShare.format(worst))
	}
}

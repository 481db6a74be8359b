package report

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
)

//go:embed page.html
var pageText string

var page = template.Must(template.New("page").Funcs(template.FuncMap{
	"whole": whole, "number": number, "duration": duration, "percent": percent,
	"memory": func(n int64) string { return memory(float64(n)) },
}).Parse(pageText))

// A tile is one of the figures at the top of the page.
type tile struct{ Value, Name string }

// HTML writes the result as one page with plots, which needs nothing else.
func HTML(w io.Writer, r *Result) error {
	data := struct {
		*Result
		Title    string
		Subtitle string
		Tiles    []tile
		Rows     []row
		Plots    []*plot
		Facts    []row
	}{r, r.title(), r.subtitle(), r.tiles(), r.rows(), r.plots(), r.facts()}
	if err := page.Execute(w, data); err != nil {
		return fmt.Errorf("write page: %w", err)
	}
	return nil
}

// tiles returns the figures that people look for first.
func (r *Result) tiles() []tile {
	op := r.Settings.Operation
	list := []tile{{whole(r.Operations.PerSecond), op + "s per second"}}
	if r.fansOut() {
		list = append(list, tile{whole(r.Deliveries.PerSecond), "deliveries per second"})
	}
	if u := r.Service; u != nil {
		if r.fansOut() {
			list = append(list, tile{duration(u.PerDelivery), "service CPU per delivery"})
		} else {
			list = append(list, tile{duration(u.PerOperation), "service CPU per " + op})
		}
	}
	if l := r.Latency; l.Count > 0 {
		list = append(list, tile{duration(l.P50), "median latency"}, tile{duration(l.P99), "99 % latency"})
	}
	if u := r.Service; u != nil && r.Settings.Clients >= fewClients {
		list = append(list, tile{memory(u.Memory.PerConnection), "service memory per client"})
	}
	return list
}

// facts returns where and how it ran.
func (r *Result) facts() []row {
	s, m := r.Settings, r.Machine
	pinned := "not pinned"
	if s.ServiceCore != nil {
		pinned = fmt.Sprintf("core %d, everything else on the others", *s.ServiceCore)
	}
	list := []row{
		{"started", r.Started.Format("2006-01-02 15:04:05 UTC"), ""},
		{"switchboard", r.Version, ""},
		{"machine", fmt.Sprintf("%s, %s, %s, %s", m.Processor, plural(float64(m.Cores), "core"), m.System, m.Go), ""},
		{"service", pinned, ""},
		{"measured", fmt.Sprintf("%s s of %s s, after %s s of warming up", number(r.Seconds), number(s.Duration), number(s.Warmup)), ""},
		{"negotiation", s.Negotiation, ""},
		{"client pings", fmt.Sprintf("every %s s", number(s.PingSeconds)), ""},
	}
	if s.Senders > 0 {
		list = append(list, row{"senders", whole(float64(s.Senders)), ""})
	}
	if s.ServerConns > 0 {
		list = append(list, row{"server connections", whole(float64(s.ServerConns)), ""})
	}
	return list
}

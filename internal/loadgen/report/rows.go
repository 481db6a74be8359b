package report

import (
	"fmt"
	"slices"
)

// A row is one line of the summary: a figure, and what belongs to it.
type row struct{ Name, Value, Note string }

// rows returns the summary, which the table and the page have in common.
func (r *Result) rows() []row {
	op := r.Settings.Operation
	list := []row{}
	add := func(name, value, format string, args ...any) {
		list = append(list, row{name, value, fmt.Sprintf(format, args...)})
	}
	add(op+"s", whole(r.Operations.PerSecond)+" /s", "%s in %s s", whole(float64(r.Operations.Count)), number(r.Seconds))
	if r.fansOut() {
		add("deliveries", whole(r.Deliveries.PerSecond)+" /s", "%s in all", whole(float64(r.Deliveries.Count)))
	}
	if l := r.Latency; l.Count > 0 {
		add("latency, median", duration(l.P50), "p90 %s, p99 %s, p99.9 %s, longest %s", duration(l.P90), duration(l.P99), duration(l.P999), duration(l.Max))
	}
	list = append(list, r.usageRows("service", r.Service)...)
	list = append(list, r.usageRows("app server", r.AppServer)...)
	if r.Settings.Scenario != "connect" {
		note := ""
		if r.Service != nil {
			note = fmt.Sprintf(", %s of service CPU each", duration(r.Service.PerConnect))
		}
		add("connecting", whole(r.Connecting.PerSecond)+" /s", "%s in %s s%s", plural(float64(r.Connecting.Clients), "client"), number(r.Connecting.Seconds), note)
	}
	list = append(list, r.stormRows()...)
	add("load side", percent(r.Load.Busiest)+" busy", "%s", r.loadNote())
	if r.Account.Expected > 0 {
		add("account", whole(float64(r.Account.Received)), "received of %s expected; %s", whole(float64(r.Account.Expected)), r.Account.Summary())
	} else {
		add("account", whole(float64(r.Account.Failed+r.Account.Dropped)), "connects that failed or connections that were dropped")
	}
	return list
}

// stormRows sums up the storms of connects, of which there may be hundreds.
func (r *Result) stormRows() []row {
	if len(r.Rounds) == 0 {
		return nil
	}
	note, counted := "", r.Rounds
	if first := r.Rounds[0]; first.Warmup {
		note = fmt.Sprintf("; before them one to warm up, with %s /s", whole(first.PerSecond))
		counted = r.Rounds[1:]
	}
	rates := make([]float64, len(counted))
	for i, round := range counted {
		rates[i] = round.PerSecond
	}
	slices.Sort(rates)
	if len(rates) == 0 {
		return nil
	}
	note = fmt.Sprintf("of %s; slowest %s /s, fastest %s /s%s",
		plural(float64(len(rates)), "storm"), whole(rates[0]), whole(rates[len(rates)-1]), note)
	return []row{{"storms, median", whole(rates[len(rates)/2]) + " /s", note}}
}

// fewClients is where memory per client begins to tell of clients, and not of
// a page here or there.
const fewClients = 1000

// fansOut tells whether deliveries are not the same number as operations.
func (r *Result) fansOut() bool {
	return r.Settings.Operation == "broadcast" || r.Settings.Groups > 0
}

func (r *Result) usageRows(name string, u *Usage) []row {
	if u == nil {
		return []row{{name, "not seen", "its process is not known, or on another machine"}}
	}
	op := r.Settings.Operation
	note := fmt.Sprintf("per %s; %s of a core, of that %s in the kernel", op, percent(u.CPU), percent(share(u.SystemSeconds, u.UserSeconds+u.SystemSeconds)))
	value := duration(u.PerOperation)
	if r.fansOut() {
		note = fmt.Sprintf("per delivery, %s %s", duration(u.PerOperation), note)
		value = duration(u.PerDelivery)
	}
	return []row{{name + " CPU", value, note}, r.memoryRow(name, u.Memory)}
}

func (r *Result) memoryRow(name string, m Memory) row {
	if r.Settings.Clients < fewClients {
		note := fmt.Sprintf("RSS, %s before the clients came; what each takes shows with %s clients and more", memory(float64(m.Before)), whole(fewClients))
		return row{name + " memory", memory(float64(m.Settled)), note}
	}
	note := fmt.Sprintf("per client; RSS %s, %s before the clients came; %s per client before the garbage was collected",
		memory(float64(m.Settled)), memory(float64(m.Before)), memory(m.PerConnectionUnsettled))
	return row{name + " memory", memory(m.PerConnection), note}
}

func share(part, whole float64) float64 {
	if whole == 0 {
		return 0
	}
	return part / whole
}

func (r *Result) loadNote() string {
	busiest := Thread{}
	for _, t := range r.Load.Threads {
		if t.CPU+t.Wait > busiest.CPU+busiest.Wait {
			busiest = t
		}
	}
	note := fmt.Sprintf("%s, %s, %s of a core in all; the busiest thread %s running + %s waiting for a core",
		plural(float64(r.Load.Processes), "process"), plural(float64(len(r.Load.Threads)), "thread"),
		percent(r.Load.CPU), percent(busiest.CPU), percent(busiest.Wait))
	if r.Settings.Rate > 0 && r.Load.BehindUs > 0 {
		note += fmt.Sprintf("; sent at most %s late", duration(r.Load.BehindUs))
	}
	return note
}

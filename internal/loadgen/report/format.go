package report

import (
	"fmt"
	"strconv"
	"strings"
)

// whole writes a number without fraction, in groups of three digits.
func whole(v float64) string {
	text := strconv.FormatFloat(v, 'f', 0, 64)
	sign := ""
	if strings.HasPrefix(text, "-") {
		sign, text = "-", text[1:]
	}
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return sign + text
}

// number writes three digits that count, and more of a larger number.
func number(v float64) string {
	switch {
	case v == 0 || v >= 100 || v <= -100:
		return whole(v)
	case v >= 10 || v <= -10:
		return strconv.FormatFloat(v, 'f', 1, 64)
	case v >= 0.01 || v <= -0.01:
		return strconv.FormatFloat(v, 'f', 2, 64)
	}
	return strconv.FormatFloat(v, 'g', 2, 64)
}

// trimmed leaves out a fraction of zeros, which a mark of an axis has no need of.
func trimmed(text string) string {
	value, unit, found := strings.Cut(text, " ")
	if strings.Contains(value, ".") {
		value = strings.TrimRight(strings.TrimRight(value, "0"), ".")
	}
	if !found {
		return value
	}
	return value + " " + unit
}

// count writes a large number in thousands or millions.
func count(v float64) string {
	switch {
	case v >= 1e6:
		return number(v/1e6) + " M"
	case v >= 1e4:
		return number(v/1e3) + " k"
	}
	return number(v)
}

// duration writes microseconds in the unit that suits them.
func duration(us float64) string {
	switch {
	case us >= 1e6:
		return number(us/1e6) + " s"
	case us >= 1e3:
		return number(us/1e3) + " ms"
	}
	return number(us) + " µs"
}

// memory writes bytes in the unit that suits them; 1 KB is 1,024 bytes, as in
// /proc.
func memory(bytes float64) string {
	size := max(bytes, -bytes)
	switch {
	case size >= 1<<30:
		return number(bytes/(1<<30)) + " GB"
	case size >= 1<<20:
		return number(bytes/(1<<20)) + " MB"
	case size >= 1<<10:
		return number(bytes/(1<<10)) + " KB"
	}
	return number(bytes) + " B"
}

func percent(share float64) string { return number(100*share) + " %" }

// plural returns "1 thing" or "2 things".
func plural(n float64, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	if strings.HasSuffix(thing, "s") {
		return whole(n) + " " + thing + "es"
	}
	return whole(n) + " " + thing + "s"
}

// title says what was measured in one line.
func (r *Result) title() string { return r.Settings.Scenario + " · " + r.subtitle() }

func (r *Result) subtitle() string {
	s := r.Settings
	parts := []string{s.Protocol, plural(float64(s.Clients), "client")}
	if s.Groups > 0 {
		parts = append(parts, fmt.Sprintf("%s of %s", plural(float64(s.Groups), "group"), whole(float64(s.GroupSize))))
	}
	if s.PayloadBytes > 0 {
		parts = append(parts, memory(float64(s.PayloadBytes))+" payload")
	}
	switch {
	case s.Rate > 0:
		parts = append(parts, whole(s.Rate)+" per second")
	case s.InFlight > 0:
		parts = append(parts, whole(float64(s.InFlight))+" in flight")
	}
	if s.Scenario == "connect" {
		parts = append(parts, whole(float64(s.ConnectAtOnce))+" at once")
	}
	if s.TLS {
		parts = append(parts, "TLS")
	}
	if s.ServiceCore != nil {
		parts = append(parts, fmt.Sprintf("service on core %d", *s.ServiceCore))
	}
	return strings.Join(parts, " · ")
}

// Summary says in words what is wrong with what was received.
func (a Account) Summary() string {
	var parts []string
	for _, p := range []struct {
		n    uint64
		what string
	}{
		{a.Lost, "lost"}, {a.Repeated, "repeated or overtaken"}, {a.Misdirected, "delivered to the wrong client"},
		{uint64(a.Failed), "connects failed"}, {uint64(a.Dropped), "connections dropped"},
	} {
		if p.n > 0 {
			parts = append(parts, whole(float64(p.n))+" "+p.what)
		}
	}
	if len(parts) == 0 {
		return "nothing lost, nothing repeated"
	}
	return strings.Join(parts, ", ")
}

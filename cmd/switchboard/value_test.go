package main

import (
	"fmt"
	"math"
	"testing"
	"time"
)

func TestParseSize(t *testing.T) {
	for _, c := range []struct {
		in   any
		want int // -1: an error
	}{
		{"0", 0},
		{"65536", 65536},
		{"512B", 512},
		{"64KiB", 64 << 10},
		{"4 MiB", 4 << 20},
		{"1GiB", 1 << 30},
		{uint64(7), 7},
		{"", -1},
		{"MiB", -1},
		{"4MB", -1},
		{"4mib", -1},
		{"1.5MiB", -1},
		{"0x10", -1},
		{"9223372036854775807", math.MaxInt},
		{"9223372036854775808", -1},
		{"9007199254740992KiB", -1}, // one more than an int can hold
		{uint64(math.MaxInt + 1), -1},
		{1.5, -1},
		{true, -1},
		{[]any{uint64(1)}, -1},
	} {
		t.Run(fmt.Sprint(c.in), func(t *testing.T) {
			got, err := setting{kind: kindSize}.parse(c.in)
			if err != nil {
				got = -1
			}
			if got != c.want {
				t.Errorf("parse(%#v) = %v, %v, want %d", c.in, got, err, c.want)
			}
		})
	}
}

func TestSizesReadBackTheSame(t *testing.T) {
	for _, n := range []int{0, 1, 1023, 1024, 1025, 32 << 10, 3 << 20, 5 << 30, math.MaxInt} {
		s := setting{kind: kindSize}
		text := fmt.Sprint(s.format(n))
		if got, err := s.parse(text); err != nil || got != n {
			t.Errorf("parse(%q) = %v, %v, want %d", text, got, err, n)
		}
	}
}

func TestDurationsReadBackTheSame(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0:                      "0s",
		500 * time.Millisecond: "500ms",
		90 * time.Second:       "1m30s",
		10 * time.Minute:       "10m",
		2 * time.Hour:          "2h",
		2*time.Hour + 5:        "2h0m0.000000005s",
	} {
		s := setting{kind: kindDuration}
		text := s.format(d).(string)
		if text != want {
			t.Errorf("format(%v) = %q, want %q", d, text, want)
		}
		if got, err := s.parse(text); err != nil || got != d {
			t.Errorf("parse(%q) = %v, %v, want %v", text, got, err, d)
		}
	}
}

func TestNearest(t *testing.T) {
	known := []string{"listen", "log.level", "limits.client-queue-bytes", "limits-client-queue-bytes", "mode"}
	for name, want := range map[string]string{
		"lisetn":                    "listen",
		"log.levle":                 "log.level",
		"client-queue-bytes":        "limits.client-queue-bytes",
		"limits.client-queue-byte":  "limits.client-queue-bytes",
		"Mode":                      "mode",
		"certificate":               "",
		"":                          "",
		"limits.server-stall-bytes": "",
	} {
		if got := nearest(name, known); got != want {
			t.Errorf("nearest(%q) = %q, want %q", name, got, want)
		}
	}
}

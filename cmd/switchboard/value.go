package main

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// parse reads a value as a flag, an environment variable (both string or
// []string) or a YAML file has it. Its errors end the sentence that the key
// begins. Those about a list, which are access keys, do not repeat the value.
func (s setting) parse(v any) (any, error) {
	switch s.kind {
	case kindList:
		return parseList(v)
	case kindCount:
		return parseInt(v, map[string]int{"": 1}, "a whole number")
	case kindSize:
		return parseInt(v, sizeUnits, "a size in bytes such as 65536, 64KiB or 4MiB")
	case kindDuration:
		return parseDuration(v)
	default:
		if text, ok := v.(string); ok {
			return text, nil
		}
		return nil, fmt.Errorf("%v is not text; put it in quotes", v)
	}
}

func parseList(v any) ([]string, error) {
	switch v := v.(type) {
	case string:
		return []string{v}, nil
	case []string:
		return v, nil
	case []any:
		list := make([]string, len(v))
		for i := range v {
			var ok bool
			if list[i], ok = v[i].(string); !ok {
				return nil, fmt.Errorf("item %d is not text; put it in quotes", i+1)
			}
		}
		return list, nil
	}
	return nil, errors.New("is not a list of texts")
}

// sizeUnits are multiples of 1024. Units such as MB are refused, since they
// mean two things.
var sizeUnits = map[string]int{"": 1, "B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}

// parseInt reads a number, with one of units when it is text.
func parseInt(v any, units map[string]int, want string) (int, error) {
	switch n := v.(type) {
	case uint64:
		if n <= math.MaxInt {
			return int(n), nil
		}
	case int64:
		return int(n), nil
	case string:
		digits := strings.TrimRight(n, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz ")
		count, err := strconv.Atoi(digits)
		unit, known := units[strings.TrimSpace(n[len(digits):])]
		if err == nil && known && count <= math.MaxInt/unit && count >= math.MinInt/unit {
			return count * unit, nil
		}
	}
	return 0, fmt.Errorf("%s is not %s", quoted(v), want)
}

func parseDuration(v any) (time.Duration, error) {
	text, ok := v.(string)
	if ok {
		if d, err := time.ParseDuration(text); err == nil {
			return d, nil
		}
	}
	return 0, fmt.Errorf("%s is not a duration such as 500ms, 15s or 2m", quoted(v))
}

func quoted(v any) string {
	if text, ok := v.(string); ok {
		return strconv.Quote(text)
	}
	return fmt.Sprint(v)
}

// format returns the value of a field as parse reads it and people like it.
func (s setting) format(v any) any {
	switch s.kind {
	case kindSize:
		return formatSize(v.(int))
	case kindDuration:
		return formatDuration(v.(time.Duration))
	default:
		return v
	}
}

// formatSize returns n in the largest unit that needs no fraction.
func formatSize(n int) any {
	for _, unit := range []string{"GiB", "MiB", "KiB"} {
		if n != 0 && n%sizeUnits[unit] == 0 {
			return strconv.Itoa(n/sizeUnits[unit]) + unit
		}
	}
	return n
}

// formatDuration returns 2m for what Duration.String writes as 2m0s.
func formatDuration(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

package main

import (
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// docRow is a row of a table of settings in docs/configuration.md.
var docRow = regexp.MustCompile("(?m)^\\| `([a-z.-]+)` \\| (.+) \\| (.+) \\| `(\\w+)` \\| `--([a-z-]+)` \\|$")

func TestEverySettingIsInTheDocumentation(t *testing.T) {
	page, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string][]string{}
	for _, row := range docRow.FindAllStringSubmatch(string(page), -1) {
		rows[row[1]] = row
	}
	if got := strings.Count(string(page), "\n| `"); got != len(rows) {
		t.Errorf("%d rows begin with a name in backquotes, %d of them have the form of a setting", got, len(rows))
	}
	for _, s := range settings() {
		row, ok := rows[s.key]
		if !ok {
			t.Errorf("%s is not on the page", s.key)
			continue
		}
		delete(rows, s.key)
		if got, want := row[4], s.env(); got != want {
			t.Errorf("%s: variable on the page = %s, want %s", s.key, got, want)
		}
		if got, want := row[5], s.flag(); got != want {
			t.Errorf("%s: flag on the page = --%s, want --%s", s.key, got, want)
		}
		if got, want := row[3], s.defaultText(); want != "" && got != "`"+want+"`" || want == "" && !strings.HasPrefix(got, "*") {
			t.Errorf("%s: default on the page = %s, want %q", s.key, got, want)
		}
	}
	for key := range rows {
		t.Errorf("%s is on the page and is no setting", key)
	}
}

func TestEverySettingHasWordsInTheHelp(t *testing.T) {
	var keys []string
	for _, s := range settings() {
		keys = append(keys, s.key)
	}
	slices.Sort(keys)
	if got := slices.Sorted(maps.Keys(usages)); !slices.Equal(got, keys) {
		t.Errorf("keys of usages = %q, want %q", got, keys)
	}
}

// TestEveryWayToSetASetting sets each setting in each place, and finds it in
// the field that it is about.
func TestEveryWayToSetASetting(t *testing.T) {
	samples := map[kind]string{kindText: "sample", kindList: "sample", kindCount: "7", kindSize: "7KiB", kindDuration: "7s"}
	valid := map[string]string{"mode": "classic", "listen": ":7", "metrics-listen": ":8", "log.level": "warn", "log.format": "json", "endpoint": "http://sample", "engine": "goroutines", "lost-clients": "move", "aspnet.errors": "always"}
	for _, s := range settings() {
		if strings.HasPrefix(s.key, "tls.") { // two that go together; see TestServesHTTPS
			continue
		}
		value := samples[s.kind]
		if v, ok := valid[s.key]; ok {
			value = v
		}
		for place, c := range map[string]config{
			"flag":        mustLoad(t, nil, "--"+s.flag()+"="+value),
			"environment": mustLoad(t, []string{s.env() + "=" + value}),
			"file":        mustLoad(t, []string{envConfig + "=" + writeYAML(t, s.key, value)}),
		} {
			got := s.format(s.field(&c).Interface())
			if list, ok := got.([]string); ok {
				got = strings.Join(list, ",")
			}
			if fmt.Sprint(got) != value {
				t.Errorf("%s by %s = %v, want %s", s.key, place, got, value)
			}
		}
	}
}

// mustLoad returns what flags and environment set; an access key stands behind them.
func mustLoad(t *testing.T, environ []string, args ...string) config {
	t.Helper()
	cmd := new(program).serve()
	if err := cmd.ParseFlags(args); err != nil {
		t.Fatal(err)
	}
	c, err := load(cmd.Flags(), append(environ, "SWITCHBOARD_ACCESS_KEYS=sample"))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func writeYAML(t *testing.T, key, value string) string {
	t.Helper()
	text := fmt.Sprintf("%s: %q\n", key, value)
	if section, name, ok := strings.Cut(key, "."); ok {
		text = fmt.Sprintf("%s:\n  %s: %q\n", section, name, value)
	}
	path := t.TempDir() + "/switchboard.yaml"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

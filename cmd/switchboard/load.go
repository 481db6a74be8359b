package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/knadh/koanf/providers/confmap"
	"github.com/knadh/koanf/v2"
	"github.com/spf13/pflag"
)

// load returns the configuration in effect: flags before environment before
// file before defaults. The error is a *usageError that holds every mistake of
// every source.
func load(flags *pflag.FlagSet, environ []string) (config, error) {
	l := loader{merged: koanf.New("."), settings: map[string]setting{}, seen: map[string]bool{}}
	for _, s := range settings() {
		l.settings[s.key] = s
	}
	if path := configFile(flags, environ); path != "" {
		l.loadFile(path)
	}
	l.loadEnvironment(environ)
	l.loadFlags(flags)

	var c config
	if err := l.merged.Unmarshal("", &c); err != nil {
		return config{}, fmt.Errorf("merge the configuration: %w", err)
	}
	c.fill()
	if len(c.Service.AccessKeys) == 0 && !l.seen["access-keys"] {
		l.mistakes.add("access-keys: no access key is set; set one with SWITCHBOARD_ACCESS_KEYS=KEY, with access-keys: [KEY] in the " +
			"--config file or with --access-key KEY (\"openssl rand -hex 32\" makes one), or try \"switchboard dev\"")
	}
	c.check(&l.mistakes)
	return c, l.mistakes.err()
}

// A loader merges sources, the later over the earlier.
type loader struct {
	settings map[string]setting // by key
	merged   *koanf.Koanf       // values as the fields of config have them
	seen     map[string]bool    // keys that a source has, or may have, right or wrong
	mistakes mistakes
}

// add merges the values of one source by their full keys. label says where a
// key was set, for a mistake.
func (l *loader) add(values map[string]any, label func(key string) string) {
	valid := map[string]any{}
	for _, key := range slices.Sorted(maps.Keys(values)) {
		s, ok := l.settings[key]
		if !ok {
			if problem := l.unknown(key, values[key]); problem != "" {
				l.mistakes.add("%s (%s)", problem, label(key))
			}
			continue
		}
		if values[key] == nil {
			continue // a key with nothing behind it, as in a file whose values are commented out
		}
		l.seen[key] = true
		value, err := s.parse(values[key])
		if err != nil {
			l.mistakes.add("%s: %s (%s)", key, err, label(key))
			continue
		}
		valid[key] = value
	}
	if err := l.merged.Load(confmap.Provider(valid, "."), nil); err != nil {
		l.mistakes.add("%s", err)
	}
}

// unknown says why there is no setting for key, or nothing for an empty
// section. What stands below a setting may be a secret in the wrong place, so
// it is not repeated.
func (l *loader) unknown(key string, value any) string {
	for known := range l.settings {
		if strings.HasPrefix(key, known+".") {
			l.seen[known] = true
			return known + ": is a section here; it must be a value"
		}
		if strings.HasPrefix(known, key+".") {
			if m, ok := value.(map[string]any); value == nil || ok && len(m) == 0 {
				return ""
			}
			return key + ": is a value here; it must be a section"
		}
	}
	return key + ": unknown key" + didYouMean(nearest(key, slices.Sorted(maps.Keys(l.settings))))
}

package main

import (
	"regexp"
	"strings"

	"github.com/knadh/koanf/providers/env/v2"
	"github.com/knadh/koanf/v2"
)

const (
	envPrefix = "SWITCHBOARD_"
	envConfig = "SWITCHBOARD_CONFIG" // names the file, as --config does
)

// serviceLink matches the variables that Kubernetes and container links set in
// every container when a service near it is named switchboard or switchboard-…
var serviceLink = regexp.MustCompile(`^SWITCHBOARD_(\w+_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)$`)

// loadEnvironment takes the variables with our prefix. An empty one counts as
// not set, since container tools cannot leave a variable out.
func (l *loader) loadEnvironment(environ []string) {
	byName := map[string]setting{}
	names := []string{envConfig}
	for _, s := range l.settings {
		byName[s.env()] = s
		names = append(names, s.env())
	}
	transform := func(name, value string) (string, any) {
		s, ok := byName[name]
		switch {
		case !ok && name != envConfig && !serviceLink.MatchString(name):
			l.mistakes.add("%s: unknown environment variable%s", name, didYouMean(nearest(name, names)))
			return "", nil
		case !ok || value == "":
			return "", nil
		case s.kind == kindList:
			return s.key, splitList(value)
		default:
			return s.key, value
		}
	}
	k := koanf.New(".")
	provider := env.Provider(".", env.Opt{Prefix: envPrefix, TransformFunc: transform, EnvironFunc: func() []string { return environ }})
	if err := k.Load(provider, nil); err != nil {
		l.mistakes.add("environment: %s", err)
		return
	}
	l.add(k.All(), func(key string) string { return l.settings[key].env() })
}

// splitList splits at commas. White space around an item does not count.
func splitList(text string) []string {
	items := strings.Split(text, ",")
	for i := range items {
		items[i] = strings.TrimSpace(items[i])
	}
	return items
}

func lookupEnv(environ []string, name string) string {
	for _, variable := range environ {
		if value, ok := strings.CutPrefix(variable, name+"="); ok {
			return value
		}
	}
	return ""
}

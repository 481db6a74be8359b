package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"switchboard/accesstoken"
	"switchboard/service"
)

// A config is everything that serve can be told. The tags are the keys of the
// YAML file; flags and environment variables are derived from them. Each field
// has its words in usages, and its row in docs/configuration.md.
type config struct {
	Listen          string         `koanf:"listen"`
	MetricsListen   string         `koanf:"metrics-listen"`
	Log             logConfig      `koanf:"log"`
	TLS             tlsConfig      `koanf:"tls"`
	ShutdownTimeout time.Duration  `koanf:"shutdown-timeout"`
	Service         service.Config `koanf:",squash"`
}

type logConfig struct {
	Level  string `koanf:"level"`
	Format string `koanf:"format"`
}

type tlsConfig struct {
	CertFile string `koanf:"cert-file"`
	KeyFile  string `koanf:"key-file"`
}

// defaults returns the values of what is not set.
func defaults() config {
	return config{
		Listen:          ":8888",
		Log:             logConfig{Level: "info", Format: "auto"},
		ShutdownTimeout: 30 * time.Second,
		Service:         service.Config{}.WithDefaults(),
	}
}

// fill sets what is zero to its default.
func (c *config) fill() {
	d := defaults()
	for _, s := range settings() {
		if f := s.field(c); f.IsZero() {
			f.Set(s.field(&d))
		}
	}
}

// check adds every mistake in the values, named by key.
func (c *config) check(m *mistakes) {
	if problem := addressProblem(c.Listen); problem != "" {
		m.add("listen: %q %s", c.Listen, problem)
	}
	if problem := addressProblem(c.MetricsListen); problem != "" && c.MetricsListen != "" {
		m.add("metrics-listen: %q %s", c.MetricsListen, problem)
	}
	if _, ok := logLevels[c.Log.Level]; !ok {
		m.add("log.level: %q is none of debug, info, warn and error", c.Log.Level)
	}
	if !slices.Contains([]string{"auto", "text", "json"}, c.Log.Format) {
		m.add("log.format: %q is none of auto, text and json", c.Log.Format)
	}
	if c.ShutdownTimeout < 0 {
		m.add("shutdown-timeout: must not be negative")
	}
	if _, err := c.TLS.certificates(); err != nil {
		m.add("%s", err)
	}
	m.addAll(c.Service.Check())
}

// addressProblem says what is wrong with a host:port address, or nothing.
func addressProblem(address string) string {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return "is not a host:port address"
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return "has no port from 0 to 65535"
	}
	return ""
}

// certificates returns what to serve HTTPS with, or nil for plain HTTP.
func (c tlsConfig) certificates() ([]tls.Certificate, error) {
	switch {
	case c == tlsConfig{}:
		return nil, nil
	case c.CertFile == "":
		return nil, errors.New("tls.cert-file: must be set, as tls.key-file is")
	case c.KeyFile == "":
		return nil, errors.New("tls.key-file: must be set, as tls.cert-file is")
	}
	certificate, err := tls.LoadX509KeyPair(c.CertFile, c.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("tls.cert-file, tls.key-file: %w", err)
	}
	return []tls.Certificate{certificate}, nil
}

// knownKey tells whether the access keys hold the one that everybody knows.
func (c *config) knownKey() bool {
	return slices.Contains(c.Service.AccessKeys, accesstoken.DevelopmentKey)
}

// mistakes are the sentences about a configuration.
type mistakes []string

func (m *mistakes) add(format string, args ...any) {
	*m = append(*m, fmt.Sprintf(format, args...))
}

// addAll adds err, or each of the errors that it joins; nothing when it is nil.
func (m *mistakes) addAll(err error) {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, err := range joined.Unwrap() {
			m.addAll(err)
		}
	} else if err != nil {
		m.add("%s", err)
	}
}

// err returns a *usageError with every mistake, or nil.
func (m mistakes) err() error {
	if len(m) == 0 {
		return nil
	}
	slices.Sort(m)
	count := "a mistake"
	if len(m) > 1 {
		count = strconv.Itoa(len(m)) + " mistakes"
	}
	return &usageError{"the configuration has " + count + ":\n  " + strings.Join(m, "\n  ")}
}

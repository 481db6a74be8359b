package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/goccy/go-yaml"
	"github.com/knadh/koanf/providers/file"
	"github.com/knadh/koanf/v2"
)

func (l *loader) loadFile(path string) {
	k := koanf.New(".")
	if err := k.Load(file.Provider(path), yamlParser{}); err != nil {
		l.mistakes.add("config: %s", err)
		l.seen["access-keys"] = true // for all we know
		return
	}
	l.add(k.All(), func(string) string { return path })
}

// yamlParser reads one YAML document for koanf. A key that stands twice is an error.
type yamlParser struct{}

var _ koanf.Parser = yamlParser{}

func (yamlParser) Unmarshal(b []byte) (map[string]any, error) {
	d := yaml.NewDecoder(bytes.NewReader(b))
	var m map[string]any
	err := d.Decode(&m)
	if errors.Is(err, io.EOF) {
		return nil, nil // only comments
	}
	if err != nil {
		return nil, errors.New("YAML: " + yaml.FormatError(err, false, false)) // without the source text, which may hold keys
	}
	if err := d.Decode(new(any)); !errors.Is(err, io.EOF) {
		return nil, errors.New("YAML: there is more than one document")
	}
	return m, nil
}

func (yamlParser) Marshal(m map[string]any) ([]byte, error) {
	b, err := yaml.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("write YAML: %w", err)
	}
	return b, nil
}

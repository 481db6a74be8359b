package hubprotocol

import (
	"encoding/json"
	"fmt"
)

// An appender is a writer that appends to a slice.
type appender []byte

func (a *appender) Write(p []byte) (int, error) {
	*a = append(*a, p...)
	return len(p), nil
}

func (a *appender) WriteByte(c byte) error {
	*a = append(*a, c)
	return nil
}

// AppendValue encodes with encoding/json, except that < > & are written raw, as
// ASP.NET Core does. Property names are those of the json tags: give camelCase
// ones to be read like a .NET server.
func (jsonProtocol) AppendValue(b []byte, v any) ([]byte, error) {
	out := appender(b)
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return b, fmt.Errorf("encode JSON value: %w", err)
	}
	return out[:len(out)-1], nil // without the line break of Encode
}

// ParseValue decodes with encoding/json: property names match without regard to
// case, null leaves a plain variable as it was.
func (jsonProtocol) ParseValue(raw []byte, into any) error {
	if err := json.Unmarshal(raw, into); err != nil {
		return fmt.Errorf("decode JSON value: %w", err)
	}
	return nil
}

package hubprotocol

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"unicode/utf8"
)

func (jsonProtocol) Append(b []byte, m Message) ([]byte, error) {
	w := jsonWriter{append(b, `{"type":`...), nil}
	w.b = strconv.AppendInt(w.b, int64(m.MessageType()), 10)
	w.message(m)
	if w.err != nil {
		return b, fmt.Errorf("append %v: %w", m.MessageType(), w.err)
	}
	return append(w.b, '}', RecordSeparator), nil
}

// A jsonWriter appends the properties of one message and remembers the first
// that must not be written.
type jsonWriter struct {
	b   []byte
	err error
}

func (w *jsonWriter) fail(err error) {
	if w.err == nil {
		w.err = err
	}
}

// message writes everything behind the type, in the order of ASP.NET Core.
func (w *jsonWriter) message(m Message) {
	switch m := m.(type) {
	case *Invocation:
		w.invocation(m)
	case *StreamInvocation:
		if m.InvocationID == "" {
			w.fail(errNoInvocationID)
		}
		w.invocation((*Invocation)(m))
	case *StreamItem:
		w.start(m.Headers, m.InvocationID)
		w.property("item")
		w.value(m.Item, 1)
	case *Completion:
		w.completion(m)
	case *CancelInvocation:
		w.start(m.Headers, m.InvocationID)
	case *Ping:
	case *Close:
		w.optional("error", m.Error)
		if m.AllowReconnect {
			w.property("allowReconnect")
			w.b = append(w.b, "true"...)
		}
	case *Ack:
		w.sequenceID(m.SequenceID)
	case *Sequence:
		w.sequenceID(m.SequenceID)
	default:
		w.fail(errors.New("unknown type cannot be written"))
	}
}

func (w *jsonWriter) invocation(m *Invocation) {
	w.headers(m.Headers)
	w.optional("invocationId", m.InvocationID)
	w.text("target", m.Target)
	w.property("arguments")
	w.b = append(w.b, '[')
	for i, raw := range m.Arguments {
		w.comma(i)
		w.value(raw, 2)
	}
	w.b = append(w.b, ']')
	if len(m.StreamIDs) == 0 {
		return
	}
	w.property("streamIds")
	w.b = append(w.b, '[')
	for i, id := range m.StreamIDs {
		w.comma(i)
		w.b = appendString(w.b, id)
	}
	w.b = append(w.b, ']')
}

func (w *jsonWriter) completion(m *Completion) {
	if err := checkCompletion(m); err != nil {
		w.fail(err)
	}
	w.start(m.Headers, m.InvocationID)
	switch {
	case m.HasError || m.Error != "":
		w.text("error", m.Error)
	case m.HasResult:
		w.property("result")
		w.value(m.Result, 1)
	}
}

// start writes what types 2, 3 and 5 begin with.
func (w *jsonWriter) start(headers map[string]string, id string) {
	if id == "" {
		w.fail(errNoInvocationID)
	}
	w.headers(headers)
	w.text("invocationId", id)
}

func (w *jsonWriter) headers(headers map[string]string) {
	if len(headers) == 0 {
		return
	}
	w.property("headers")
	w.b = append(w.b, '{')
	for i, name := range slices.Sorted(maps.Keys(headers)) {
		w.comma(i)
		w.b = append(appendString(w.b, name), ':')
		w.b = appendString(w.b, headers[name])
	}
	w.b = append(w.b, '}')
}

func (w *jsonWriter) sequenceID(n int64) {
	w.property("sequenceId")
	w.b = strconv.AppendInt(w.b, n, 10)
}

func (w *jsonWriter) optional(name, text string) {
	if text != "" {
		w.text(name, text)
	}
}

func (w *jsonWriter) text(name, text string) {
	w.property(name)
	w.b = appendString(w.b, text)
}

func (w *jsonWriter) property(name string) {
	w.b = append(append(append(w.b, `,"`...), name...), `":`...)
}

func (w *jsonWriter) comma(i int) {
	if i > 0 {
		w.b = append(w.b, ',')
	}
}

// value writes an encoded value after a check that it is exactly one, and not
// too deep for a reader at depth arrays and objects below the top.
func (w *jsonWriter) value(raw []byte, depth int) {
	s := scanner{b: raw, depth: depth}
	_, err := s.value()
	if err == nil {
		err = s.end()
	}
	if err == nil && !utf8.Valid(raw) {
		err = errors.New("invalid UTF-8")
	}
	if err != nil {
		w.fail(fmt.Errorf("encoded value: %w", err))
	}
	w.b = append(w.b, raw...)
}

const hexDigits = "0123456789abcdef"

// appendString writes a JSON string. Only quotes, backslashes and control
// characters are escaped; broken UTF-8 becomes U+FFFD.
func appendString(b []byte, text string) []byte {
	b = append(b, '"')
	for i, r := range text {
		switch {
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		case r < ' ':
			b = append(b, '\\', 'u', '0', '0', hexDigits[r>>4], hexDigits[r&15])
		case r < utf8.RuneSelf:
			b = append(b, text[i])
		default:
			b = utf8.AppendRune(b, r)
		}
	}
	return append(b, '"')
}

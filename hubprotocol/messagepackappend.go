package hubprotocol

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"unicode/utf8"
)

func (messagePackProtocol) Append(b []byte, m Message) ([]byte, error) {
	w := packer{b: b}
	w.message(m)
	if w.err == nil {
		w.b, w.err = insertPrefix(w.b, len(b))
	}
	if w.err != nil {
		return b, fmt.Errorf("append %v: %w", m.MessageType(), w.err)
	}
	return w.b, nil
}

// A packer appends the values of one message and remembers the first that must
// not be written.
type packer struct {
	b   []byte
	err error
}

func (w *packer) fail(err error) {
	if w.err == nil {
		w.err = err
	}
}

// message writes the array as ASP.NET Core does: optional last items are always
// there.
func (w *packer) message(m Message) {
	switch m := m.(type) {
	case *Invocation:
		w.invocation(TypeInvocation, m)
	case *StreamInvocation:
		if m.InvocationID == "" {
			w.fail(errNoInvocationID)
		}
		w.invocation(TypeStreamInvocation, (*Invocation)(m))
	case *StreamItem:
		w.start(4, TypeStreamItem, m.Headers, m.InvocationID)
		w.value(m.Item, 1)
	case *Completion:
		w.completion(m)
	case *CancelInvocation:
		w.start(3, TypeCancelInvocation, m.Headers, m.InvocationID)
	case *Ping:
		w.array(1)
		w.integer(int64(TypePing))
	case *Close:
		w.close(m)
	case *Ack:
		w.sequenceID(TypeAck, m.SequenceID)
	case *Sequence:
		w.sequenceID(TypeSequence, m.SequenceID)
	default:
		w.fail(errors.New("unknown type cannot be written"))
	}
}

func (w *packer) invocation(t Type, m *Invocation) {
	w.array(6)
	w.integer(int64(t))
	w.headers(m.Headers)
	w.optional(m.InvocationID)
	w.text(m.Target)
	w.array(len(m.Arguments))
	for _, raw := range m.Arguments {
		w.value(raw, 2)
	}
	w.array(len(m.StreamIDs))
	for _, id := range m.StreamIDs {
		w.text(id)
	}
}

func (w *packer) completion(m *Completion) {
	if err := checkCompletion(m); err != nil {
		w.fail(err)
	}
	switch {
	case m.HasError || m.Error != "":
		w.start(5, TypeCompletion, m.Headers, m.InvocationID)
		w.integer(completionError)
		w.text(m.Error)
	case m.HasResult:
		w.start(5, TypeCompletion, m.Headers, m.InvocationID)
		w.integer(completionResult)
		w.value(m.Result, 1)
	default:
		w.start(4, TypeCompletion, m.Headers, m.InvocationID)
		w.integer(completionVoid)
	}
}

func (w *packer) close(m *Close) {
	w.array(3)
	w.integer(int64(TypeClose))
	w.optional(m.Error)
	if m.AllowReconnect {
		w.b = append(w.b, 0xc3)
	} else {
		w.b = append(w.b, 0xc2)
	}
}

func (w *packer) sequenceID(t Type, n int64) {
	w.array(2)
	w.integer(int64(t))
	w.integer(n)
}

// start writes the head of an array of n items and what types 2, 3 and 5 begin with.
func (w *packer) start(n int, t Type, headers map[string]string, id string) {
	if id == "" {
		w.fail(errNoInvocationID)
	}
	w.array(n)
	w.integer(int64(t))
	w.headers(headers)
	w.text(id)
}

func (w *packer) headers(headers map[string]string) {
	w.head(len(headers), 0x80, 15, 0, 0xde, 0xdf)
	if len(headers) == 0 {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(headers)) {
		w.text(name)
		w.text(headers[name])
	}
}

func (w *packer) array(n int) {
	w.head(n, 0x90, 15, 0, 0xdc, 0xdd)
}

// text writes a str; broken UTF-8 becomes U+FFFD.
func (w *packer) text(text string) {
	if !utf8.ValidString(text) {
		text = strings.ToValidUTF8(text, string(utf8.RuneError))
	}
	w.head(len(text), 0xa0, 31, 0xd9, 0xda, 0xdb)
	w.b = append(w.b, text...)
}

func (w *packer) optional(text string) {
	if text == "" {
		w.b = append(w.b, 0xc0)
		return
	}
	w.text(text)
}

// head writes a type with a length n in the shortest form: within the byte fix
// up to most, else behind one of the codes for 1, 2 and 4 bytes. Arrays and maps
// have no code for 1 byte.
func (w *packer) head(n int, fix byte, most int, code1, code2, code4 byte) {
	switch {
	case n <= most:
		w.b = append(w.b, fix|byte(n))
	case n <= math.MaxUint8 && code1 != 0:
		w.b = append(w.b, code1, byte(n))
	case n <= math.MaxUint16:
		w.b = binary.BigEndian.AppendUint16(append(w.b, code2), uint16(n))
	default:
		w.b = binary.BigEndian.AppendUint32(append(w.b, code4), uint32(n))
	}
}

// integer writes n in the shortest form.
func (w *packer) integer(n int64) {
	switch {
	case n >= 0:
		w.unsigned(uint64(n))
	case n >= -32:
		w.b = append(w.b, byte(n))
	case n >= math.MinInt8:
		w.b = append(w.b, 0xd0, byte(n))
	case n >= math.MinInt16:
		w.b = binary.BigEndian.AppendUint16(append(w.b, 0xd1), uint16(n))
	case n >= math.MinInt32:
		w.b = binary.BigEndian.AppendUint32(append(w.b, 0xd2), uint32(n))
	default:
		w.b = binary.BigEndian.AppendUint64(append(w.b, 0xd3), uint64(n))
	}
}

func (w *packer) unsigned(n uint64) {
	switch {
	case n < 0x80:
		w.b = append(w.b, byte(n))
	case n <= math.MaxUint8:
		w.b = append(w.b, 0xcc, byte(n))
	case n <= math.MaxUint16:
		w.b = binary.BigEndian.AppendUint16(append(w.b, 0xcd), uint16(n))
	case n <= math.MaxUint32:
		w.b = binary.BigEndian.AppendUint32(append(w.b, 0xce), uint32(n))
	default:
		w.b = binary.BigEndian.AppendUint64(append(w.b, 0xcf), n)
	}
}

// value writes an encoded value after a check that it is exactly one, and not
// too deep for a reader at depth arrays and maps below the top.
func (w *packer) value(raw []byte, depth int) {
	n, err := skipValue(raw, depth)
	if err == nil && n != len(raw) {
		err = errors.New("more than one value")
	}
	if err != nil {
		w.fail(fmt.Errorf("encoded value: %w", err))
	}
	w.b = append(w.b, raw...)
}

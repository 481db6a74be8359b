package hubprotocol

import (
	"errors"
	"fmt"
	"io"
	"reflect"

	"github.com/vmihailenco/msgpack/v5"
)

// AppendValue encodes with vmihailenco/msgpack. Members of structs are named by
// the msgpack tag, else the json tag, else the field; integers take the shortest
// form, []byte is bin and time.Time the timestamp extension. The Java client
// cannot read extensions: send it times as text or numbers.
func (messagePackProtocol) AppendValue(b []byte, v any) ([]byte, error) {
	out := appender(b)
	enc := msgpack.GetEncoder()
	defer msgpack.PutEncoder(enc)
	enc.Reset(&out)
	enc.SetCustomStructTag("json")
	enc.SetSortMapKeys(true)
	enc.UseCompactInts(true)
	if err := enc.Encode(v); err != nil {
		return b, fmt.Errorf("encode MessagePack value: %w", err)
	}
	return out, nil
}

// ParseValue decodes with vmihailenco/msgpack, after a check that raw is one
// whole value, so that no announced length can make it allocate more than raw
// warrants. A number does not bind to a string or a fraction to an integer; an
// integer binds to a float, because JavaScript writes 2.0 as 2. Into an any, maps
// become map[string]any and integers keep the width they have on the wire.
func (messagePackProtocol) ParseValue(raw []byte, into any) error {
	err := checkOneValue(raw)
	if err == nil {
		err = checkRange(raw, into)
	}
	if err == nil {
		err = decodeMessagePack(raw, into)
	}
	if err != nil {
		return fmt.Errorf("decode MessagePack value: %w", err)
	}
	return nil
}

func checkOneValue(raw []byte) error {
	n, err := skipValue(raw, 0)
	if err == nil && n != len(raw) {
		err = errors.New("more than one value")
	}
	return err
}

// checkRange refuses an integer that the variable cannot hold; the library would
// cut it off.
func checkRange(raw []byte, into any) error {
	t, err := readToken(raw)
	v := reflect.ValueOf(into)
	if err != nil || t.kind != kindInt && t.kind != kindUint || v.Kind() != reflect.Pointer || v.IsNil() {
		return err
	}
	negative := t.kind == kindInt && int64(t.bits) < 0
	fits := true
	switch v = v.Elem(); {
	case v.CanInt():
		fits = (negative || int64(t.bits) >= 0) && !v.OverflowInt(int64(t.bits))
	case v.CanUint():
		fits = !negative && !v.OverflowUint(t.bits)
	}
	if !fits {
		return fmt.Errorf("integer does not fit %s", v.Type())
	}
	return nil
}

// decodeMessagePack runs the library. It panics on some values that do not suit
// their variable, such as nil for a time.Time inside a struct.
func decodeMessagePack(raw []byte, into any) (err error) {
	dec := msgpack.GetDecoder()
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("value does not suit %T: %v", into, p)
			return
		}
		msgpack.PutDecoder(dec)
	}()
	if p, ok := into.(*any); ok && p != nil {
		*p = nil // otherwise the library decodes into what it holds
	}
	r := valueReader{b: raw}
	dec.Reset(&r)
	dec.SetCustomStructTag("json")
	if err := dec.Decode(into); err != nil {
		return err
	}
	if r.pos != len(raw) {
		return fmt.Errorf("value does not suit %T", into)
	}
	return nil
}

var errExtension = errors.New("extension where another value belongs")

// A valueReader feeds one checked value to the library. For a map the library
// passes over an extension and takes the bytes inside it for the head of a map of
// any size, which it allocates. It reads heads byte by byte and the content of a
// known extension in one piece, so valueReader forbids the former inside one.
type valueReader struct {
	b    []byte
	pos  int
	from int // content of the latest extension that was reached
	next int // start of the token behind the latest that was reached
}

func (r *valueReader) Read(p []byte) (int, error) {
	n := copy(p, r.b[r.pos:])
	r.pos += n
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (r *valueReader) ReadByte() (byte, error) {
	for r.next <= r.pos && r.next < len(r.b) {
		t, err := readToken(r.b[r.next:])
		if err != nil {
			return 0, err
		}
		r.from = r.next + t.head
		r.next += t.head + t.size
		if t.kind != kindExt {
			r.from = r.next
		}
	}
	switch {
	case r.pos == len(r.b):
		return 0, io.EOF
	case r.pos >= r.from && r.pos < r.next:
		return 0, errExtension
	}
	r.pos++
	return r.b[r.pos-1], nil
}

// UnreadByte takes back the latest ReadByte; the library only ever does that.
func (r *valueReader) UnreadByte() error {
	r.pos--
	return nil
}

package serviceprotocol_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"reflect"
	"strings"
	"testing"

	"switchboard/serviceprotocol"
)

// A vector is one entry of testdata/vectors.json: bytes out of the tests of the
// .NET SDK, or made from its layout rules, with the fields that they stand for.
type vector struct {
	Name      string
	MustWrite bool   // a writer has to produce exactly these bytes
	Base64    []byte // the body
	Framed    []byte `json:"framedBase64"`
	Message   fields
}

// fields are the named fields of a vector's message, whatever its type.
type fields struct {
	TypeID serviceprotocol.Type
	Ext    struct {
		TracingID       uint64
		TTL             *int
		Protocol        string
		Filter          string
		DataMessageType serviceprotocol.DataMessageType
		IsPartial       bool
	}

	Version, AckID, Status, ConnectionType, MigrationLevel int
	ObjectType, Kind, Operation, Max                       int

	Target, ErrorMessage, ConnectionID, QueryString, UserID, GroupName string
	CallerUserID, Message, ID, Token, Kid, AccessKey, ErrorType        string
	Reason, InvocationID, CallerServerID, Protocol, Error, InstanceID  string
	ContinuationToken                                                  string

	Messages, ConnectionList, UserList, GroupList []string
	ExcludedList, ExcludedUserList                []string

	AllowStatefulReconnects *bool
	Claims                  []serviceprotocol.Claim
	Headers                 orderedHeaders
	Payload                 *hexBytes
	Payloads                orderedPayloads
}

func readVectors(tb testing.TB) []vector {
	tb.Helper()
	data, err := os.ReadFile("testdata/vectors.json")
	if err != nil {
		tb.Fatal(err)
	}
	var list []vector
	if err := json.Unmarshal(data, &list); err != nil {
		tb.Fatal(err)
	}
	if len(list) != 144 {
		tb.Fatalf("%d vectors, want 144", len(list))
	}
	return list
}

type hexBytes []byte

func (h *hexBytes) UnmarshalText(text []byte) (err error) {
	*h, err = hex.DecodeString(string(text))
	return err
}

func (h *hexBytes) bytes() []byte {
	if h == nil {
		return nil
	}
	return *h
}

// The order of a JSON object's members matters here, and maps lose it.

type orderedHeaders serviceprotocol.Headers

func (h *orderedHeaders) UnmarshalJSON(data []byte) error {
	return members(data, func(name string, dec *json.Decoder) error {
		header := serviceprotocol.Header{Name: name}
		err := dec.Decode(&header.Values)
		*h = append(*h, header)
		return err
	})
}

type orderedPayloads serviceprotocol.Payloads

func (p *orderedPayloads) UnmarshalJSON(data []byte) error {
	return members(data, func(name string, dec *json.Decoder) error {
		var payload hexBytes
		err := dec.Decode(&payload)
		*p = append(*p, serviceprotocol.Payload{Protocol: name, Data: payload})
		return err
	})
}

func members(data []byte, each func(name string, dec *json.Decoder) error) error {
	dec := json.NewDecoder(bytes.NewReader(data))
	if _, err := dec.Token(); err != nil {
		return err
	}
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return err
		}
		if err := each(name.(string), dec); err != nil {
			return err
		}
	}
	return nil
}

func TestVectorsAreWritten(t *testing.T) {
	for _, v := range readVectors(t) {
		// Vectors that are not mustWrite are older forms, or need not be written;
		// what is made of their fields still has to read back the same.
		m := v.Message.message(t)
		if m.Type() != v.Message.TypeID {
			t.Errorf("%s: Type = %v, want %v", v.Name, m.Type(), v.Message.TypeID)
		}
		got := m.Append(nil)
		if v.MustWrite && !bytes.Equal(got, v.Base64) {
			t.Errorf("%s: Append =\n%x, want\n%x", v.Name, got, v.Base64)
		}
		if got := serviceprotocol.AppendFrame(nil, m); v.MustWrite && !bytes.Equal(got, v.Framed) {
			t.Errorf("%s: AppendFrame =\n%x, want\n%x", v.Name, got, v.Framed)
		}
		checkParse(t, v.Name+", written", got, m)
	}
}

func TestVectorsAreRead(t *testing.T) {
	for _, v := range readVectors(t) {
		checkParse(t, v.Name, v.Base64, v.Message.message(t))

		body, rest, err := serviceprotocol.SplitFrame(v.Framed, 0)
		if err != nil || len(rest) != 0 || !bytes.Equal(body, v.Base64) {
			t.Errorf("%s: SplitFrame = %x, %x, %v; want the body and nothing after it", v.Name, body, rest, err)
		}
	}
}

// checkParse reads body with Parse and with a Parser that has been used before.
func checkParse(t *testing.T, name string, body []byte, want serviceprotocol.Message) {
	t.Helper()
	got, err := serviceprotocol.Parse(body)
	if err != nil {
		t.Errorf("%s: Parse: %v", name, err)
		return
	}
	if !same(got, want) {
		t.Errorf("%s: Parse = %+v, want %+v", name, got, want)
	}
	p := usedParser(t)
	if got, err := p.Parse(body); err != nil || !same(got, want) {
		t.Errorf("%s: Parser.Parse = %+v, %v; want %+v", name, got, err, want)
	}
}

func TestCutVectorsAreErrors(t *testing.T) {
	for _, v := range readVectors(t) {
		whole := v.Base64
		if strings.Contains(v.Name, "ExtraTrailing") {
			// The message ends before its frame does: a three-byte string follows.
			whole = whole[:len(whole)-3]
			checkParse(t, v.Name+", trailing bytes cut", whole, v.Message.message(t))
		}
		for n := range whole {
			if m, err := serviceprotocol.Parse(whole[:n]); err == nil {
				t.Errorf("%s: Parse(first %d bytes) = %+v, want an error", v.Name, n, m)
			}
		}
	}
}

func TestCutFramesAreIncomplete(t *testing.T) {
	for _, v := range readVectors(t) {
		for n := range v.Framed {
			body, rest, err := serviceprotocol.SplitFrame(v.Framed[:n], 0)
			if body != nil || len(rest) != n || err != nil {
				t.Errorf("%s: SplitFrame(first %d bytes) = %x, %x, %v; want incomplete", v.Name, n, body, rest, err)
			}
		}
	}
}

func TestVectorsCoverEveryType(t *testing.T) {
	seen := map[serviceprotocol.Type]bool{}
	for _, v := range readVectors(t) {
		seen[v.Message.TypeID] = true
	}
	for typ := serviceprotocol.TypeHandshakeRequest; typ <= serviceprotocol.TypeGroupMemberQuery; typ++ {
		if !seen[typ] {
			t.Errorf("no vector of type %v", typ)
		}
	}
}

// same compares messages as the wire does: a nil slice is an empty one.
func same(a, b serviceprotocol.Message) bool {
	return reflect.DeepEqual(withoutEmpty(a), withoutEmpty(b))
}

// withoutEmpty copies a message with nil for every empty slice.
func withoutEmpty(m serviceprotocol.Message) any {
	v := reflect.ValueOf(m).Elem()
	out := reflect.New(v.Type()).Elem()
	out.Set(v)
	dropEmpty(out)
	return out.Interface()
}

func dropEmpty(v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			dropEmpty(v.Field(i))
		}
	case reflect.Slice:
		if v.Len() == 0 {
			v.SetZero()
			return
		}
		v.Set(reflect.AppendSlice(reflect.MakeSlice(v.Type(), 0, v.Len()), v))
		for i := range v.Len() {
			dropEmpty(v.Index(i))
		}
	}
}

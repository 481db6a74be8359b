package hubprotocol_test

import (
	"bytes"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"switchboard/hubprotocol"
)

type address struct {
	Street string `json:"street"`
	Zip    int    `msgpack:"PostCode"`
	Note   string `json:"note,omitempty"`
	secret string
}

// TestValueEncoding shows the bytes of each kind of value and reads them back.
func TestValueEncoding(t *testing.T) {
	text := "a<b>&'ü\x1e"
	tests := []struct {
		name    string
		value   any
		json    string
		msgpack string // hex
	}{
		{"nil", nil, `null`, "c0"},
		{"nil pointer", (*address)(nil), `null`, "c0"},
		{"true", true, `true`, "c3"},
		{"small int", 5, `5`, "05"},
		{"small int64", int64(5), `5`, "05"},
		{"negative int", -33, `-33`, "d0df"},
		{"uint16", uint16(300), `300`, "cd012c"},
		{"large int", math.MaxInt64, `9223372036854775807`, "cf7fffffffffffffff"},
		{"float", 1.5, `1.5`, "cb3ff8000000000000"},
		{"whole float stays a float", 2.0, `2`, "cb4000000000000000"},
		{"float32", float32(1.5), `1.5`, "ca3fc00000"},
		{"string", text, `"a<b>&'ü\u001e"`, "a9613c623e2627c3bc1e"},
		{"bytes", []byte{1, 2, 3}, `"AQID"`, "c403010203"},
		{"time", time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC), `"2000-01-01T00:00:00Z"`, "d6ff386d4380"},
		{"time with fraction", time.Date(2000, 1, 1, 0, 0, 0, 500_000_000, time.UTC), `"2000-01-01T00:00:00.5Z"`, "d7ff77359400386d4380"},
		{"time before 1970", time.Date(1969, 12, 31, 23, 59, 59, 0, time.UTC), `"1969-12-31T23:59:59Z"`, "c70cff00000000ffffffffffffffff"},
		{"strings", []string{"a", ""}, `["a",""]`, "92a161a0"},
		{"map", map[string]int{"b": 2}, `{"b":2}`, "81a16202"},
		{"map of any, sorted", map[string]any{"b": nil, "a": true}, `{"a":true,"b":null}`, "82a161c3a162c0"},
		{"struct", address{Street: "x", Zip: 7, secret: "s"}, `{"street":"x","Zip":7}`, "82a6737472656574a178a8506f7374436f646507"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			checkValue(t, hubprotocol.JSON, tt.value, []byte(tt.json))
			checkValue(t, hubprotocol.MessagePack, tt.value, unhex(t, tt.msgpack))
		})
	}
}

func checkValue(t *testing.T, p hubprotocol.Protocol, value any, want []byte) {
	t.Helper()
	got, err := p.AppendValue([]byte("before"), value)
	if err != nil || string(got) != "before"+string(want) {
		t.Errorf("%s: AppendValue = %q, %v, want %q behind what was there", p.Name(), got, err, want)
	}
	if value == nil {
		return
	}
	back := reflect.New(reflect.TypeOf(value))
	if err := p.ParseValue(want, back.Interface()); err != nil {
		t.Errorf("%s: ParseValue: %v", p.Name(), err)
		return
	}
	again, err := p.AppendValue(nil, back.Elem().Interface())
	if err != nil || string(again) != string(want) {
		t.Errorf("%s: value came back as %q, %v, want %q", p.Name(), again, err, want)
	}
}

func TestAppendValueReportsWhatCannotBeEncoded(t *testing.T) {
	eachProtocol(t, func(t *testing.T, p hubprotocol.Protocol) {
		b, err := p.AppendValue([]byte("before"), []any{1, make(chan int)})
		if err == nil || string(b) != "before" {
			t.Errorf("AppendValue(channel) = %q, %v, want an error and what was there before", b, err)
		}
	})
}

func TestJSONParseValueReportsWhatDoesNotBind(t *testing.T) {
	var n int
	if err := hubprotocol.JSON.ParseValue([]byte(`"5"`), &n); err == nil {
		t.Errorf("ParseValue(string into int) = %d, want an error", n)
	}
}

func TestParseValueIntoAny(t *testing.T) {
	var got any = 5
	if err := hubprotocol.JSON.ParseValue([]byte(`{"a":[1,"x",null]}`), &got); err != nil {
		t.Fatal(err)
	}
	if want := any(map[string]any{"a": []any{1.0, "x", nil}}); !reflect.DeepEqual(got, want) {
		t.Errorf("json: ParseValue = %#v, want %#v", got, want)
	}
	got = 5
	if err := hubprotocol.MessagePack.ParseValue(unhex(t, "82 a1 61 94 01 a1 78 c0 cd 01 2c a1 62 c4 01 09"), &got); err != nil {
		t.Fatal(err)
	}
	want := any(map[string]any{"a": []any{int8(1), "x", nil, uint16(300)}, "b": []byte{9}})
	if !reflect.DeepEqual(got, want) {
		t.Errorf("messagepack: ParseValue = %#v, want %#v", got, want)
	}
}

func TestParseValueDoesNotAliasItsInput(t *testing.T) {
	wire := unhex(t, "92 a1 78 c4 01 09")
	var got []any
	if err := hubprotocol.MessagePack.ParseValue(wire, &got); err != nil {
		t.Fatal(err)
	}
	clear(wire)
	if want := []any{"x", []byte{9}}; !reflect.DeepEqual(got, want) {
		t.Errorf("value is %#v after its input was cleared, want %#v", got, want)
	}
}

func TestMessagePackDoesNotCoerce(t *testing.T) {
	tests := []struct {
		name, wire string
		into       any
	}{
		{"number into string", "05", new(string)},
		{"string into number", "a135", new(int)},
		{"fraction into int", "cb3ff8000000000000", new(int)},
		{"bool into int", "c3", new(int)},
		{"int into bool", "01", new(bool)},
		{"string into float", "a135", new(float64)},
		{"300 into int8", "cd012c", new(int8)},
		{"-1 into uint", "ff", new(uint)},
		{"2^63 into int64", "cf8000000000000000", new(int64)},
		{"array into map", "9101", new(map[string]any)},
		{"map into slice", "80", new([]int)},
		{"time into string", "d6ff386d4380", new(string)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if err := hubprotocol.MessagePack.ParseValue(unhex(t, tt.wire), tt.into); err == nil {
				t.Errorf("ParseValue into %T succeeded, want an error", tt.into)
			}
		})
	}
}

func TestMessagePackIntegerBindsToFloat(t *testing.T) {
	var got float64 // JavaScript writes 2.0 as 2
	if err := hubprotocol.MessagePack.ParseValue([]byte{2}, &got); err != nil || got != 2 {
		t.Errorf("ParseValue = %v, %v, want 2", got, err)
	}
}

// TestMessagePackHostileValues feeds values that would make the library allocate
// by an announced length or panic.
func TestMessagePackHostileValues(t *testing.T) {
	type event struct{ At time.Time }
	tests := []struct {
		name, wire string
		into       any
	}{
		{"array of 4 billion", "dd ff ff ff ff", new(any)},
		{"map of 4 billion", "df ff ff ff ff", new(any)},
		{"bytes of 4 GB", "c6 ff ff ff ff", new([]byte)},
		{"string of 4 GB", "db ff ff ff ff", new(string)},
		{"extension of 4 GB", "c9 ff ff ff ff 05", new(any)},
		{"head of a map inside an extension", "d7 ff df ff ff ff ff 00 00 00", new(map[string]any)},
		{"the same one level down", "91 d7 ff df ff ff ff ff 00 00 00", new([]map[string]any)},
		{"the same behind a length", "c7 05 05 df ff ff ff ff", new(map[string]string)},
		{"two values", "01 02", new(any)},
		{"nothing", "", new(any)},
		{"not a pointer", "01", 5},
		{"nil time in a struct", "81 a2 41 74 c0", new(event)},
		{"65 levels", strings.Repeat("91", 65) + "c0", new(any)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if err := hubprotocol.MessagePack.ParseValue(unhex(t, tt.wire), tt.into); err == nil {
				t.Errorf("ParseValue into %T = %v, want an error", tt.into, tt.into)
			}
		})
	}
}

func TestMessagePackReadsEveryFormOfATime(t *testing.T) {
	type event struct{ At time.Time }
	tests := []struct{ name, wire, want string }{
		{"32 bits", "d6 ff 38 6d 43 80", "2000-01-01T00:00:00Z"},
		{"64 bits", "d7 ff 77 35 94 00 38 6d 43 80", "2000-01-01T00:00:00.5Z"},
		{"96 bits", "c7 0c ff 00 00 00 00 ff ff ff ff ff ff ff ff", "1969-12-31T23:59:59Z"},
		{"content like the head of a map", "d6 ff 81 a1 61 05", "2038-12-01T17:23:17Z"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			wire := unhex(t, "81 a2 41 74"+tt.wire)
			var got event
			if err := hubprotocol.MessagePack.ParseValue(wire, &got); err != nil {
				t.Fatal(err)
			}
			if text := got.At.UTC().Format(time.RFC3339Nano); text != tt.want {
				t.Errorf("time = %s, want %s", text, tt.want)
			}
			again, err := hubprotocol.MessagePack.AppendValue(nil, got)
			if err != nil || !bytes.Equal(again, wire) {
				t.Errorf("AppendValue = % x, %v, want % x", again, err, wire)
			}
		})
	}
}

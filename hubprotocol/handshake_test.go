package hubprotocol_test

import (
	"errors"
	"strings"
	"testing"

	"switchboard/hubprotocol"
)

func TestHandshakeRequest(t *testing.T) {
	tests := []struct {
		name, wire string
		want       hubprotocol.HandshakeRequest
	}{
		{"as clients write it", `{"protocol":"json","version":1}`, hubprotocol.HandshakeRequest{Protocol: "json", Version: 1}},
		{"stateful reconnect", `{"protocol":"messagepack","version":2}`, hubprotocol.HandshakeRequest{Protocol: "messagepack", Version: 2}},
		{"any order, unknown properties", ` {"x":[{"version":7}], "version" : -1, "protocol":"\u006ason"} `, hubprotocol.HandshakeRequest{Protocol: "json", Version: -1}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			wire := []byte(tt.wire + "\x1e")
			got, rest, err := hubprotocol.ParseHandshakeRequest(append(wire, "{\"type\":6}\x1e"...))
			if got != tt.want || string(rest) != "{\"type\":6}\x1e" || err != nil {
				t.Errorf("ParseHandshakeRequest = %+v, %q, %v, want %+v and a ping", got, rest, err, tt.want)
			}
			if again, _, err := hubprotocol.ParseHandshakeRequest(got.Append(nil)); again != got || err != nil {
				t.Errorf("ParseHandshakeRequest(Append) = %+v, %v, want %+v", again, err, got)
			}
			for n := range wire {
				if _, _, err := hubprotocol.ParseHandshakeRequest(wire[:n]); !errors.Is(err, hubprotocol.ErrIncomplete) {
					t.Errorf("ParseHandshakeRequest(first %d bytes) gives error %v, want ErrIncomplete", n, err)
				}
			}
		})
	}
}

func TestHandshakeRequestIsWrittenAsClientsDo(t *testing.T) {
	got := hubprotocol.HandshakeRequest{Protocol: "json", Version: 1}.Append(nil)
	if want := `{"protocol":"json","version":1}` + "\x1e"; string(got) != want {
		t.Errorf("Append = %q, want %q", got, want)
	}
}

func TestHandshakeRequestRefuses(t *testing.T) {
	tests := []struct{ name, wire, reason string }{
		{"nothing", ``, "invalid JSON"},
		{"array", `[]`, "invalid JSON"},
		{"broken", `{"protocol":"json","version":1`, "invalid JSON"},
		{"broken UTF-8", "{\"protocol\":\"\xff\",\"version\":1}", "invalid UTF-8"},
		{"protocol is missing", `{"version":1}`, "protocol: not a string"},
		{"protocol is null", `{"protocol":null,"version":1}`, "protocol: not a string"},
		{"version is missing", `{"protocol":"json"}`, "version: not an integer"},
		{"version is a string", `{"protocol":"json","version":"1"}`, "version: not an integer"},
		{"version has a fraction", `{"protocol":"json","version":1.0}`, "version: not an integer"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, rest, err := hubprotocol.ParseHandshakeRequest([]byte(tt.wire + "\x1e"))
			if err == nil || !strings.Contains(err.Error(), tt.reason) || rest != nil {
				t.Errorf("ParseHandshakeRequest = %+v, %q, %v, want %q", r, rest, err, tt.reason)
			}
		})
	}
}

func TestHandshakeResponse(t *testing.T) {
	tests := []struct{ wire, reason string }{
		{`{}`, ""},
		{`{"error":"The protocol 'x' is not supported."}`, "The protocol 'x' is not supported."},
	}
	for _, tt := range tests {
		wire := tt.wire + "\x1e"
		want := hubprotocol.HandshakeResponse{Error: tt.reason}
		if got := want.Append(nil); string(got) != wire {
			t.Errorf("Append(%+v) = %q, want %q", want, got, wire)
		}
		got, rest, err := hubprotocol.ParseHandshakeResponse([]byte(wire + "rest"))
		if got != want || string(rest) != "rest" || err != nil {
			t.Errorf("ParseHandshakeResponse(%q) = %+v, %q, %v, want %+v", wire, got, rest, err, want)
		}
		for n := range wire {
			if _, _, err := hubprotocol.ParseHandshakeResponse([]byte(wire[:n])); !errors.Is(err, hubprotocol.ErrIncomplete) {
				t.Errorf("ParseHandshakeResponse(first %d bytes) gives error %v, want ErrIncomplete", n, err)
			}
		}
	}
}

func TestHandshakeResponseToleratesDraftProperties(t *testing.T) {
	got, _, err := hubprotocol.ParseHandshakeResponse([]byte(`{"minorVersion":0,"error":null}` + "\x1e"))
	if got.Error != "" || err != nil {
		t.Errorf("ParseHandshakeResponse = %+v, %v, want success", got, err)
	}
}

func TestHandshakeResponseRefuses(t *testing.T) {
	tests := []struct{ name, wire, reason string }{
		{"broken", `{`, "invalid JSON"},
		{"error is a number", `{"error":5}`, "error: not a string"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, _, err := hubprotocol.ParseHandshakeResponse([]byte(tt.wire + "\x1e"))
			if err == nil || !strings.Contains(err.Error(), tt.reason) {
				t.Errorf("ParseHandshakeResponse gives error %v, want %q", err, tt.reason)
			}
		})
	}
}

package aspnetprotocol_test

import (
	"encoding/json"
	"strings"
	"testing"

	"switchboard/aspnetprotocol"
)

func TestParseInvocation(t *testing.T) {
	tests := []struct{ text, again string }{
		{`{"H":"chat","M":"send","A":["a",{"b":1}],"I":0}`, `{"H":"chat","M":"send","A":["a",{"b":1}],"I":"0"}`},
		{`{"I":"7","H":"Chat","M":"Send","A":[],"S":{"b":1,"a":{"x":null}}}`, `{"H":"Chat","M":"Send","A":[],"I":"7","S":{"b":1,"a":{"x":null}}}`},
		{`{"H":"chat","M":"none"}`, `{"H":"chat","M":"none","A":[]}`},
		{`{"H":"chat","M":"none","A":null,"I":null,"S":null,"X":[1]}`, `{"H":"chat","M":"none","A":[]}`},
		{`{"H":"<c>","M":"é","A":["é"],"I":1.5}`, `{"H":"<c>","M":"é","A":["é"],"I":"1.5"}`},
	}
	for _, tt := range tests {
		m, err := aspnetprotocol.ParseInvocation([]byte(tt.text))
		if err != nil {
			t.Errorf("%s: %v", tt.text, err)
			continue
		}
		if got := string(m.Append(nil)); got != tt.again {
			t.Errorf("%s: %s, want %s", tt.text, got, tt.again)
		}
	}
}

func TestParseInvocationRefuses(t *testing.T) {
	deep := strings.Repeat("[", 20) + strings.Repeat("]", 20)
	for text, want := range map[string]string{
		"":                                   "invocation: ",
		"null":                               "H and M are required",
		`{"M":"x"}`:                          "H and M are required",
		`{"H":"x"}`:                          "H and M are required",
		`{"H":"x","M":"y","A":1}`:            "invocation: ",
		`{"H":"x","M":"y","I":{}}`:           "I is neither",
		`{"H":"x","M":"y","I":true}`:         "I is neither",
		`{"H":"x","M":"y","S":[]}`:           "the state S is no object",
		`{"H":"x","M":"y","A":` + deep + `}`: "deeper than 20",
		`{"H":"x","M":"y","S":{"a":"` + strings.Repeat("x", 4096) + `"}}`: "State has exceeded the maximum length of 4096 bytes.",
	} {
		if _, err := aspnetprotocol.ParseInvocation([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60s: %v, want %q", text, err, want)
		}
	}
	for _, text := range []string{
		`{"H":"x","M":"y","A":` + deep[1:39] + `}`,
		`{"H":"x","M":"y","A":["` + deep + `"]}`,
		`{"H":"x","M":"y","S":{"a":"` + strings.Repeat("é", 4000) + `"}}`, // characters count, not bytes
	} {
		if _, err := aspnetprotocol.ParseInvocation([]byte(text)); err != nil {
			t.Errorf("%.60s: %v", text, err)
		}
	}
}

// The answers of the vectors, from what the hub makes of the calls.
func TestResult(t *testing.T) {
	raw := func(s string) json.RawMessage { return json.RawMessage(s) }
	made := []*aspnetprotocol.Result{
		{Value: raw("7")},
		{Value: raw("null")},
		{Error: "There was an error invoking Hub method 'chat.nope'."},
		{Error: "'nope' method could not be resolved. No method found with that name."},
		{Exception: true, Error: "message", Data: raw(`"errorData"`)},
		{State: []aspnetprotocol.Member{{Name: "name", Value: raw(`"x"`)}}},
		nil,
	}
	cases := load(t).HubInvocations.Cases
	if len(cases) != len(made) {
		t.Fatalf("%d vectors, want %d", len(cases), len(made))
	}
	for i, c := range cases {
		m, err := aspnetprotocol.ParseInvocation([]byte(c.In))
		if err != nil {
			t.Errorf("%s: %v", c.In, err)
			continue
		}
		if c.Out == nil {
			continue
		}
		made[i].ID, made[i].HasID = m.ID, m.HasID
		if got := string(made[i].Append(nil)); got != *c.Out {
			t.Errorf("%s, want %s", got, *c.Out)
		}
	}
	if got, want := string((&aspnetprotocol.Result{Data: raw("1")}).Append(nil)), `{"I":null}`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestCallAndProgress(t *testing.T) {
	state := []aspnetprotocol.Member{{Name: "n", Value: json.RawMessage("1")}}
	call := aspnetprotocol.Call{Hub: "Chat", Method: "hello", Arguments: []json.RawMessage{json.RawMessage(`"hi"`), json.RawMessage("2")}, State: state}
	if got, want := string(call.Append(nil)), `{"H":"Chat","M":"hello","A":["hi",2],"S":{"n":1}}`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got, want := string(aspnetprotocol.AppendProgress(nil, "1", json.RawMessage("50"), nil)), `{"I":"P|1","P":{"I":"1","D":50}}`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got, want := string(aspnetprotocol.AppendProgress(nil, "1", json.RawMessage("50"), state)), `{"S":{"n":1},"I":"P|1","P":{"I":"1","D":50}}`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// What is read is the same when it is written and read again.
func FuzzInvocation(f *testing.F) {
	for _, c := range load(f).HubInvocations.Cases {
		f.Add([]byte(c.In))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		m, err := aspnetprotocol.ParseInvocation(text)
		if err != nil {
			return
		}
		written := m.Append(nil)
		again, err := aspnetprotocol.ParseInvocation(written)
		if err != nil {
			t.Fatalf("%q, written %q: %v", text, written, err)
		}
		if got := again.Append(nil); string(got) != string(written) {
			t.Errorf("%q, written %q, then %q", text, written, got)
		}
	})
}

// The two ways to read an envelope agree, and what they find is JSON if all of it is.
func FuzzText(f *testing.F) {
	for _, c := range load(f).Deliver.Cases {
		for _, in := range c.In {
			f.Add([]byte(in))
		}
	}
	f.Add([]byte(`{"C":"0","M":["\\"],"X":["]}"]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		got, err := aspnetprotocol.ParseText(text)
		if err != nil {
			if json.Valid(text) && len(text) > 0 && text[0] == '{' && !strings.Contains(string(text), `"M"`) {
				t.Errorf("%q: %v", text, err)
			}
			return
		}
		if json.Valid(text) && !json.Valid(aspnetprotocol.Envelope{Cursor: "1"}.Append(nil, got.Messages)) && len(got.Messages) > 0 {
			t.Errorf("%q has messages %q", text, got.Messages)
		}
	})
}

func FuzzUnwrap(f *testing.F) {
	f.Add(aspnetprotocol.AppendWrapped(nil, []byte(`{"R":1,"I":"0"}`)))
	f.Add([]byte(`{"R":1,"I":"0"}`))
	f.Fuzz(func(t *testing.T, payload []byte) {
		n := 0
		_ = aspnetprotocol.Unwrap(payload, func(text []byte) error {
			n += len(text)
			return nil
		})
		if n > len(payload) {
			t.Errorf("%d bytes in a payload of %d", n, len(payload))
		}
	})
}

func FuzzHubs(f *testing.F) {
	f.Add(`[{"name":"chat"},{"Name":"Other"}]`)
	f.Fuzz(func(t *testing.T, text string) {
		hubs, err := aspnetprotocol.ParseHubs(text)
		for _, h := range hubs {
			if err != nil || h == "" {
				t.Errorf("%q: %q, %v", text, hubs, err)
			}
		}
	})
}

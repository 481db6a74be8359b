package serviceprotocol_test

import (
	"reflect"
	"testing"

	sp "switchboard/serviceprotocol"
)

func TestPingGet(t *testing.T) {
	ping := &sp.Ping{Messages: []string{"status", "1", "servers", "", "status", "0", "odd"}}
	for _, test := range []struct {
		key, value string
		ok         bool
	}{
		{"status", "1", true},
		{"servers", "", true},
		{"1", "", false},   // a value, not a key
		{"odd", "", false}, // a key without a value
		{"Status", "", false},
	} {
		if value, ok := ping.Get(test.key); value != test.value || ok != test.ok {
			t.Errorf("Get(%q) = %q, %v; want %q, %v", test.key, value, ok, test.value, test.ok)
		}
	}
}

func TestHeaders(t *testing.T) {
	var h sp.Headers
	h.Add("Accept", "a")
	h.Add("Cookie", "c")
	h.Add("ACCEPT", "b")
	want := sp.Headers{{Name: "Accept", Values: []string{"a", "b"}}, {Name: "Cookie", Values: []string{"c"}}}
	if !reflect.DeepEqual(h, want) {
		t.Errorf("after Add: %v, want %v", h, want)
	}
	h = append(h, sp.Header{Name: "Empty"})
	for name, want := range map[string]string{"accept": "a", "cookie": "c", "Empty": "", "Missing": ""} {
		if got := h.Get(name); got != want {
			t.Errorf("Get(%q) = %q, want %q", name, got, want)
		}
	}
}

func TestPayloadsGet(t *testing.T) {
	p := sp.Payloads{{Protocol: "JSON", Data: []byte("j")}, {Protocol: "messagepack"}}
	for _, test := range []struct {
		protocol, data string
		ok             bool
	}{{"json", "j", true}, {"JSON", "j", true}, {"MessagePack", "", true}, {"blazorpack", "", false}} {
		if data, ok := p.Get(test.protocol); string(data) != test.data || ok != test.ok {
			t.Errorf("Get(%q) = %q, %v; want %q, %v", test.protocol, data, ok, test.data, test.ok)
		}
	}
	if n := testing.AllocsPerRun(100, func() { p.Get("MessagePack") }); n != 0 {
		t.Errorf("Get allocates %v times", n)
	}
}

// The doc comment of Parse warns of it, and callers count on no copies.
func TestParseAliasesBody(t *testing.T) {
	body := (&sp.ConnectionData{ConnectionID: "conn", Payload: []byte("data")}).Append(nil)
	m, err := sp.Parse(body)
	if err != nil {
		t.Fatal(err)
	}
	for i := range body {
		body[i] = 'x'
	}
	data := m.(*sp.ConnectionData)
	if data.ConnectionID != "xxxx" || string(data.Payload) != "xxxx" {
		t.Errorf("after overwriting the body: %q, %q; want both overwritten", data.ConnectionID, data.Payload)
	}
}

func TestParserReusesItsMessages(t *testing.T) {
	var p sp.Parser
	first, err := p.Parse((&sp.UserData{UserID: "u1", Payloads: sp.Payloads{{Protocol: "json"}}}).Append(nil))
	if err != nil {
		t.Fatal(err)
	}
	second, err := p.Parse((&sp.UserData{UserID: "u2"}).Append(nil))
	if err != nil || first != second {
		t.Errorf("two messages at %p and %p, %v; want the same", first, second, err)
	}
	third, err := p.Parse((&sp.Ping{}).Append(nil))
	if fourth, err4 := p.Parse((&sp.Ping{}).Append(nil)); err != nil || err4 != nil || third == fourth {
		t.Errorf("two pings at %p and %p, %v, %v; want different ones", third, fourth, err, err4)
	}
}

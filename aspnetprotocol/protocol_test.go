package aspnetprotocol_test

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"switchboard/aspnetprotocol"
)

// vectors are testdata/vectors.json.
type vectors struct {
	Clamp struct {
		Cases [][2]*string
	} `json:"protocol_version_clamp"`
	RedirectQuery struct {
		Cases []struct {
			Path, Query, ID string
			Want            string `json:"redirect_query"`
		}
	} `json:"redirect_query"`
	ConnectionData struct {
		Cases []struct {
			Text  *string
			Hubs  []string
			Error string
		}
	} `json:"connection_data"`
	Unwrap struct {
		Cases []struct {
			Payload string `json:"payload_hex"`
			Texts   []string
		}
	}
	Deliver struct {
		Cases []struct {
			In, WebSockets, LongPolling []string
		}
	}
	HubInvocations struct {
		Cases []struct {
			In  string
			Out *string
		}
	} `json:"hub_invocations"`
	Negotiations []struct {
		Name     string
		Response struct{ Body string }
	} `json:"negotiate"`
}

func load(t testing.TB) (v vectors) {
	t.Helper()
	text, err := os.ReadFile("testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func TestProtocolVersion(t *testing.T) {
	for _, c := range load(t).Clamp.Cases {
		if got := aspnetprotocol.ProtocolVersion(deref(c[0])); got != *c[1] {
			t.Errorf("client %q is answered %s, want %s", deref(c[0]), got, *c[1])
		}
	}
	for in, want := range map[string]string{"2.0.0": "2.0", "1.2.-1": "1.2", "1.5.1.2.3": "1.2", "01.5": "1.5", "1.99999999999": "1.2", "1.4.3.2": "1.4.3.2"} {
		if got := aspnetprotocol.ProtocolVersion(in); got != want {
			t.Errorf("client %q is answered %s, want %s", in, got, want)
		}
	}
}

func TestRedirectQuery(t *testing.T) {
	for _, c := range load(t).RedirectQuery.Cases {
		path := strings.TrimSuffix(c.Path, "/negotiate")
		if got := aspnetprotocol.RedirectQuery(path, strings.TrimPrefix(c.Query, "?"), c.ID); got != c.Want {
			t.Errorf("%s%s: %q, want %q", c.Path, c.Query, got, c.Want)
		}
	}
	got := aspnetprotocol.RedirectQuery("/a b", "&&x=%zz+y&clientProtocol=2.1&_=1", "r")
	if want := "?x=%25zz%2By&_=1&asrs_request_id=r&asrs.op=%2Fa+b"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestHubs(t *testing.T) {
	for _, c := range load(t).ConnectionData.Cases {
		got, err := aspnetprotocol.ParseHubs(deref(c.Text))
		if (err != nil) != (c.Error != "") || c.Error == "" && !slices.Equal(got, c.Hubs) {
			t.Errorf("%q: %v, %v; want %v, %q", deref(c.Text), got, err, c.Hubs, c.Error)
		}
	}
	for _, wrong := range []string{"{", "{}", `[{"name":""}]`, `[1]`, `[{}]`, "x"} {
		if hubs, err := aspnetprotocol.ParseHubs(wrong); err == nil {
			t.Errorf("%q: %v, want an error", wrong, hubs)
		}
	}
}

func TestGroups(t *testing.T) {
	if got := aspnetprotocol.GroupName("Chat", "room.1"); got != "hg-Chat.room.1" {
		t.Error(got)
	}
	for name, want := range map[string]bool{
		"hg-Chat.room": true, "hg-CHAT.room": true, "hg-Chat.": true, "hg-My.Hub.room": true, "plain": true,
		"hg-Chatty.room": false, "hg-Other.room": false, "hg-Chat": false,
	} {
		if got := aspnetprotocol.GroupIsOf(name, []string{"chat", "my.hub"}); got != want {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
}

func unwrap(t *testing.T, payload []byte) (texts []string) {
	t.Helper()
	err := aspnetprotocol.Unwrap(payload, func(text []byte) error {
		texts = append(texts, string(text))
		return nil
	})
	if err != nil {
		t.Errorf("%x: %v", payload, err)
	}
	return texts
}

func TestUnwrap(t *testing.T) {
	for _, c := range load(t).Unwrap.Cases {
		payload, err := hex.DecodeString(c.Payload)
		if err != nil {
			t.Fatal(err)
		}
		if got := unwrap(t, payload); !slices.Equal(got, c.Texts) {
			t.Errorf("%s: %q, want %q", c.Payload, got, c.Texts)
		}
	}
	for n := range 300 { // a frame of any size; that of 123 bytes begins as a text does
		text := `{"R":"` + strings.Repeat("x", n) + `"}`
		if got := unwrap(t, aspnetprotocol.AppendWrapped(nil, []byte(text))); len(got) != 1 || got[0] != text {
			t.Fatalf("%d: %q", n, got)
		}
	}
	whole := aspnetprotocol.AppendWrapped(nil, []byte(`{}`))
	for name, wrong := range map[string][]byte{
		"half a frame": whole[:4], "something behind": append(slices.Clone(whole), 5), "another message": {1, 0x91, 3}, "no message": {2, 0xc0, 0xc0},
		"no length": {0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
	} {
		if err := aspnetprotocol.Unwrap(wrong, func([]byte) error { return nil }); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// What goes to clients is what app servers send, with the service's own cursor.
func TestDeliver(t *testing.T) {
	for _, c := range load(t).Deliver.Cases {
		var pending [][]byte
		var direct []string
		for _, in := range c.In {
			text, err := aspnetprotocol.ParseText([]byte(in))
			if err != nil {
				t.Fatal(err)
			}
			pending = append(pending, text.Messages)
			if text.Bare {
				direct = append(direct, in)
			} else {
				direct = append(direct, string(aspnetprotocol.Envelope{Cursor: "s-2"}.Append(nil, text.Messages)))
			}
		}
		if !slices.Equal(direct, c.WebSockets) {
			t.Errorf("over a WebSocket: %q, want %q", direct, c.WebSockets)
		}
		if got := string(aspnetprotocol.Envelope{Cursor: "s-2"}.Append(nil, pending...)); got != c.LongPolling[0] {
			t.Errorf("in a poll: %s, want %s", got, c.LongPolling[0])
		}
	}
}

func TestParseText(t *testing.T) {
	tests := []struct {
		text, messages string
		bare           bool
	}{
		{`{"C":"0","M":[]}`, "", false},
		{`{"C":"0","M":[{"A":["]}","\"]"]},2]}`, `{"A":["]}","\"]"]},2`, false},
		{` { "M" : [ 1 , 2 ] , "C" : "7" } `, "1 , 2", false},
		{`{"C":"0","M":[1],"X":[2]}`, "1", false},
		{`{"C":"0","M":["\\"],"X":["]}"]}`, `"\\"`, false},
		{`{"I":"1","R":{"M":[1]}}`, `{"I":"1","R":{"M":[1]}}`, true},
		{`{"H":"Chat","M":"hi","A":[]}`, `{"H":"Chat","M":"hi","A":[]}`, true},
		{`{}`, `{}`, true},
	}
	for _, tt := range tests {
		got, err := aspnetprotocol.ParseText([]byte(tt.text))
		if err != nil || string(got.Messages) != tt.messages || got.Bare != tt.bare {
			t.Errorf("%s: %q %v, %v", tt.text, got.Messages, got.Bare, err)
		}
	}
	for _, wrong := range []string{``, `[]`, `null`, `"x"`, `{"C":"0","M":[}`, `{"C":"0","M":["]}`, `{"C":"0","M":1}`, `{"C":"0","M":[]]}`} {
		if got, err := aspnetprotocol.ParseText([]byte(wrong)); err == nil {
			t.Errorf("%s: %q, want an error", wrong, got.Messages)
		}
	}
}

func TestEnvelope(t *testing.T) {
	for want, e := range map[string]aspnetprotocol.Envelope{
		`{"C":"a\"b","S":1,"M":[]}`:       {Cursor: `a"b`, Initialized: true},
		`{"C":"1","T":1,"L":2000,"M":[]}`: {Cursor: "1", Reconnect: true, PollDelay: 2000},
	} {
		if got := string(e.Append(nil)); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	if got, want := string(aspnetprotocol.AppendError(nil, "<no>")), `{"E":"<no>"}`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestNegotiation(t *testing.T) {
	n := aspnetprotocol.Negotiation{
		URL: "/aspnetclient", ConnectionToken: "t", ConnectionID: "i", KeepAliveTimeout: 20, DisconnectTimeout: 30, ConnectionTimeout: 110,
		TransportConnectTimeout: 5, LongPollDelay: 0.25, TryWebSockets: true, ProtocolVersion: "2.0",
	}
	want := `{"Url":"/aspnetclient","ConnectionToken":"t","ConnectionId":"i","KeepAliveTimeout":20.0,"DisconnectTimeout":30.0,"ConnectionTimeout":110.0,` +
		`"TryWebSockets":true,"ProtocolVersion":"2.0","TransportConnectTimeout":5.0,"LongPollDelay":0.25}`
	if got := string(n.Append(nil)); got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
	if got := string(aspnetprotocol.Negotiation{}.Append(nil)); !strings.Contains(got, `"KeepAliveTimeout":null`) {
		t.Error(got)
	}
	if got, want := string(aspnetprotocol.AppendRedirect(nil, "https://x/aspnetclient?a=1&b=2", "jwt")),
		`{"ProtocolVersion":"2.0","RedirectUrl":"https://x/aspnetclient?a=1&b=2","AccessToken":"jwt","TryWebSockets":true}`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

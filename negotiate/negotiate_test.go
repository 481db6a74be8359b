package negotiate_test

import (
	"encoding/json"
	"errors"
	"net/url"
	"reflect"
	"strings"
	"testing"

	"switchboard/negotiate"
)

func TestPath(t *testing.T) {
	tests := map[string]string{
		"/chat":    "/chat/negotiate",
		"/client/": "/client/negotiate",
		"/":        "/negotiate",
		"":         "/negotiate",
		"/a/b":     "/a/b/negotiate",
	}
	for path, want := range tests {
		if got := negotiate.Path(path); got != want {
			t.Errorf("Path(%q) = %q, want %q", path, got, want)
		}
	}
}

func TestParseVersion(t *testing.T) {
	const notInteger = "The client requested a non-integer protocol version."
	tests := []struct {
		query  string
		want   int
		reason string
	}{
		{"", 0, ""},
		{"hub=chat", 0, ""},
		{"negotiateVersion=0", 0, ""},
		{"negotiateVersion=1", 1, ""},
		{"NEGOTIATEversion=1", 1, ""},
		{"negotiateVersion=%201%20", 1, ""},
		{"negotiateVersion=2", 1, ""},
		{"negotiateVersion=1&negotiateVersion=x", 1, ""},
		{"negotiateVersion=", 0, notInteger},
		{"negotiateVersion=one", 0, notInteger},
		{"negotiateVersion=1.0", 0, notInteger},
		{"negotiateVersion=99999999999", 0, notInteger},
		{"negotiateVersion=-1", 0, "The client requested version '-1', but the server does not support this version."},
	}
	for _, tt := range tests {
		q, err := url.ParseQuery(tt.query)
		if err != nil {
			t.Fatal(err)
		}
		got, err := negotiate.ParseVersion(q)
		var versionError *negotiate.VersionError
		reason := ""
		if errors.As(err, &versionError) {
			reason = versionError.Reason
		}
		if got != tt.want || reason != tt.reason || (err != nil) != (tt.reason != "") {
			t.Errorf("ParseVersion(%s) = %d, %v, want %d, %q", tt.query, got, err, tt.want, tt.reason)
		}
	}
}

// vectors are written as dotnet/aspnetcore NegotiateProtocol.cs, WriteResponse does.
var vectors = []struct {
	name   string
	answer json.Marshaler
	wire   string
	want   negotiate.Response
}{
	{
		"version 1",
		negotiate.Answer{Version: 1, ConnectionID: "id", ConnectionToken: "token", Transports: negotiate.All},
		`{"negotiateVersion":1,"connectionId":"id","connectionToken":"token","availableTransports":[{"transport":"WebSockets","transferFormats":["Text","Binary"]},{"transport":"ServerSentEvents","transferFormats":["Text"]},{"transport":"LongPolling","transferFormats":["Text","Binary"]}]}`,
		negotiate.Response{Version: 1, ConnectionID: "id", ConnectionToken: "token", Offers: []negotiate.Offer{
			{Transport: negotiate.WebSockets, Text: true, Binary: true},
			{Transport: negotiate.ServerSentEvents, Text: true},
			{Transport: negotiate.LongPolling, Text: true, Binary: true},
		}},
	},
	{
		"version 0 has no token",
		negotiate.Answer{ConnectionID: "id", ConnectionToken: "token", Transports: negotiate.LongPolling},
		`{"negotiateVersion":0,"connectionId":"id","availableTransports":[{"transport":"LongPolling","transferFormats":["Text","Binary"]}]}`,
		negotiate.Response{ConnectionID: "id", Offers: []negotiate.Offer{{Transport: negotiate.LongPolling, Text: true, Binary: true}}},
	},
	{
		"stateful reconnect",
		negotiate.Answer{Version: 1, ConnectionID: "id", ConnectionToken: "token", Transports: negotiate.WebSockets, UseStatefulReconnect: true},
		`{"useStatefulReconnect":true,"negotiateVersion":1,"connectionId":"id","connectionToken":"token","availableTransports":[{"transport":"WebSockets","transferFormats":["Text","Binary"]}]}`,
		negotiate.Response{Version: 1, ConnectionID: "id", ConnectionToken: "token", UseStatefulReconnect: true, Offers: []negotiate.Offer{{Transport: negotiate.WebSockets, Text: true, Binary: true}}},
	},
	{
		"redirect",
		negotiate.Redirect{URL: "https://x/client/?hub=chat&asrs.op=%2Fchat", AccessToken: "t.t.t"},
		`{"negotiateVersion":0,"url":"https://x/client/?hub=chat&asrs.op=%2Fchat","accessToken":"t.t.t","availableTransports":[]}`,
		negotiate.Response{URL: "https://x/client/?hub=chat&asrs.op=%2Fchat", AccessToken: "t.t.t"},
	},
	{
		"redirect without token",
		negotiate.Redirect{URL: "https://x/"},
		`{"negotiateVersion":0,"url":"https://x/","availableTransports":[]}`,
		negotiate.Response{URL: "https://x/"},
	},
	{
		"refusal",
		negotiate.Refusal{Error: "no <entry>"},
		`{"error":"no <entry>"}`,
		negotiate.Response{Error: "no <entry>"},
	},
}

func TestAnswers(t *testing.T) {
	for _, v := range vectors {
		t.Run(v.name, func(t *testing.T) {
			got, err := v.answer.MarshalJSON()
			if string(got) != v.wire || err != nil {
				t.Errorf("MarshalJSON = %s, %v, want %s", got, err, v.wire)
			}
			r, err := negotiate.ParseAnswer([]byte(v.wire))
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(*r, v.want) {
				t.Errorf("ParseAnswer = %+v, want %+v", *r, v.want)
			}
			for n := range v.wire {
				if r, err := negotiate.ParseAnswer([]byte(v.wire[:n])); err == nil {
					t.Errorf("ParseAnswer(first %d bytes) = %+v, want an error", n, r)
				}
			}
		})
	}
}

func TestParseAnswerTolerates(t *testing.T) {
	tests := []struct {
		name, wire string
		want       negotiate.Response
	}{
		{
			"unknown fields and transports, any order of transports",
			`{"x":{"y":[1]},"connectionId":"id","availableTransports":[{"transport":"Carrier","transferFormats":["Text"]},{"transport":"LongPolling","transferFormats":["Text","Smoke"],"z":1},{"transport":"WebSockets","transferFormats":["Binary"]}]}`,
			negotiate.Response{ConnectionID: "id", Offers: []negotiate.Offer{
				{Transport: negotiate.LongPolling, Text: true}, {Transport: negotiate.WebSockets, Binary: true},
			}},
		},
		{
			"null for what is not used",
			`{"connectionId":null,"availableTransports":null,"url":"https://x/","accessToken":null,"error":null}`,
			negotiate.Response{URL: "https://x/"},
		},
		{
			"redirect without transports",
			`{"url":"https://x/","accessToken":"t"}`,
			negotiate.Response{URL: "https://x/", AccessToken: "t"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := negotiate.ParseAnswer([]byte(tt.wire))
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(*got, tt.want) {
				t.Errorf("ParseAnswer = %+v, want %+v", *got, tt.want)
			}
		})
	}
}

func TestParseAnswerRefuses(t *testing.T) {
	tests := []struct{ name, wire, reason string }{
		{"no object", `[]`, "cannot unmarshal"},
		{"nothing to connect with", `{}`, "connectionId is missing"},
		{"version 1 without token", `{"negotiateVersion":1,"connectionId":"id","availableTransports":[]}`, "connectionToken is missing"},
		{"no transports", `{"connectionId":"id"}`, "availableTransports is missing"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, err := negotiate.ParseAnswer([]byte(tt.wire))
			if err == nil || !strings.Contains(err.Error(), tt.reason) {
				t.Errorf("ParseAnswer = %+v, %v, want %q", r, err, tt.reason)
			}
		})
	}
}

func TestParseAnswerKnowsTheOldServer(t *testing.T) {
	wire := `{"Url":"/signalr","ConnectionToken":"t","ConnectionId":"id","ProtocolVersion":"1.5"}`
	if r, err := negotiate.ParseAnswer([]byte(wire)); !errors.Is(err, negotiate.ErrOldServer) {
		t.Errorf("ParseAnswer = %+v, %v, want ErrOldServer", r, err)
	}
}

// T39: the Java client throws on null for any string field it knows.
func TestTrapT39NoNull(t *testing.T) {
	for _, answer := range []json.Marshaler{negotiate.Answer{}, negotiate.Redirect{}, negotiate.Refusal{}} {
		b, err := answer.MarshalJSON()
		if err != nil || strings.Contains(string(b), "null") {
			t.Errorf("MarshalJSON(%T) = %s, %v, want no null", answer, b, err)
		}
	}
}

func TestTransportString(t *testing.T) {
	tests := map[negotiate.Transport]string{
		negotiate.WebSockets:       "WebSockets",
		negotiate.ServerSentEvents: "ServerSentEvents",
		negotiate.LongPolling:      "LongPolling",
		negotiate.All:              "WebSockets|ServerSentEvents|LongPolling",
		0:                          "none",
	}
	for transport, want := range tests {
		if got := transport.String(); got != want {
			t.Errorf("Transport(%d).String() = %q, want %q", int(transport), got, want)
		}
	}
}

func FuzzParseAnswer(f *testing.F) {
	for _, v := range vectors {
		f.Add([]byte(v.wire))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := negotiate.ParseAnswer(b)
		if (r == nil) == (err == nil) {
			t.Fatalf("ParseAnswer = %+v, %v, want just one of them", r, err)
		}
		if err == nil && r.Error == "" && r.URL == "" && r.ConnectionID == "" {
			t.Errorf("ParseAnswer = %+v, want a way to go on", r)
		}
	})
}

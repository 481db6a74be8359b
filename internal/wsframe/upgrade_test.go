package wsframe_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	ws "switchboard/internal/wsframe"
)

// upgrade is the request of RFC 6455 section 1.3, with fields changed: an empty
// value leaves the field out.
func upgrade(changes ...string) *http.Request {
	r := &http.Request{Method: http.MethodGet, ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{
		"Connection":            {"Upgrade"},
		"Upgrade":               {"websocket"},
		"Sec-Websocket-Version": {"13"},
		"Sec-Websocket-Key":     {"dGhlIHNhbXBsZSBub25jZQ=="},
	}}
	for i := 0; i+1 < len(changes); i += 2 {
		if r.Header.Del(changes[i]); changes[i+1] != "" {
			r.Header[changes[i]] = strings.Split(changes[i+1], "|")
		}
	}
	return r
}

func TestAcceptAnswersAsTheRFCSays(t *testing.T) {
	want := "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
	tests := map[string]*http.Request{
		"as in the RFC":  upgrade(),
		"many tokens":    upgrade("Connection", "keep-alive, Upgrade", "Upgrade", "h2c\t,\tWebSocket"),
		"many lines":     upgrade("Connection", "keep-alive|UPGRADE", "Upgrade", "h2c|WEBSOCKET"),
		"offered extras": upgrade("Sec-Websocket-Extensions", "permessage-deflate", "Sec-Websocket-Protocol", "a, b"),
		"later version":  {Method: http.MethodGet, ProtoMajor: 1, ProtoMinor: 2, Header: upgrade().Header},
	}
	for name, r := range tests {
		if got, err := ws.Accept(r, ""); err != nil || string(got) != want {
			t.Errorf("%s: Accept = %q, %v, want %q", name, got, err, want)
		}
	}
}

func TestAcceptRefuses(t *testing.T) {
	tests := []struct {
		name   string
		r      *http.Request
		status int
		field  string // that the answer has
	}{
		{"other method", &http.Request{Method: http.MethodPost, ProtoMajor: 1, ProtoMinor: 1, Header: upgrade().Header}, 405, "Allow: GET"},
		{"HTTP/1.0", &http.Request{Method: http.MethodGet, ProtoMajor: 1, Header: upgrade().Header}, 426, "Upgrade: websocket"},
		{"HTTP/2", &http.Request{Method: http.MethodGet, ProtoMajor: 2, Header: upgrade().Header}, 426, "Upgrade: websocket"},
		{"no Connection", upgrade("Connection", ""), 426, "Connection: Upgrade"},
		{"other Connection", upgrade("Connection", "keep-alive, upgraded"), 426, "Connection: Upgrade"},
		{"no Upgrade", upgrade("Upgrade", ""), 426, "Upgrade: websocket"},
		{"other Upgrade", upgrade("Upgrade", "h2c"), 426, "Upgrade: websocket"},
		{"no version", upgrade("Sec-Websocket-Version", ""), 426, "Sec-WebSocket-Version: 13"},
		{"other version", upgrade("Sec-Websocket-Version", "8"), 426, "Sec-WebSocket-Version: 13"},
		{"two versions", upgrade("Sec-Websocket-Version", "13|8"), 426, "Sec-WebSocket-Version: 13"},
		{"no key", upgrade("Sec-Websocket-Key", ""), 400, ""},
		{"two keys", upgrade("Sec-Websocket-Key", "dGhlIHNhbXBsZSBub25jZQ==|dGhlIHNhbXBsZSBub25jZQ=="), 400, ""},
		{"key of 15 bytes", upgrade("Sec-Websocket-Key", "dGhlIHNhbXBsZSBub25j"), 400, ""},
		{"key of 17 bytes", upgrade("Sec-Websocket-Key", "dGhlIHNhbXBsZSBub25jZWU="), 400, ""},
		{"key of 18 bytes", upgrade("Sec-Websocket-Key", "dGhlIHNhbXBsZSBub25jZWVl"), 400, ""},
		{"key filled up with line breaks", upgrade("Sec-Websocket-Key", "dGhlIHNhbXBsZSBub24=\n\n\n\n"), 400, ""},
		{"key not in base64", upgrade("Sec-Websocket-Key", "dGhlIHNhbXBsZSBub25jZQ*="), 400, ""},
	}
	for _, tt := range tests {
		response, err := ws.Accept(tt.r, "")
		refused, ok := errors.AsType[*ws.UpgradeError](err)
		if !ok || response != nil || refused.Status != tt.status || refused.Reason == "" {
			t.Errorf("%s: Accept = %q, %v, want status %d", tt.name, response, err, tt.status)
			continue
		}
		if name, value, _ := strings.Cut(tt.field, ": "); refused.Header.Get(name) != value {
			t.Errorf("%s: answer has headers %v, want %s", tt.name, refused.Header, tt.field)
		}
	}
}

func TestAcceptAllocatesItsAnswerOnly(t *testing.T) {
	r := upgrade("Connection", "keep-alive, Upgrade")
	if n := testing.AllocsPerRun(100, func() {
		if _, err := ws.Accept(r, ""); err != nil {
			t.Error(err)
		}
	}); n != 1 {
		t.Errorf("Accept allocates %v times, want once", n)
	}
}

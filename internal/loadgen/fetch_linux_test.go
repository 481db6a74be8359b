package loadgen

import (
	"strings"
	"testing"
)

var answers = map[string]struct {
	wire   string
	status int
	body   string
}{
	"with a length":   {"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello", 200, "hello"},
	"other letters":   {"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello", 200, "hello"},
	"in chunks":       {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n", 200, "hello"},
	"a refusal":       {"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n", 401, ""},
	"nothing to tell": {"HTTP/1.1 204 No Content\r\n\r\n", 204, ""},
}

func TestParseAnswer(t *testing.T) {
	for name, c := range answers {
		status, body, n, err := parseAnswer([]byte(c.wire + "HTTP/1.1 200"))
		if err != nil || status != c.status || string(body) != c.body || n != len(c.wire) {
			t.Errorf("%s: parseAnswer = %d, %q, %d, %v, want %d, %q, %d", name, status, body, n, err, c.status, c.body, len(c.wire))
		}
		for cut := range len(c.wire) {
			if _, _, n, err := parseAnswer([]byte(c.wire[:cut])); n != 0 || err != nil {
				t.Errorf("%s: parseAnswer(first %d bytes) = %d, %v, want more", name, cut, n, err)
			}
		}
	}
}

func TestParseAnswerRefuses(t *testing.T) {
	for name, wire := range map[string]string{
		"no HTTP":    "hello\r\n\r\n",
		"no length":  "HTTP/1.1 200 OK\r\n\r\nhello",
		"bad status": "HTTP/1.1 abc OK\r\nContent-Length: 0\r\n\r\n",
		"short":      "H\r\nContent-Length: 0\r\n\r\n",
	} {
		if status, _, n, err := parseAnswer([]byte(wire)); err == nil {
			t.Errorf("%s: parseAnswer = %d, %d, want an error", name, status, n)
		}
	}
}

func TestParseNegotiated(t *testing.T) {
	for name, c := range map[string]struct{ body, id, token string }{
		"version 1": {`{"negotiateVersion":1,"connectionId":"a","connectionToken":"b","availableTransports":[]}`, "a", "b"},
		"version 0": {`{"connectionId":"a","availableTransports":[]}`, "a", "a"},
		"escapes":   {`{"negotiateVersion":1,"connectionId":"a\u002b","connectionToken":"b","availableTransports":[]}`, "a+", "b"},
	} {
		id, token, err := parseNegotiated([]byte(c.body))
		if err != nil || id != c.id || token != c.token {
			t.Errorf("%s: parseNegotiated = %q, %q, %v, want %q, %q", name, id, token, err, c.id, c.token)
		}
	}
	for _, body := range []string{"", "{", `{"error":"no"}`} {
		if _, _, err := parseNegotiated([]byte(body)); err == nil {
			t.Errorf("parseNegotiated(%s) is no error", body)
		}
	}
}

func FuzzParseAnswer(f *testing.F) {
	for _, c := range answers {
		f.Add([]byte(c.wire))
	}
	f.Add([]byte("HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		_, body, n, err := parseAnswer(b)
		if err == nil && (n < 0 || n > len(b) || len(body) > len(b)) {
			t.Errorf("parseAnswer takes %d of %d bytes, with a body of %d", n, len(b), len(body))
		}
	})
}

func FuzzParseNegotiated(f *testing.F) {
	f.Add([]byte(`{"negotiateVersion":1,"connectionId":"a","connectionToken":"b"}`))
	f.Add([]byte(`{"error":"no"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		id, token, err := parseNegotiated(b)
		if err == nil && strings.Contains(id, `"`) && !strings.Contains(string(b), `\`) {
			t.Errorf("parseNegotiated(%q) = %q, %q", b, id, token)
		}
	})
}

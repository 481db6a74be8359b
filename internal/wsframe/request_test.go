package wsframe_test

import (
	"bufio"
	"bytes"
	"errors"
	"net/http"
	"strings"
	"testing"

	ws "switchboard/internal/wsframe"
)

var nonce = [16]byte([]byte("the sample nonce")) // of RFC 6455 section 1.3

const answer = "HTTP/1.1 101 Switching Protocols\r\nconnection: keep-alive, upgrade\r\nUPGRADE: WebSocket\r\n" +
	"Date: now\r\nSec-WebSocket-Accept:s3pPLMBiTxaQ9kYGzzhZRbK+xOo= \r\n\r\n"

func TestAppendRequest(t *testing.T) {
	extra := http.Header{"Authorization": {"Bearer x"}, "X-A": {"1", "2\r\nX-B: 3"}}
	got := ws.AppendRequest([]byte("before"), "example.org:8080", "/client/?hub=chat", extra, nonce)
	want := "beforeGET /client/?hub=chat HTTP/1.1\r\nHost: example.org:8080\r\n" +
		"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" +
		"Authorization: Bearer x\r\nX-A: 1\r\nX-A: 2  X-B: 3\r\n\r\n"
	if string(got) != want {
		t.Errorf("AppendRequest = %q, want %q", got, want)
	}
}

func TestRequestIsAccepted(t *testing.T) {
	b := ws.AppendRequest(nil, "example.org", "/", nil, nonce)
	r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(b)))
	if err != nil {
		t.Fatal(err)
	}
	response, err := ws.Accept(r, "")
	if err != nil {
		t.Fatal(err)
	}
	if n, err := ws.CheckResponse(response, nonce); n != len(response) || err != nil {
		t.Errorf("CheckResponse = %d, %v, want %d", n, err, len(response))
	}
	nonce := nonce
	nonce[0]++
	if _, err := ws.CheckResponse(response, nonce); err == nil {
		t.Error("CheckResponse takes the answer to another key")
	}
}

func TestCheckResponseWaitsForTheWholeHead(t *testing.T) {
	for i := range len(answer) {
		if n, err := ws.CheckResponse([]byte(answer[:i]), nonce); n != 0 || err != nil {
			t.Fatalf("CheckResponse(first %d bytes) = %d, %v, want 0", i, n, err)
		}
	}
	if n, err := ws.CheckResponse([]byte(answer+"\x81\x00\r\n\r\n"), nonce); n != len(answer) || err != nil {
		t.Errorf("CheckResponse = %d, %v, want %d", n, err, len(answer))
	}
}

func TestCheckResponseRefuses(t *testing.T) {
	replace := func(old, new string) string { return strings.Replace(answer, old, new, 1) }
	tests := []struct {
		name, answer string
		status       int
		reason       string
	}{
		{"other status", replace("101 Switching Protocols", "401 Unauthorized"), 401, "server answers 401 Unauthorized"},
		{"status without phrase", "HTTP/1.1 503\r\n\r\n", 503, "server answers 503 Service Unavailable"},
		{"HTTP/1.0", replace("HTTP/1.1", "HTTP/1.0"), 0, "not HTTP/1.1"},
		{"no HTTP", "SSH-2.0-OpenSSH_9.2\r\n\r\n", 0, "not HTTP/1.1"},
		{"no status", replace("101", "1o1"), 0, "not HTTP/1.1"},
		{"no Connection", replace("connection:", "x:"), 101, "Connection"},
		{"no Upgrade", replace("UPGRADE:", "x:"), 101, "Upgrade"},
		{"no Accept", replace("Accept:", "Except:"), 101, "Sec-WebSocket-Accept"},
		{"wrong Accept", replace("s3pP", "s3pp"), 101, "Sec-WebSocket-Accept"},
		{"extension", replace("Date: now", "Sec-WebSocket-Extensions: permessage-deflate"), 101, "extension"},
		{"no end", replace("now", strings.Repeat("x", 16<<10)), 0, "longer than 16 KiB"},
	}
	for _, tt := range tests {
		n, err := ws.CheckResponse([]byte(tt.answer), nonce)
		refused, ok := errors.AsType[*ws.UpgradeError](err)
		if !ok || n != 0 || refused.Status != tt.status || !strings.Contains(refused.Reason, tt.reason) {
			t.Errorf("%s: CheckResponse = %d, %v, want status %d and %q", tt.name, n, err, tt.status, tt.reason)
		}
	}
}

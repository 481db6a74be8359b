package wsframe_test

import (
	"bufio"
	"bytes"
	"crypto/sha1"
	"encoding/base64"
	bin "encoding/binary"
	"errors"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	ws "switchboard/internal/wsframe"
)

// FuzzFeed holds the Reader, fed whole and at random cuts, against a reader of
// frames that is as plain as can be.
func FuzzFeed(f *testing.F) {
	for i, tt := range readCases() {
		if len(tt.wire) < 1000 {
			f.Add([]byte(tt.wire), uint64(i))
		}
	}
	f.Fuzz(func(t *testing.T, wire []byte, seed uint64) {
		events, wantCode := plainRead(string(wire))
		random := rand.New(rand.NewPCG(seed, 0))
		for _, cuts := range [][]int{nil, randomCuts(random, string(wire)), everyByte(string(wire))} {
			var r ws.Reader
			h, _, err := feed(t, &r, string(wire), cuts)
			if got := code(t, err); got != wantCode || !slices.Equal(h.events, events) {
				t.Errorf("cuts %v: %s, code %d (%v), want %s, code %d", cuts, shorten(h.events), got, err, shorten(events), wantCode)
			}
		}
	})
}

// plainRead returns what a client's frames come to.
func plainRead(wire string) (events []string, code int) {
	kind, data := "", "" // of the open message
	for {
		f, wrong := plainFrame(wire)
		if wrong || len(wire) > 0 && !plainOrder(wire[0], kind) {
			return events, ws.CloseProtocolError
		}
		if f.length < 0 {
			return events, 0
		}
		op := ws.Opcode(wire[0] & 15)
		if !op.IsControl() {
			if op != ws.OpContinuation {
				kind, data = map[ws.Opcode]string{ws.OpText: "text ", ws.OpBinary: "binary "}[op], ""
			}
			final := wire[0]&fin != 0 && len(f.payload) == f.length
			if data += f.payload; kind == "text " && !plainText(data, final) {
				return events, ws.CloseInvalidPayload
			}
			if final {
				events, kind = append(events, kind+data), ""
			}
		} else if len(f.payload) == f.length {
			if op == ws.OpClose && f.length > 0 {
				if code := plainClose(f.payload); code != 0 {
					return events, code
				}
			}
			events = append(events, controlEvent(op, []byte(f.payload)))
			if op == ws.OpClose {
				return events, 0
			}
		}
		if len(f.payload) < f.length {
			return events, 0
		}
		wire = f.rest
	}
}

type plain struct {
	length        int // -1 if the header is cut
	payload, rest string
}

// plainFrame takes the first frame off, as much of it as is there.
func plainFrame(wire string) (f plain, wrong bool) {
	f.length = -1
	if len(wire) == 0 {
		return f, false
	}
	op := wire[0] & 15
	if wire[0]&0x70 != 0 || op&7 > 2 || op >= 8 && wire[0]&fin == 0 {
		return f, true
	}
	if len(wire) == 1 {
		return f, false
	}
	n, at := uint64(wire[1]&127), 2
	if wire[1]&128 == 0 || op >= 8 && n > 125 {
		return f, true
	}
	if n > 125 {
		size := map[uint64]int{126: 2, 127: 8}[n]
		length := wire[2:min(len(wire), 2+size)]
		if size == 8 && (length != "" && length[0] > 127 || strings.HasPrefix(length, "\x00\x00\x00\x00\x00\x00")) {
			return f, true
		}
		if len(length) < size {
			return f, false
		}
		n, at = bin.BigEndian.Uint64([]byte(strings.Repeat("\x00", 8-size)+length)), 2+size
		if n < 126 {
			return f, true
		}
	}
	if len(wire) < at+4 {
		return f, false
	}
	key, body := wire[at:at+4], wire[at+4:]
	f.length = int(n)
	payload := []byte(body[:min(len(body), f.length)])
	for i := range payload {
		payload[i] ^= key[i%4]
	}
	f.payload, f.rest = string(payload), body[len(payload):]
	return f, false
}

// plainOrder reports whether a frame may come now; kind is that of the open message.
func plainOrder(head byte, kind string) bool {
	switch head & 15 {
	case 0:
		return kind != ""
	case 1, 2:
		return kind == ""
	}
	return true
}

// plainText reports whether s can be the start of a text, or is one if it is final.
func plainText(s string, final bool) bool {
	for i, c := range s {
		if c == utf8.RuneError && !strings.HasPrefix(s[i:], "\ufffd") {
			return !final && plainStart(s[i:])
		}
	}
	return true
}

// plainStart reports whether some character starts with s.
func plainStart(s string) bool {
	for n := 1; n < utf8.UTFMax; n++ {
		for _, c := range []string{"\x80", "\x90", "\xa0"} {
			if r, size := utf8.DecodeRuneInString(s + c + strings.Repeat("\x80", n-1)); r != utf8.RuneError && size == len(s)+n {
				return true
			}
		}
	}
	return false
}

func plainClose(body string) int {
	if len(body) < 2 {
		return ws.CloseProtocolError
	}
	switch c := int(body[0])<<8 | int(body[1]); {
	case c < 1000, c > 4999, c > 1014 && c < 3000, c >= 1004 && c <= 1006:
		return ws.CloseProtocolError
	case !utf8.ValidString(body[2:]):
		return ws.CloseInvalidPayload
	}
	return 0
}

func FuzzAccept(f *testing.F) {
	f.Add("GET", "Upgrade", "websocket", "13", "dGhlIHNhbXBsZSBub25jZQ==")
	f.Add("POST", "keep-alive, upgrade", "h2c,WebSocket", "8", "dGhlIHNhbXBsZSBub25jZR==")
	f.Add("GET", ",", "", "", "\n\n\n\n")
	f.Fuzz(func(t *testing.T, method, connection, upgrade, version, key string) {
		r := &http.Request{Method: method, ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{
			"Connection": {connection}, "Upgrade": {upgrade}, "Sec-Websocket-Version": {version}, "Sec-Websocket-Key": {key},
		}}
		b, err := ws.Accept(r, "")
		if err != nil {
			if refused, ok := errors.AsType[*ws.UpgradeError](err); !ok || refused.Status < 400 {
				t.Errorf("Accept = %v, want an UpgradeError", err)
			}
			return
		}
		response, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(b)), r)
		if err != nil {
			t.Fatalf("answer %q: %v", b, err)
		}
		sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
		if want := base64.StdEncoding.EncodeToString(sum[:]); response.StatusCode != 101 || response.Header.Get("Sec-WebSocket-Accept") != want {
			t.Errorf("answer %q, want 101 and %q", b, want)
		}
	})
}

func FuzzCheckResponse(f *testing.F) {
	f.Add([]byte(answer))
	f.Add([]byte("HTTP/1.1 401 \r\n\r\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		n, err := ws.CheckResponse(b, nonce)
		if n > 0 && (err != nil || !bytes.HasSuffix(b[:n], []byte("\r\n\r\n")) || !bytes.Contains(b[:n], []byte("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="))) {
			t.Errorf("CheckResponse(%q) = %d, %v", b, n, err)
		}
	})
}

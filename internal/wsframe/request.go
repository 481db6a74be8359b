package wsframe

import (
	"bytes"
	"encoding/base64"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// maxResponse bounds the head of an answer to an upgrade.
const maxResponse = 16 << 10

// AppendRequest appends the request of a client that wants a WebSocket, the twin of
// [Accept]. Target is path and query, escaped; extra are more headers, nil for
// none. The RFC wants a nonce that is drawn anew for each connection.
//
// Source: RFC 6455 section 4.1.
func AppendRequest(b []byte, host, target string, extra http.Header, nonce [16]byte) []byte {
	b = append(append(append(b, "GET "...), target...), " HTTP/1.1\r\n"...)
	b = appendField(b, "Host", host)
	b = append(b, "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: "+version+"\r\nSec-WebSocket-Key: "...)
	b = append(base64.StdEncoding.AppendEncode(b, nonce[:]), "\r\n"...)
	for _, name := range slices.Sorted(maps.Keys(extra)) {
		for _, value := range extra[name] {
			b = appendField(b, name, value)
		}
	}
	return append(b, "\r\n"...)
}

func appendField(b []byte, name, value string) []byte {
	b = append(append(append(b, name...), ": "...), lineBreaks.Replace(value)...)
	return append(b, "\r\n"...)
}

// lineBreaks keeps a value from becoming more fields, as net/http does.
var lineBreaks = strings.NewReplacer("\r", " ", "\n", " ")

// CheckResponse reads the answer to AppendRequest from b, all that came so far. It
// returns the length of the answer's head, which frames may follow, or 0 and no
// error while the head is incomplete. The error is an [*UpgradeError].
//
// Source: RFC 6455 section 4.1, the checks of the server's response.
func CheckResponse(b []byte, nonce [16]byte) (n int, err error) {
	n = bytes.Index(b[:min(len(b), maxResponse)], []byte("\r\n\r\n"))
	if n < 0 {
		if len(b) >= maxResponse {
			return 0, &UpgradeError{Reason: "head of the answer is longer than 16 KiB"}
		}
		return 0, nil
	}
	status, header := parseHead(string(b[:n]))
	if reason := checkAnswer(status, header, nonce); reason != "" {
		return 0, &UpgradeError{Status: status, Reason: reason}
	}
	return n + 4, nil
}

func checkAnswer(status int, header http.Header, nonce [16]byte) (wrong string) {
	var key [keySize]byte
	base64.StdEncoding.Encode(key[:], nonce[:])
	accept := header["Sec-Websocket-Accept"]
	switch {
	case status == 0:
		return "answer is not HTTP/1.1"
	case status != http.StatusSwitchingProtocols:
		return "server answers " + strconv.Itoa(status) + " " + http.StatusText(status)
	case !hasToken(header["Connection"], "upgrade"):
		return "Connection does not say Upgrade"
	case !hasToken(header["Upgrade"], "websocket"):
		return "Upgrade does not say websocket"
	case len(accept) != 1 || accept[0] != string(appendAccept(nil, key)):
		return "Sec-WebSocket-Accept is not the answer to the key"
	case header["Sec-Websocket-Extensions"] != nil:
		return "server uses an extension that was not offered"
	}
	return ""
}

// parseHead reads a status line and headers. The status is 0 if it can't.
func parseHead(head string) (status int, header http.Header) {
	line, fields, _ := strings.Cut(head, "\r\n")
	code, found := strings.CutPrefix(line, "HTTP/1.1 ")
	if code, _, _ = strings.Cut(code, " "); !found || len(code) != 3 {
		return 0, nil
	}
	status, err := strconv.Atoi(code)
	if err != nil {
		return 0, nil
	}
	header = http.Header{}
	for line := range strings.SplitSeq(fields, "\r\n") {
		name, value, _ := strings.Cut(line, ":")
		header.Add(name, strings.Trim(value, " \t"))
	}
	return status, header
}

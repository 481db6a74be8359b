package wsframe

import (
	"crypto/sha1"
	"encoding/base64"
	"net/http"
	"strings"
)

// An UpgradeError is the refusal of a WebSocket: by [Accept], or by the server in
// the eyes of [CheckResponse].
type UpgradeError struct {
	Status int         // of the answer to give, or of the one that came; 0 if none can be read
	Header http.Header // of the answer to give; nil for none
	Reason string      // fit for the peer to see
}

func (e *UpgradeError) Error() string { return "websocket upgrade: " + e.Reason }

const (
	version   = "13"
	nonceSize = 16
	keySize   = 24 // of a nonce in base64
	acceptLen = 28 // of a SHA-1 in base64
)

// The answer to an upgrade, around the value of Sec-WebSocket-Accept.
const (
	answerStart = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "
	answerEnd   = "\r\n\r\n"
	extensions  = "\r\nSec-WebSocket-Extensions: "
)

// Accept checks that r asks for a WebSocket and returns the bytes of the answer,
// which are for the hijacked connection. It agrees on the extension, unless that is
// empty; others that the client offers are passed over, as are subprotocols. The error
// is an [*UpgradeError].
//
// Source: RFC 6455 sections 4.2 and 4.4.
func Accept(r *http.Request, extension string) (response []byte, err error) {
	if err := checkRequest(r); err != nil {
		return nil, err
	}
	keys := r.Header["Sec-Websocket-Key"]
	if len(keys) != 1 || !isKey(keys[0]) {
		return nil, &UpgradeError{http.StatusBadRequest, nil, "Sec-WebSocket-Key is not one key of 16 bytes in base64"}
	}
	key := [keySize]byte([]byte(keys[0]))
	b := make([]byte, 0, len(answerStart)+acceptLen+len(extensions)+len(extension)+len(answerEnd))
	b = append(b, answerStart...)
	b = appendAccept(b, key)
	if extension != "" {
		b = append(append(b, extensions...), extension...)
	}
	return append(b, answerEnd...), nil
}

func checkRequest(r *http.Request) error {
	switch {
	case r.Method != http.MethodGet:
		return &UpgradeError{http.StatusMethodNotAllowed, http.Header{"Allow": {http.MethodGet}}, "method is not GET"}
	case r.ProtoMajor != 1 || r.ProtoMinor < 1:
		return upgradeRequired("protocol is not HTTP/1.1")
	case !hasToken(r.Header["Connection"], "upgrade"):
		return upgradeRequired("Connection does not say Upgrade")
	case !hasToken(r.Header["Upgrade"], "websocket"):
		return upgradeRequired("Upgrade does not say websocket")
	}
	if v := r.Header["Sec-Websocket-Version"]; len(v) != 1 || v[0] != version {
		return upgradeRequired("Sec-WebSocket-Version is not " + version)
	}
	return nil
}

func upgradeRequired(reason string) *UpgradeError {
	return &UpgradeError{http.StatusUpgradeRequired, http.Header{
		"Connection":            {"Upgrade"},
		"Upgrade":               {"websocket"},
		"Sec-Websocket-Version": {version},
	}, reason}
}

// hasToken reports whether one of the comma-separated lists has the token, in
// whatever case. The token is given in lower case.
func hasToken(lists []string, token string) bool {
	for _, list := range lists {
		for found := true; found; {
			var item string
			item, list, found = strings.Cut(list, ",")
			if strings.EqualFold(strings.Trim(item, " \t"), token) {
				return true
			}
		}
	}
	return false
}

// isKey reports whether s is 16 bytes in base64.
func isKey(s string) bool {
	if len(s) != keySize {
		return false
	}
	var nonce [nonceSize + 2]byte // what 24 digits could be
	n, err := base64.StdEncoding.Decode(nonce[:], []byte(s))
	return err == nil && n == nonceSize
}

// appendAccept appends what proves that a server has read the key.
//
// Source: RFC 6455 section 4.2.2, item 5.
func appendAccept(b []byte, key [keySize]byte) []byte {
	const guid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
	var text [keySize + len(guid)]byte
	copy(text[copy(text[:], key[:]):], guid)
	sum := sha1.Sum(text[:])
	return base64.StdEncoding.AppendEncode(b, sum[:])
}

package wsframe

import (
	"encoding/binary"
	"unicode/utf8"
)

// Codes that a connection is closed with.
//
// Source: RFC 6455 section 7.4.1; 1012 to 1014 from the IANA registry "WebSocket
// Close Code Number".
const (
	CloseNormal         = 1000
	CloseGoingAway      = 1001
	CloseProtocolError  = 1002
	CloseUnsupported    = 1003
	CloseNoStatus       = 1005 // never sent: the close frame was empty
	CloseAbnormal       = 1006 // never sent: there was no close frame
	CloseInvalidPayload = 1007
	ClosePolicy         = 1008
	CloseTooBig         = 1009
	CloseInternalError  = 1011
	CloseServiceRestart = 1012
	CloseTryAgainLater  = 1013
	CloseBadGateway     = 1014
)

// maxReason is what a close frame has room for after the code.
const maxReason = maxLength - 2

// AppendCloseBody appends the payload of a close frame, at most 125 bytes: a reason
// that is too long loses its end, at a character. Code 0 or CloseNoStatus gives
// none.
func AppendCloseBody(b []byte, code int, reason string) []byte {
	if code == 0 || code == CloseNoStatus {
		return b
	}
	b = binary.BigEndian.AppendUint16(b, uint16(code))
	return append(b, reason[:cutReason(reason)]...)
}

func cutReason(reason string) int {
	n := min(len(reason), maxReason)
	for n < len(reason) && n > 0 && !utf8.RuneStart(reason[n]) {
		n--
	}
	return n
}

// ParseClose takes the payload of a close frame apart, as a [Handler] gets it.
// Reason aliases p. The code of an empty close is CloseNoStatus.
func ParseClose(p []byte) (code int, reason []byte) {
	if len(p) < 2 {
		return CloseNoStatus, nil
	}
	return int(binary.BigEndian.Uint16(p)), p[2:]
}

func checkClose(p []byte) *ProtocolError {
	code, reason := ParseClose(p)
	switch {
	case len(p) == 0:
		return nil
	case len(p) == 1:
		return errCloseLength
	case !mayBeSent(code):
		return errCloseCode
	case !utf8.Valid(reason):
		return errCloseReason
	}
	return nil
}

// mayBeSent reports whether a close frame may have the code.
//
// Source: RFC 6455 section 7.4.2: 3000 to 3999 are for libraries, 4000 to 4999
// for applications, and what is below is as the registry says.
func mayBeSent(code int) bool {
	switch {
	case code < 1000, code >= 5000:
		return false
	case code >= 3000:
		return true
	}
	return code <= 1003 || code >= 1007 && code <= 1014
}

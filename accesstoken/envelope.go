package accesstoken

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strings"
)

// An envelope is a token taken apart. Nothing in it has been proved yet.
type envelope struct {
	algorithm Algorithm
	text      []byte // what is signed
	payload   []byte
	signature []byte
}

var errMalformed = refuse(ReasonMalformed, "it is not a JSON Web Token")

// open takes a token apart. Every error is a *CheckError.
//
// Source: RFC 7515, section 7.1.
func open(token string) (e envelope, err error) {
	b := []byte(token)
	parts := bytes.SplitN(b, []byte{'.'}, 4)
	if len(parts) != 3 {
		return e, errMalformed
	}
	e.text = b[:len(parts[0])+1+len(parts[1])]
	buffer := make([]byte, 0, len(b))
	header, buffer, ok := decodeSegment(buffer, parts[0])
	if !ok {
		return e, errMalformed
	}
	if e.payload, buffer, ok = decodeSegment(buffer, parts[1]); !ok {
		return e, errMalformed
	}
	if e.algorithm, err = algorithmOf(header); err != nil {
		return e, err
	}
	if e.signature, _, ok = decodeSegment(buffer, parts[2]); !ok {
		return e, errMalformed
	}
	if len(e.signature) == 0 {
		return e, refuse(ReasonUnsigned, "it is not signed")
	}
	return e, nil
}

var segmentEncoding = base64.RawURLEncoding.Strict()

// decodeSegment appends to buffer. The decoder would skip line breaks.
func decodeSegment(buffer, segment []byte) (decoded, rest []byte, ok bool) {
	if bytes.IndexByte(segment, '\n') >= 0 || bytes.IndexByte(segment, '\r') >= 0 {
		return nil, nil, false
	}
	all, err := segmentEncoding.AppendDecode(buffer, segment)
	return all[len(buffer):], all, err == nil
}

// algorithmOf reads the header, whose other members mean nothing here.
func algorithmOf(header []byte) (Algorithm, error) {
	if !json.Valid(header) {
		return "", errMalformed
	}
	algorithm, err := "", error(nil)
	for name, value := range members(string(header)) {
		if text(name) == "alg" {
			if algorithm != "" {
				return "", refuse(ReasonMalformed, "alg is in it twice")
			}
			algorithm = claimValue(value)
		}
	}
	switch {
	case strings.EqualFold(algorithm, "none"):
		err = refuse(ReasonUnsigned, "it is not signed")
	case algorithm != string(HS256) && algorithm != string(HS512):
		err = refuse(ReasonAlgorithm, "its algorithm is neither HS256 nor HS512")
	}
	return Algorithm(algorithm), err
}

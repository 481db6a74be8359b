package accesstoken

import (
	"bytes"
	"encoding/json"
	"unicode/utf8"
)

// nextValue cuts the next value off b, the inside of a valid JSON object or
// array from any value on. In an object names count as values. At the closing
// bracket value is nil. Results alias b.
//
// It takes validity for granted, and so does without the state and the
// allocations of a json.Decoder.
func nextValue(b []byte) (value, rest []byte) {
	b = bytes.TrimLeft(b, " \t\r\n,:")
	end := 0
	switch b[0] {
	case '}', ']':
		return nil, nil
	case '"':
		end = stringEnd(b)
	case '{', '[':
		end = bracketEnd(b)
	default: // number, true, false, null
		end = bytes.IndexAny(b, " \t\r\n,]}")
	}
	return b[:end], b[end:]
}

func stringEnd(b []byte) int {
	for i := 1; ; i++ {
		switch b[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
}

func bracketEnd(b []byte) int {
	for i, depth := 0, 0; ; i++ {
		switch b[i] {
		case '"':
			i += stringEnd(b[i:]) - 1
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
}

// text returns what a valid JSON string says.
func text(value []byte) string {
	inside := value[1 : len(value)-1]
	if bytes.IndexByte(inside, '\\') < 0 && utf8.Valid(inside) {
		return string(inside)
	}
	var s string
	json.Unmarshal(value, &s) // it is a valid string
	return s
}

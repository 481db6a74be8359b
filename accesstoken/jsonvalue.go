package accesstoken

import (
	"encoding/json"
	"iter"
	"strings"
	"unicode/utf8"
)

// space is what may stand between the tokens of JSON.
const space = " \t\r\n"

// members yields the names and values of a valid JSON object. Other JSON has none.
func members(b string) iter.Seq2[string, string] {
	return func(yield func(name, value string) bool) {
		if b = strings.TrimLeft(b, space); b[0] != '{' {
			return
		}
		for name, rest := nextValue(b[1:]); name != ""; name, rest = nextValue(rest) {
			var value string
			if value, rest = nextValue(rest); !yield(name, value) {
				return
			}
		}
	}
}

// nextValue cuts the next value off b, the inside of a valid JSON object or
// array from any value on. In an object names count as values. At the closing
// bracket value is empty. Results are parts of b.
//
// It takes validity for granted, and so does without the state and the
// allocations of a json.Decoder.
func nextValue(b string) (value, rest string) {
	b = strings.TrimLeft(b, space+",:")
	end := 0
	switch b[0] {
	case '}', ']':
		return "", ""
	case '"':
		end = stringEnd(b)
	case '{', '[':
		end = bracketEnd(b)
	default: // number, true, false, null
		end = strings.IndexAny(b, space+",]}")
	}
	return b[:end], b[end:]
}

func stringEnd(b string) int {
	for i := 1; ; i++ {
		switch b[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
}

func bracketEnd(b string) int {
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

// text returns what a valid JSON string says, as a part of it if it can.
func text(value string) string {
	inside := value[1 : len(value)-1]
	if strings.IndexByte(inside, '\\') < 0 && utf8.ValidString(inside) {
		return inside
	}
	var s string
	json.Unmarshal([]byte(value), &s) // it is a valid string
	return s
}

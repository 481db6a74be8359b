package hubprotocol

import (
	"fmt"
	"math"
	"unicode/utf8"
)

// An unpacker reads the values of one MessagePack message in their order and
// remembers the first that is wrong; from then on it reads zero values.
type unpacker struct {
	b    []byte // not read yet
	kind Type   // once known, for errors
	left int    // items of the message that nobody has asked for
	err  error
}

func (u *unpacker) fail(field, reason string) {
	if u.err == nil {
		u.err = u.kind.fault(field, reason)
	}
	u.b, u.left = nil, 0
}

// need claims the next n items of the message.
func (u *unpacker) need(n int) {
	if u.left < n {
		u.fail("", fmt.Sprintf("array is %d items short", n-u.left))
		return
	}
	u.left -= n
}

// also claims an optional item and tells whether it is there.
func (u *unpacker) also() bool {
	if u.left == 0 {
		return false
	}
	u.left--
	return true
}

// token reads the start of a value and takes it off together with its content;
// the values inside an array or map are left.
func (u *unpacker) token(field string) (t token, content []byte) {
	if u.err != nil {
		return token{}, nil
	}
	t, err := readToken(u.b)
	if err != nil {
		u.fail(field, err.Error())
		return token{}, nil
	}
	content = u.b[t.head : t.head+t.size]
	u.b = u.b[t.head+t.size:]
	return t, content
}

// array reads the start of an array and returns its length.
func (u *unpacker) array(field string) int {
	t, _ := u.token(field)
	if t.kind != kindArray {
		u.fail(field, "not an array")
	}
	return t.count
}

func (u *unpacker) integer(field string) int64 {
	t, _ := u.token(field)
	switch {
	case t.kind != kindInt && t.kind != kindUint:
		u.fail(field, "not an integer")
	case t.kind == kindUint && t.bits > math.MaxInt64:
		u.fail(field, "not an integer of 64 bits")
	}
	return int64(t.bits)
}

func (u *unpacker) boolean(field string) bool {
	t, _ := u.token(field)
	if t.kind != kindBool {
		u.fail(field, "not a boolean")
	}
	return t.bits != 0
}

func (u *unpacker) text(field string) string {
	t, content := u.token(field)
	switch {
	case t.kind != kindStr:
		u.fail(field, "not a string")
	case !utf8.Valid(content):
		u.fail(field, "invalid UTF-8")
	}
	return string(content)
}

// optional reads a string or nil.
func (u *unpacker) optional(field string) string {
	if u.isNil() {
		return ""
	}
	return u.text(field)
}

// isNil takes off a nil, if one comes next.
func (u *unpacker) isNil() bool {
	if len(u.b) == 0 || u.b[0] != 0xc0 {
		return false
	}
	u.b = u.b[1:]
	return true
}

// id reads an invocationId that must be there.
func (u *unpacker) id() string {
	id := u.optional("invocationId")
	u.require(id)
	return id
}

func (u *unpacker) require(id string) {
	if id == "" {
		u.fail("invocationId", "missing or empty")
	}
}

// value takes one value as it stands, depth arrays and maps below the top.
func (u *unpacker) value(field string, depth int) []byte {
	if u.err != nil {
		return nil
	}
	n, err := skipValue(u.b, depth)
	if err != nil {
		u.fail(field, err.Error())
		return nil
	}
	raw := u.b[:n:n]
	u.b = u.b[n:]
	return raw
}

// firstItems bounds what is allocated for an array before its items are read.
const firstItems = 16

func (u *unpacker) values(field string) [][]byte {
	n := u.array(field)
	list := make([][]byte, 0, min(n, firstItems))
	for i := 0; i < n && u.err == nil; i++ {
		list = append(list, u.value(field, 2))
	}
	return list
}

// texts reads an array of strings or nil; an empty one is nil.
func (u *unpacker) texts(field string) (list []string) {
	if u.isNil() {
		return nil
	}
	n := u.array(field)
	for i := 0; i < n && u.err == nil; i++ {
		list = append(list, u.text(field))
	}
	return list
}

// headers reads the map of strings; an empty one is nil.
func (u *unpacker) headers() (headers map[string]string) {
	if u.isNil() {
		return nil
	}
	t, _ := u.token("headers")
	if t.kind != kindMap {
		u.fail("headers", "not a map")
	}
	for i := 0; i < t.count && u.err == nil; i += 2 {
		if headers == nil {
			headers = make(map[string]string)
		}
		name := u.text("headers")
		headers[name] = u.text("headers")
	}
	return headers
}

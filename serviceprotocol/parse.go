package serviceprotocol

// Parse reads the body of one message, as [SplitFrame] returns it. Bytes after
// the message's array are ignored.
//
// The message ALIASES body: its strings (through unsafe.String) and its payloads
// are the bytes of body, not copies. The caller must not change or reuse body
// while the message, or any string taken from it, is alive; what has to outlive
// body needs [strings.Clone] or [bytes.Clone]. Strings are not checked to be UTF-8.
//
// The error is a [*ParseError]. A type not known here is no error, see [Unknown].
func Parse(body []byte) (Message, error) {
	r := open(body)
	return finish(newMessage(r.typ), r)
}

// A Parser reads messages one after the other and reuses the frequent ones. The
// zero value is ready. It is for one goroutine at a time.
type Parser struct {
	connectionData      ConnectionData
	multiConnectionData MultiConnectionData
	userData            UserData
	broadcastData       BroadcastData
	groupBroadcastData  GroupBroadcastData
}

// Parse is like the function [Parse], and its result aliases body in the same
// way. In addition, ConnectionData, MultiConnectionData, UserData, BroadcastData
// and GroupBroadcastData, with the slices in them, belong to the Parser and are
// valid only until the next call. They cost no allocation. A slice that is empty
// on the wire may be empty or nil in them.
func (p *Parser) Parse(body []byte) (Message, error) {
	r := open(body)
	return finish(p.message(r.typ), r)
}

// message returns the message of type t to parse into.
func (p *Parser) message(t Type) Message {
	switch t {
	case TypeConnectionData:
		return &p.connectionData
	case TypeMultiConnectionData:
		return &p.multiConnectionData
	case TypeUserData:
		return &p.userData
	case TypeBroadcastData:
		return &p.broadcastData
	case TypeGroupBroadcastData:
		return &p.groupBroadcastData
	}
	return newMessage(t)
}

// open reads the array header and the type, nearly always a byte each.
func open(body []byte) reader {
	if len(body) >= 2 && body[0]&0xf0 == fixArr && body[1] < fixMap {
		if n := int(body[0] & 0x0f); n >= 1 && n < len(body) {
			return reader{b: body[2:], n: n, typ: Type(body[1])}
		}
	}
	r := reader{b: body}
	r.n = r.arrayLen("message")
	if r.n < 1 {
		r.fail("message", "no type")
	}
	r.typ = Type(r.int("type"))
	return r
}

func finish(m Message, r reader) (Message, error) {
	if r.err != nil {
		return nil, r.err
	}
	if err := m.parse(r); err != nil {
		return nil, err
	}
	return m, nil
}

// maxReuse is the largest slice, in entries, that is made on the word of an
// announced length, or that a Parser keeps from one message to the next.
const maxReuse = 1024

// reuse empties s for the next message. It lets go of the last message's bytes,
// and of s itself when one huge message has made it too large to keep.
func reuse[T any](s []T) []T {
	if cap(s) > maxReuse {
		return nil
	}
	clear(s)
	return s[:0]
}

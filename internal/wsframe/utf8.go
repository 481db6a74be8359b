package wsframe

import "encoding/binary"

// A message is what is known of the data message that is being read: that there is
// none, that it is binary, or that it is text and where in a character it stands.
type message uint8

const (
	noMessage     message = 0
	binaryMessage message = 1

	// The states of text are shifts: see transitions.
	textBroken message = 6 * (iota - 1) // not UTF-8, whatever follows
	textStart                           // between two characters
	textOne                             // one more byte, 80 to BF
	textTwo                             // two more, 80 to BF each
	textThree                           // three more, 80 to BF each
	textE0                              // two more, the next A0 to BF: shorter forms exist for what is below
	textED                              // two more, the next 80 to 9F: surrogates are above
	textF0                              // three more, the next 90 to BF: shorter forms exist for what is below
	textF4                              // three more, the next 80 to 8F: above is beyond U+10FFFF
)

// transitions has a word for each byte. Its six bits from bit m on are the state
// that the byte leads to from state m: one shift a byte, and no branch, decides
// what is UTF-8, wherever it is cut.
var transitions = makeTransitions()

// Source: RFC 3629 section 4.
func makeTransitions() (words [256]uint64) {
	set := func(from message, low, high int, to message) {
		for c := low; c <= high; c++ {
			words[c] = words[c]&^(63<<from) | uint64(to)<<from
		}
	}
	for from := textBroken; from <= textF4; from += 6 {
		set(from, 0, 255, textBroken)
	}
	set(textStart, 0x00, 0x7f, textStart)
	set(textStart, 0xc2, 0xdf, textOne) // C0 and C1 would be long forms of ASCII
	set(textStart, 0xe0, 0xef, textTwo)
	set(textStart, 0xe0, 0xe0, textE0)
	set(textStart, 0xed, 0xed, textED)
	set(textStart, 0xf0, 0xf0, textF0)
	set(textStart, 0xf1, 0xf3, textThree)
	set(textStart, 0xf4, 0xf4, textF4)
	set(textOne, 0x80, 0xbf, textStart)
	set(textTwo, 0x80, 0xbf, textOne)
	set(textThree, 0x80, 0xbf, textTwo)
	set(textE0, 0xa0, 0xbf, textOne)
	set(textED, 0x80, 0x9f, textOne)
	set(textF0, 0x90, 0xbf, textTwo)
	set(textF4, 0x80, 0x8f, textTwo)
	return words
}

// highBits are the bits that no byte of ASCII has.
const highBits = 0x8080_8080_8080_8080

// scan moves on over p, which may begin and end within a character.
func (m message) scan(p []byte) message {
	s := uint64(m)
	for len(p) >= 8 {
		c := (*[8]byte)(p)
		if s&63 != uint64(textStart) || binary.LittleEndian.Uint64(c[:])&highBits != 0 {
			s = transitions[c[0]] >> (s & 63)
			s = transitions[c[1]] >> (s & 63)
			s = transitions[c[2]] >> (s & 63)
			s = transitions[c[3]] >> (s & 63)
			s = transitions[c[4]] >> (s & 63)
			s = transitions[c[5]] >> (s & 63)
			s = transitions[c[6]] >> (s & 63)
			s = transitions[c[7]] >> (s & 63)
		}
		p = p[8:]
	}
	for _, c := range p {
		s = transitions[c] >> (s & 63)
	}
	return message(s & 63)
}

// A Text checks text that comes in pieces. The zero value has seen nothing.
type Text struct{ at message }

// Check reports whether all so far can be the start of a text in UTF-8, and if p is
// the end of it, whether it is one.
func (t *Text) Check(p []byte, end bool) bool {
	if t.at == noMessage {
		t.at = textStart
	}
	t.at = t.at.scan(p)
	return t.at != textBroken && (!end || t.at == textStart)
}

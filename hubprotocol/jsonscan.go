package hubprotocol

import (
	"errors"
	"fmt"
)

var (
	errSyntax = errors.New("invalid JSON")
	errDepth  = fmt.Errorf("JSON is deeper than %d levels", maxDepth)
)

// A scanner walks over one JSON text and checks it on the way. It allocates
// nothing and hands out pieces of its input. The first error ends its use.
type scanner struct {
	b     []byte
	pos   int // next byte to look at; after an error, where it was found
	depth int // arrays and objects open
}

// peek skips white space and returns the byte that follows, 0 at the end.
func (s *scanner) peek() byte {
	for s.pos < len(s.b) {
		switch c := s.b[s.pos]; c {
		case ' ', '\t', '\n', '\r':
			s.pos++
		default:
			return c
		}
	}
	return 0
}

// open enters an array or object, c being '[' or '{'.
func (s *scanner) open(c byte) error {
	if s.peek() != c {
		return errSyntax
	}
	if s.depth == maxDepth {
		return errDepth
	}
	s.pos++
	s.depth++
	return nil
}

// more tells whether the open array or object has an element number n, having
// passed the comma before it, or leaves it at the closing byte c.
func (s *scanner) more(n int, c byte) (bool, error) {
	switch next := s.peek(); {
	case next == c:
		s.pos++
		s.depth--
		return false, nil
	case n == 0:
		return true, nil
	case next != ',':
		return false, errSyntax
	}
	s.pos++
	return true, nil
}

// key reads a property name with its colon and returns it as it stands, quotes
// included.
func (s *scanner) key() ([]byte, error) {
	if s.peek() != '"' {
		return nil, errSyntax
	}
	start := s.pos
	if err := s.skipString(); err != nil {
		return nil, err
	}
	key := s.b[start:s.pos]
	if s.peek() != ':' {
		return nil, errSyntax
	}
	s.pos++
	return key, nil
}

// value passes one value of any kind and returns it as it stands.
func (s *scanner) value() ([]byte, error) {
	c := s.peek()
	start := s.pos
	if err := s.skip(c); err != nil {
		return nil, err
	}
	return s.b[start:s.pos:s.pos], nil
}

func (s *scanner) skip(c byte) error {
	switch c {
	case '"':
		return s.skipString()
	case '{':
		return s.skipObject()
	case '[':
		return s.skipArray()
	case 't':
		return s.skipWord("true")
	case 'f':
		return s.skipWord("false")
	case 'n':
		return s.skipWord("null")
	}
	return s.skipNumber()
}

func (s *scanner) skipObject() error {
	if err := s.open('{'); err != nil {
		return err
	}
	for n := 0; ; n++ {
		if ok, err := s.more(n, '}'); !ok {
			return err
		}
		if _, err := s.key(); err != nil {
			return err
		}
		if _, err := s.value(); err != nil {
			return err
		}
	}
}

func (s *scanner) skipArray() error {
	if err := s.open('['); err != nil {
		return err
	}
	for n := 0; ; n++ {
		if ok, err := s.more(n, ']'); !ok {
			return err
		}
		if _, err := s.value(); err != nil {
			return err
		}
	}
}

// elements reads an array into raw elements, nil when the value is no array.
func (s *scanner) elements() ([][]byte, error) {
	if s.peek() != '[' {
		_, err := s.value()
		return nil, err
	}
	if err := s.open('['); err != nil {
		return nil, err
	}
	list := make([][]byte, 0, 4)
	for n := 0; ; n++ {
		if ok, err := s.more(n, ']'); !ok {
			return list, err
		}
		raw, err := s.value()
		if err != nil {
			return nil, err
		}
		list = append(list, raw)
	}
}

// end checks that nothing but white space follows.
func (s *scanner) end() error {
	if s.peek(); s.pos < len(s.b) {
		return errSyntax
	}
	return nil
}

// properties reads the object that is the whole text. For each property it calls
// read, which passes the value.
func (s *scanner) properties(read func(name []byte, s *scanner) error) error {
	if err := s.open('{'); err != nil {
		return err
	}
	for n := 0; ; n++ {
		if ok, err := s.more(n, '}'); err != nil {
			return err
		} else if !ok {
			return s.end()
		}
		key, err := s.key()
		if err != nil {
			return err
		}
		if err := read(plain(key), s); err != nil {
			return err
		}
	}
}

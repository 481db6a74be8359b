package clientconn

import (
	"errors"
	"fmt"

	"switchboard/hubprotocol"
)

var errMessageTooLarge = errors.New("message too large")

// A meter follows the hub messages in a client's bytes, however these are cut,
// and holds each against a limit. It keeps no bytes but those of a length
// prefix that is cut itself.
type meter struct {
	framing hubprotocol.Framing
	limit   int // bytes
	size    int // bytes of the present message so far
	body    int // bytes of the present message still to come, by its length prefix
	prefix  int // value of a length prefix that is not complete
	shift   int // bits of it so far
}

// count takes the next bytes. The error says what is wrong with them; whole is
// then the number of bytes before the message that it is about.
func (m *meter) count(p []byte) (whole int, err error) {
	switch m.framing {
	case hubprotocol.FramingRecordSeparator:
		return m.countRecords(p)
	case hubprotocol.FramingLengthPrefix:
		return m.countLengths(p)
	default:
		return 0, nil
	}
}

func (m *meter) countRecords(p []byte) (whole int, err error) {
	for i, b := range p {
		m.size++
		if m.size > m.limit+1 { // the separator is not counted
			return whole, m.tooLarge()
		}
		if b == hubprotocol.RecordSeparator {
			m.size, whole = 0, i+1
		}
	}
	return whole, nil
}

func (m *meter) countLengths(p []byte) (whole int, err error) {
	for i := 0; i < len(p); {
		if m.body > 0 {
			n := min(m.body, len(p)-i)
			m.body -= n
			i += n
		} else if err := m.countPrefix(p[i]); err != nil {
			return whole, err
		} else {
			i++
		}
		if m.body == 0 && m.shift == 0 {
			whole = i
		}
	}
	return whole, nil
}

// countPrefix takes the next byte of a length prefix.
func (m *meter) countPrefix(b byte) error {
	m.prefix |= int(b&0x7f) << m.shift
	m.shift += 7
	if b&0x80 == 0 {
		m.body, m.prefix, m.shift = m.prefix, 0, 0
	} else if m.shift == 35 {
		return errors.New("a length prefix is longer than 5 bytes")
	}
	if m.body > m.limit {
		return m.tooLarge()
	}
	return nil
}

func (m *meter) tooLarge() error {
	return fmt.Errorf("%w: the limit for one message is %d bytes (limits.client-message-bytes)", errMessageTooLarge, m.limit)
}

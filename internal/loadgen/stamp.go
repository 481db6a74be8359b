package loadgen

// StampSize is the length of a stamp, and so the shortest payload.
const StampSize = 24

// A stamp begins every payload. It says which message this is, so that each can
// be accounted for, and when it was due, so that its age can be told.
//
// Wire: run, 4 digits; at, 10; stream, 4; seq, 6. Digits are of the alphabet
// below, which needs no escape in JSON.
type stamp struct {
	run    uint32 // drawn by the trial: messages of another one do not count
	at     int64  // when it was to be sent: monotonic clock of the machine, ns
	stream int    // see plan
	seq    uint64 // number within the stream, from 0
}

const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_"

// notDigit is the value of bytes outside of the alphabet.
const notDigit = 0xff

var digits = func() (table [256]byte) {
	for i := range table {
		table[i] = notDigit
	}
	for i := range alphabet {
		table[alphabet[i]] = byte(i)
	}
	return table
}()

// append writes the stamp.
func (s stamp) append(b []byte) []byte {
	b = appendDigits(b, uint64(s.run), 4)
	b = appendDigits(b, uint64(s.at), 10)
	b = appendDigits(b, uint64(s.stream), 4)
	return appendDigits(b, s.seq, 6)
}

// parseStamp reads the stamp that a payload begins with.
func parseStamp(b []byte) (s stamp, ok bool) {
	if len(b) < StampSize {
		return s, false
	}
	run, ok1 := parseDigits(b[:4])
	at, ok2 := parseDigits(b[4:14])
	stream, ok3 := parseDigits(b[14:18])
	seq, ok4 := parseDigits(b[18:24])
	return stamp{uint32(run), int64(at), int(stream), seq}, ok1 && ok2 && ok3 && ok4
}

func appendDigits(b []byte, v uint64, n int) []byte {
	for shift := 6 * (n - 1); shift >= 0; shift -= 6 {
		b = append(b, alphabet[v>>shift&63])
	}
	return b
}

func parseDigits(b []byte) (v uint64, ok bool) {
	bad := byte(0)
	for _, c := range b {
		d := digits[c]
		bad |= d
		v = v<<6 | uint64(d&63)
	}
	return v, bad&64 == 0
}

package loadgen

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"

	"switchboard/hubprotocol"
)

// Subjects of a trial with NATS. Each client has one of its own below
// subjectClient; messages to all go to subjectAll.
const (
	subjectAll    = "all"
	subjectClient = "c."

	// SubjectEcho is where a responder finds requests.
	SubjectEcho = "echo"
)

// subjects is the client protocol of NATS.
//
// Wire: lines that end in CR LF; PUB and MSG end with the length of the payload,
// which follows and ends in CR LF too. Messages need not begin and end where
// those of the WebSocket do.
//
// Source: NATS documentation, "Client Protocol".
type subjects struct {
	filler    []byte // behind the stamp of each payload
	responder bool   // a round trip goes through a responder
}

const natsEnd = "\r\n"

var natsPong = []byte("PONG" + natsEnd)

func newSubjects(payload int, responder bool) *subjects {
	return &subjects{bytes.Repeat([]byte(alphabet), payload/len(alphabet)+1)[:payload-StampSize], responder}
}

func (*subjects) Binary() bool { return true }

func clientSubject(client int) string { return subjectClient + strconv.Itoa(client) }

func (*subjects) hello(p plan, client int) []byte {
	subject := clientSubject(client)
	if p.scenario == Broadcast {
		subject = subjectAll
	}
	return []byte(`CONNECT {"verbose":false,"pedantic":false,"lang":"bench","version":"1","protocol":1}` + natsEnd +
		"SUB " + subject + " 1" + natsEnd + "PING" + natsEnd)
}

// welcome waits for the answer to the PING, before which the server has seen the
// subscription.
func (*subjects) welcome(b []byte) (rest []byte, err error) {
	for {
		line, rest, whole := bytes.Cut(b, []byte(natsEnd))
		switch {
		case !whole:
			return nil, hubprotocol.ErrIncomplete
		case string(line) == "PONG":
			return rest, nil
		case bytes.HasPrefix(line, []byte("-ERR")):
			return nil, fmt.Errorf("NATS says %s", line)
		}
		b = rest
	}
}

var errNATSLine = errors.New("line of NATS is too long, or its length is no number")

func (*subjects) next(b []byte) (int, error) {
	const longest = 64 << 10 // of an INFO with many servers
	end := bytes.IndexByte(b, '\n')
	switch {
	case end < 0 && len(b) > longest:
		return 0, errNATSLine
	case end < 0:
		return 0, nil
	case b[0] != 'M':
		return end + 1, nil
	}
	line := bytes.TrimSuffix(b[:end], []byte{'\r'})
	size, err := strconv.Atoi(string(line[bytes.LastIndexByte(line, ' ')+1:]))
	if err != nil || size < 0 {
		return 0, errNATSLine
	}
	n := end + 1 + size + len(natsEnd)
	if n > len(b) {
		return 0, nil
	}
	return n, nil
}

func (s *subjects) read(message []byte) (received, error) {
	line, payload, _ := bytes.Cut(message, []byte{'\n'})
	switch {
	case bytes.HasPrefix(line, []byte("MSG ")):
		payload = bytes.TrimSuffix(payload, []byte(natsEnd))
		m, ok := parseStamp(payload)
		if !ok || !bytes.Equal(payload[StampSize:], s.filler) {
			return received{}, errPayload
		}
		return received{stamp: m, stamped: true}, nil
	case bytes.HasPrefix(line, []byte("PING")):
		return received{reply: natsPong}, nil
	case bytes.HasPrefix(line, []byte("-ERR")):
		return received{}, fmt.Errorf("NATS says %s", bytes.TrimSpace(line))
	}
	return received{}, nil
}

func (s *subjects) call(p plan, stream int, _ string) (head, tail []byte, err error) {
	to := ""
	switch {
	case p.scenario == Broadcast:
		to = subjectAll
	case p.scenario == Echo && s.responder:
		to = SubjectEcho + " " + clientSubject(stream) // with the subject for the answer
	case p.scenario == Echo:
		to = clientSubject(stream)
	default:
		return nil, nil, fmt.Errorf("NATS has no scenario %s", p.scenario)
	}
	head = fmt.Appendf(nil, "PUB %s %d%s", to, StampSize+len(s.filler), natsEnd)
	return head, append(bytes.Clone(s.filler), natsEnd...), nil
}

func (*subjects) join(string) ([]byte, error) { return nil, errors.New("NATS has no groups") }
func (*subjects) keepAlive() []byte           { return []byte("PING" + natsEnd) }

var _ dialect = (*subjects)(nil)

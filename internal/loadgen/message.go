package loadgen

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"

	"switchboard/hubprotocol"
)

// The names that clients and hub call each other's methods by. A hub for the
// benchmark has the methods that the scenarios call; each sends its payload on
// to Receive.
const (
	TargetReceive          = "Receive"          // (payload) on clients
	TargetEcho             = "Echo"             // (payload): to the caller
	TargetBroadcast        = "Broadcast"        // (payload): to all
	TargetSendToGroup      = "SendToGroup"      // (group, payload)
	TargetSendToConnection = "SendToConnection" // (connection id, payload)
	TargetSendToUser       = "SendToUser"       // (user id, payload)
	TargetJoin             = "Join"             // (group), answered when it is done
)

// UserParameter is the parameter of the negotiate request's query that says
// who the client is.
const UserParameter = "user"

func groupName(group int) string { return "g" + strconv.Itoa(group) }
func userID(client int) string   { return "u" + strconv.Itoa(client) }

// A wording is how messages of a trial look on the wire. Head and tail of a
// message are made once; only the stamp between them changes.
type wording struct {
	hubprotocol.Protocol
	framing hubprotocol.Framing
	filler  []byte // behind the stamp of each payload
	mirror  bool   // the peer is a PeerMirror
	head    []byte // of a Receive
	tail    []byte
	ping    []byte
}

func newWording(protocol string, payload int) (*wording, error) {
	p, ok := hubprotocol.ByName(protocol)
	if !ok {
		return nil, fmt.Errorf("protocol %q is not known", protocol)
	}
	w := &wording{Protocol: p, framing: hubprotocol.FramingOf(protocol)}
	w.filler = bytes.Repeat([]byte(alphabet), payload/len(alphabet)+1)[:payload-StampSize]
	var err error
	if w.head, w.tail, err = w.invocation(TargetReceive); err != nil {
		return nil, err
	}
	w.ping, err = p.Append(nil, &hubprotocol.Ping{})
	return w, err
}

// invocation returns a call of target with the arguments and a payload, cut
// where the stamp goes.
func (w *wording) invocation(target string, arguments ...string) (head, tail []byte, err error) {
	blank := bytes.Repeat([]byte{'~'}, StampSize) // no digit of a stamp, and no letter of a name
	m := hubprotocol.Invocation{Target: target}
	for _, text := range append(arguments, string(blank)+string(w.filler)) {
		raw, err := w.AppendValue(nil, text)
		if err != nil {
			return nil, nil, err
		}
		m.Arguments = append(m.Arguments, raw)
	}
	whole, err := w.Append(nil, &m)
	if err != nil {
		return nil, nil, err
	}
	head, tail, _ = bytes.Cut(whole, blank)
	return head, tail, nil
}

// join returns a call that is answered.
func (w *wording) join(group string) ([]byte, error) {
	raw, err := w.AppendValue(nil, group)
	if err != nil {
		return nil, err
	}
	return w.Append(nil, &hubprotocol.Invocation{InvocationID: "1", Target: TargetJoin, Arguments: [][]byte{raw}})
}

// A received is what a message from the hub says.
type received struct {
	stamp   stamp
	stamped bool   // it is a message of a benchmark
	answer  bool   // it answers a call
	reply   []byte // what to send back at once; nil for nothing
}

var errPayload = errors.New("payload has changed on its way")

// read reads one whole hub message. What the hub of this project writes is
// recognised by its bytes, everything else is parsed.
func (w *wording) read(message []byte) (received, error) {
	n := len(w.head)
	if len(message) == n+StampSize+len(w.tail) && bytes.Equal(message[:n], w.head) {
		s, ok := parseStamp(message[n:])
		if !ok || !bytes.Equal(message[n+StampSize:], w.tail) {
			return received{}, errPayload
		}
		return received{stamp: s, stamped: true}, nil
	}
	return w.parse(message)
}

func (w *wording) parse(message []byte) (received, error) {
	m, err := w.Parse(message)
	if err != nil {
		return received{}, err
	}
	switch m := m.(type) {
	case *hubprotocol.Invocation:
		return w.parseReceive(m)
	case *hubprotocol.Completion:
		if m.HasError {
			return received{}, fmt.Errorf("hub refuses a call: %s", m.Error)
		}
		return received{answer: true}, nil
	case *hubprotocol.Close:
		return received{}, fmt.Errorf("hub closes the connection: %s", m.Error)
	}
	return received{}, nil
}

func (w *wording) parseReceive(m *hubprotocol.Invocation) (received, error) {
	var payload string
	if m.Target != TargetReceive || len(m.Arguments) != 1 || w.ParseValue(m.Arguments[0], &payload) != nil {
		return received{}, nil
	}
	s, ok := parseStamp([]byte(payload))
	if !ok {
		return received{}, nil
	}
	if payload[StampSize:] != string(w.filler) {
		return received{}, errPayload
	}
	return received{stamp: s, stamped: true}, nil
}

// call returns the method that a client calls in a scenario, and what goes
// before the payload.
func (p plan) call(stream int, partnerID string) (target string, arguments []string) {
	switch p.scenario {
	case Broadcast:
		return TargetBroadcast, nil
	case SendToGroup:
		first, _ := p.audience(stream)
		return TargetSendToGroup, []string{groupName(p.group(first))}
	case SendToConnection:
		return TargetSendToConnection, []string{partnerID}
	case SendToUser:
		return TargetSendToUser, []string{userID(p.partner(stream))}
	}
	return TargetEcho, nil
}

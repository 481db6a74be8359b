package loadgen

import (
	"errors"
	"fmt"

	"switchboard/hubprotocol"
)

// A Peer is what clients connect to.
type Peer string

// The peers. All but the first are yardsticks of package bench/compare: clients
// go straight to the URL of the hub, without token and negotiation, and know
// the scenarios Echo, Broadcast, Connect and Idle only.
const (
	PeerHub           Peer = ""               // a SignalR hub behind the service
	PeerMirror        Peer = "mirror"         // sends each frame back as it is, to one or to all; a client is open once the WebSocket is
	PeerNATS          Peer = "nats"           // a NATS server: clients publish to the subject that the receivers subscribe to
	PeerNATSResponder Peer = "nats-responder" // likewise, but a round trip is a request that a responder answers
)

// A dialect is what clients say over the WebSocket, and understand. It belongs
// to all loops at once and does not change.
type dialect interface {
	// Binary tells whether messages go in binary frames.
	Binary() bool
	// hello returns what a client says first, nil if it is open without.
	hello(p plan, client int) []byte
	// welcome takes the answer to hello. The error is hubprotocol.ErrIncomplete
	// while that is not whole.
	welcome(b []byte) (rest []byte, err error)
	// next returns the length of the first message, 0 while it is not whole.
	next(b []byte) (int, error)
	// read reads one whole message.
	read(message []byte) (received, error)
	// call returns the messages of a stream, cut where the stamp goes.
	call(p plan, stream int, partnerID string) (head, tail []byte, err error)
	// join returns a message that adds a client to a group, and is answered.
	join(group string) ([]byte, error)
	// keepAlive returns the message that an idle client sends.
	keepAlive() []byte
}

func newDialect(c *Config) (dialect, error) {
	switch c.Peer {
	case PeerHub, PeerMirror:
		w, err := newWording(c.Protocol, c.Payload)
		if err == nil {
			w.mirror = c.Peer == PeerMirror
		}
		return w, err
	case PeerNATS, PeerNATSResponder:
		return newSubjects(c.Payload, c.Peer == PeerNATSResponder), nil
	}
	return nil, fmt.Errorf("peer %q is not known", c.Peer)
}

func (w *wording) hello(plan, int) []byte {
	if w.mirror {
		return nil
	}
	request := hubprotocol.HandshakeRequest{Protocol: w.Name(), Version: 1}
	return request.Append(nil)
}

func (w *wording) welcome(b []byte) (rest []byte, err error) {
	answer, rest, err := hubprotocol.ParseHandshakeResponse(b)
	if err == nil && answer.Error != "" {
		err = errors.New("handshake is refused: " + answer.Error)
	}
	return rest, err
}

func (w *wording) next(b []byte) (int, error) { return w.framing.Next(b) }

func (w *wording) call(p plan, stream int, partnerID string) (head, tail []byte, err error) {
	target, arguments := p.call(stream, partnerID)
	if w.mirror {
		target = TargetReceive // it comes back as it is
	}
	return w.invocation(target, arguments...)
}

func (w *wording) keepAlive() []byte { return w.ping }

var _ dialect = (*wording)(nil)

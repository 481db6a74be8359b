package serviceprotocol

import (
	"slices"
	"strings"
)

// A Payload is one hub message in one hub protocol, with its framing.
type Payload struct {
	Protocol string // "json", "messagepack", or the name of another hub protocol
	Data     []byte
}

// Payloads are the same hub message in several hub protocols. A receiver takes
// the one of the client's protocol and never translates.
//
// Source: azure-signalr ServiceProtocol.cs, WritePayloads; the names' case does
// not matter, MulticastDataMessage.cs.
type Payloads []Payload

// Get returns the payload for the protocol, in any case. It does not allocate.
func (p Payloads) Get(protocol string) (data []byte, ok bool) {
	for i := range p {
		if name := p[i].Protocol; name == protocol || strings.EqualFold(name, protocol) {
			return p[i].Data, true
		}
	}
	return nil, false
}

func (p Payloads) append(b []byte) []byte {
	b = appendMap(b, len(p))
	for i := range p {
		b = appendBin(appendStr(b, p[i].Protocol), p[i].Data)
	}
	return b
}

// size is about what append appends.
func (p Payloads) size() int {
	n := 0
	for i := range p {
		n += 4 + len(p[i].Protocol) + len(p[i].Data)
	}
	return n
}

// payloads appends a payload map to p.
func (r *reader) payloads(p Payloads) Payloads {
	n := r.mapLen("payloads")
	p = slices.Grow(p, min(n, maxReuse))
	for ; n > 0 && r.err == nil; n-- {
		p = append(p, Payload{Protocol: r.str("payloads"), Data: r.bytes("payloads")})
	}
	return p
}

// A multicast ends in the same extensions, whomever it is for.
const withMulticast = withTracingID | withFilter

func appendMulticast(b []byte, tracingID uint64, filter string) []byte {
	return extension{tracingID: tracingID, filter: filter}.append(b)
}

func (r *reader) multicast() (tracingID uint64, filter string) {
	e := r.extension(withMulticast)
	return e.tracingID, e.filter
}

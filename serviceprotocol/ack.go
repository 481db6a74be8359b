package serviceprotocol

// An AckStatus is the outcome that an Ack reports. Others than these exist.
type AckStatus int

const (
	AckOK                  AckStatus = 1
	AckNotFound            AckStatus = 2
	AckTimeout             AckStatus = 3
	AckInternalServerError AckStatus = 4
)

// An Ack answers a message that has an AckID, on the server connection that
// brought it.
//
// Wire: [20, ackId int, status int, message str, extensions map, payload bin].
// The payload is left out if there is none; newer SDKs then write nil. Older
// services send the first four items.
//
// Source: azure-signalr ServiceProtocol.cs, WriteAckMessage and CreateAckMessage;
// the numbers from AckStatus.cs; the payload from ServiceProtocolFacts.cs,
// AckWithPayload.
type Ack struct {
	AckID   int // as the sender of the request chose it
	Status  AckStatus
	Message string
	Payload []byte // the answer to a query; nil means none
}

func (m *Ack) Type() Type { return TypeAck }

func (m *Ack) Append(b []byte) []byte {
	n := 5
	if m.Payload != nil {
		n = 6
	}
	b = append(appendArray(b, n), byte(TypeAck))
	b = appendInt(b, m.AckID)
	b = appendInt(b, int(m.Status))
	b = appendStr(b, m.Message)
	b = appendNoExtension(b)
	if m.Payload != nil {
		b = appendBin(b, m.Payload)
	}
	return b
}

func (m *Ack) parse(r reader) *ParseError {
	*m = Ack{}
	r.require(4)
	m.AckID = r.int("ackId")
	m.Status = AckStatus(r.int("status"))
	m.Message = r.str("message")
	r.skipExtension(5)
	if r.n >= 6 {
		m.Payload = r.bytes("payload")
	}
	return r.err
}

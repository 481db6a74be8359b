package clientconn

import "time"

// Limits of a client connection. The zero value means the defaults.
type Limits struct {
	// HandshakeTimeout is how long a client may take to send its SignalR
	// handshake request. Default 15 s; the claim asrs.s.cht overrides it.
	HandshakeTimeout time.Duration
	// HandshakeBytes bounds the handshake request. Default 32 KiB.
	HandshakeBytes int
	// MessageBytes bounds one hub message from a client. Default none: the
	// service passes a message on in pieces and never holds it whole, and the
	// hub has a limit of its own.
	MessageBytes int
	// InflatedBytes bounds a compressed WebSocket message of a client, as it came and
	// inflated. Default 4 MiB.
	InflatedBytes int
	// QueueBytes bounds what waits for a client that does not read; above it
	// the client is closed with SlowClient. A single message may be larger.
	// Default 4 MiB.
	QueueBytes int
	// PartialBytes bounds a hub message that an app server sends in pieces, of
	// which the last has not come yet. Default 64 MiB.
	PartialBytes int
	// SendTimeout closes a client whose transport takes no bytes for so long. Default 10 s.
	SendTimeout time.Duration
	// ResumeTimeout is how long a client that uses stateful reconnect may be without
	// a socket. Default 15 s.
	ResumeTimeout time.Duration
	// MoveTimeout is how long a connection that shall go over to another server connection
	// waits for a moment when none of its calls runs, and how long the former app server
	// may then take to end what it does for the client. Default 10 s.
	MoveTimeout time.Duration
	// CloseTimeout bounds the flush and the closing handshake of the transport. Default 5 s.
	CloseTimeout time.Duration
}

// WithDefaults returns l with the default for everything that is not set.
func (l Limits) WithDefaults() Limits {
	setDefault(&l.HandshakeTimeout, 15*time.Second)
	setDefault(&l.HandshakeBytes, 32<<10)
	setDefault(&l.InflatedBytes, 4<<20)
	setDefault(&l.QueueBytes, 4<<20)
	setDefault(&l.PartialBytes, 64<<20)
	setDefault(&l.SendTimeout, 10*time.Second)
	setDefault(&l.ResumeTimeout, 15*time.Second)
	setDefault(&l.MoveTimeout, 10*time.Second)
	setDefault(&l.CloseTimeout, 5*time.Second)
	return l
}

func setDefault[T int | time.Duration](field *T, value T) {
	if *field <= 0 {
		*field = value
	}
}

package client

import (
	"context"
	"sync"
	"time"

	"switchboard/hubprotocol"
	"switchboard/internal/resume"
)

// ackDelay is the time from a message of the hub to its acknowledgement.
//
// Source: npm @microsoft/signalr MessageBuffer.ts, _ackTimer.
const ackDelay = time.Second

// resuming is what a session needs to go on over another socket.
//
// Source: npm @microsoft/signalr MessageBuffer.ts.
type resuming struct {
	mu       sync.Mutex
	sent     resume.Sent[[]byte] // guarded by mu, as is all below
	incoming resume.Received
	acked    int64
	ack      *time.Timer
	room     chan struct{} // closed when something is acknowledged; nil unless somebody waits
	ignoring bool          // until the Sequence of a new socket has come
	final    bool          // the next end of the socket is the last
}

func newResuming() *resuming { return &resuming{} }

// keep notes a message that is about to be sent.
func (r *resuming) keep(b []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sent.Add(b, len(b))
}

// awaitRoom waits while too much is not acknowledged.
func (r *resuming) awaitRoom(ctx, life context.Context, limit int) error {
	for {
		r.mu.Lock()
		if r.sent.Bytes() <= limit {
			r.mu.Unlock()
			return nil
		}
		if r.room == nil {
			r.room = make(chan struct{})
		}
		room := r.room
		r.mu.Unlock()
		select {
		case <-room:
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-life.Done():
			return ErrNotConnected
		}
	}
}

// received tells whether a message is to be handled.
func (r *resuming) received(s *session, m hubprotocol.Message) (bool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if sequence, ok := m.(*hubprotocol.Sequence); ok {
		r.ignoring = false
		return false, r.incoming.Sequence(sequence.SequenceID)
	}
	if _, ok := m.(*hubprotocol.Close); ok {
		r.final = true
		return true, nil
	}
	if r.ignoring {
		return false, nil
	}
	if ack, ok := m.(*hubprotocol.Ack); ok {
		err := r.sent.Ack(ack.SequenceID, nil)
		if r.room != nil {
			close(r.room)
			r.room = nil
		}
		return false, err
	}
	if !resume.Counts(m.MessageType()) {
		return true, nil
	}
	take := r.incoming.Take()
	r.acknowledgeSoonLocked(s)
	return take, nil
}

func (r *resuming) acknowledgeSoonLocked(s *session) {
	if r.ack == nil && r.incoming.Highest() > r.acked && !r.final {
		r.ack = time.AfterFunc(ackDelay, func() { r.acknowledge(s) })
	}
}

func (r *resuming) acknowledge(s *session) {
	r.mu.Lock()
	r.ack = nil
	r.acked = r.incoming.Highest()
	n := r.acked
	r.mu.Unlock()
	s.post(&hubprotocol.Ack{SequenceID: n}) // one that is lost is followed by another
}

// finish says that this side ends the connection.
func (r *resuming) finish() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.final = true
}

func (r *resuming) stop() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ack != nil {
		r.ack.Stop()
	}
	r.final = true
}

// resume has the session go on over another socket; the reader has found the old one
// lost. There is one attempt.
func (s *session) resume() bool {
	r := s.resuming
	r.mu.Lock()
	final := r.final
	r.mu.Unlock()
	if final {
		return false
	}
	now, cancel := context.WithCancel(context.Background())
	cancel()
	s.out.current().close(now) // frees who sends
	ctx, stop := context.WithTimeout(s.life, s.config.HandshakeTimeout)
	defer stop()
	socket, err := dialWebSocket(ctx, s.link.requests, s.link.url)
	if err != nil {
		s.config.Logger.Info("connection not resumed", "error", err)
		return false
	}
	s.unread = nil
	s.heard.Store(time.Now().UnixNano())
	r.start(s, socket)
	return true
}

// start has a new socket carry what the other side may not have got, and then what is
// sent from now on.
func (r *resuming) start(s *session, socket transport) {
	s.out.mu.Lock() // nothing is kept meanwhile that is not sent after
	defer s.out.mu.Unlock()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ignoring = true
	first, _ := s.protocol.Append(nil, &hubprotocol.Sequence{SequenceID: r.sent.First()}) // it can always be written
	for b := range r.sent.All {
		first = append(first, b...)
	}
	s.out.replaceLocked(socket, first)
	r.acked = 0 // whether the latest acknowledgement arrived is not known
	r.acknowledgeSoonLocked(s)
}

package mux

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/coder/websocket"
)

const (
	// maxKept bounds what was sent and is not known to have come. Write waits above it.
	maxKept = 4 << 20

	// ackEvery is how many bytes come between two acknowledgements. In quiet times there is
	// one at each ackInterval, so that little is kept.
	ackEvery    = 512 << 10
	ackInterval = 5 * time.Second

	// silence is how many such intervals nothing may come before the end that dials tries another
	// WebSocket: a network may lose one without a word. It is shorter than the idle timeout.
	silence = 4
)

var (
	errDisplaced = errors.New("another WebSocket goes on with the server connection")
	errSilent    = errors.New("nothing has come for a long time")

	// ErrNotResumed ends a Resumable whose peer does not know it any more.
	ErrNotResumed = errors.New("the server connection was not resumed")
)

// A Resumable is a Stream that outlives its WebSocket: when that breaks off, another one goes
// on with it, and no byte is lost or comes twice. Both ends count the bytes of each direction
// from the first one. Each tells the other how many have come, in text messages, which are a
// decimal number; and keeps what it has sent until then. The next WebSocket begins with these
// numbers, in a header, and with what is missing.
//
// Only a close in good order ends it at once. Without a WebSocket it ends after a while, for
// the reason that has ended the last one.
type Resumable struct {
	patience time.Duration // without a WebSocket; fixed, as is redial
	redial   Redial

	message io.Reader // that is being read; owned by the reader, as is of
	of      *websocket.Conn

	writing sync.Mutex // held while data is written; locked before mu

	mu       sync.Mutex
	changed  sync.Cond       // anything below
	socket   *websocket.Conn // nil while there is none; guarded by mu, as are all below
	epoch    int             // grows with each attempt to go on
	reading  bool            // the reader is at work on a WebSocket
	received int64           // bytes
	told     int64           // how many of them the peer knows of
	sent     int64           // bytes
	kept     keptBytes       // the last of them, which the peer is not known to have
	lost     error           // why there is no WebSocket
	losses   int             // how often that was so
	err      error           // why the stream has ended

	due   chan struct{} // capacity 1, tells that the peer should know of more; never closed
	ended chan struct{} // closed when the stream ends
}

// A Redial opens another WebSocket and tells the peer how many bytes have come. It returns how
// many have come there. An error that is ErrNotResumed ends the stream; after any other
// it is called again.
type Redial func(ctx context.Context, received int64) (socket *websocket.Conn, peer int64, err error)

// NewResumable returns a stream over socket that may be without a WebSocket for as long as
// patience. redial is nil at the end that waits to be called.
func NewResumable(socket *websocket.Conn, patience time.Duration, redial Redial) *Resumable {
	socket.SetReadLimit(-1)
	s := &Resumable{
		patience: patience, redial: redial, socket: socket,
		due: make(chan struct{}, 1), ended: make(chan struct{}),
	}
	s.changed.L = &s.mu
	go s.acknowledge()
	return s
}

// Attached tells whether there is a WebSocket at present.
func (s *Resumable) Attached() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.socket != nil && s.err == nil
}

// Read waits while there is no WebSocket.
func (s *Resumable) Read(p []byte) (int, error) {
	for {
		socket, err := s.beginRead()
		if err != nil {
			return 0, err
		}
		n, err := s.readFrom(socket, p)
		s.endRead(n)
		switch {
		case errors.Is(err, io.EOF):
			s.end(io.EOF)
		case err != nil:
			s.lose(socket, err)
		}
		if n > 0 {
			return n, nil
		}
	}
}

func (s *Resumable) beginRead() (*websocket.Conn, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.socket == nil && s.err == nil {
		if s.redial == nil {
			s.changed.Wait()
			continue
		}
		s.mu.Unlock()
		s.reconnect()
		s.mu.Lock()
	}
	if s.err != nil {
		return nil, s.err
	}
	s.reading = true
	return s.socket, nil
}

func (s *Resumable) endRead(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reading = false
	s.received += int64(n)
	if s.received-s.told >= ackEvery {
		select {
		case s.due <- struct{}{}:
		default:
		}
	}
	s.changed.Broadcast()
}

// readFrom returns some bytes of a WebSocket, and takes the acknowledgements among them.
func (s *Resumable) readFrom(socket *websocket.Conn, p []byte) (int, error) {
	if s.of != socket {
		s.of, s.message = socket, nil
	}
	for {
		if s.message == nil {
			kind, message, err := socket.Reader(always)
			if err != nil {
				return 0, readError(err)
			}
			if kind == websocket.MessageText {
				if err := s.takeAck(message); err != nil {
					return 0, err
				}
				continue
			}
			s.message = message
		}
		n, err := s.message.Read(p)
		if errors.Is(err, io.EOF) {
			s.message, err = nil, nil
		}
		if n > 0 || err != nil {
			return n, err
		}
	}
}

func (s *Resumable) takeAck(message io.Reader) error {
	text, err := io.ReadAll(io.LimitReader(message, 21))
	if err != nil {
		return err
	}
	n, err := strconv.ParseInt(string(text), 10, 64)
	if err != nil {
		return fmt.Errorf("acknowledgement: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.forgetLocked(n)
}

// forgetLocked drops what the peer has.
func (s *Resumable) forgetLocked(peer int64) error {
	known := s.sent - int64(s.kept.len())
	if peer < known || peer > s.sent {
		return fmt.Errorf("the peer says that %d bytes have come, of %d to %d", peer, known, s.sent)
	}
	s.kept.drop(int(peer - known))
	s.changed.Broadcast()
	return nil
}

// acknowledge tells the peer how much has come, and notices when nothing does. It is a goroutine of its own, since the reader
// must read on while the peer does not.
func (s *Resumable) acknowledge() {
	ticker := time.NewTicker(ackInterval)
	defer ticker.Stop()
	var heard int64
	silent := 0
	for {
		select {
		case <-s.due:
		case <-ticker.C:
			silent++
		case <-s.ended:
			return
		}
		s.mu.Lock()
		n, news, socket := s.received, s.received > s.told, s.socket
		s.told = n
		s.mu.Unlock()
		if n > heard {
			heard, silent = n, 0
		}
		if silent >= silence && s.redial != nil && socket != nil {
			silent = 0
			s.lose(socket, errSilent)
			continue
		}
		if news && socket != nil {
			_ = socket.Write(always, websocket.MessageText, strconv.AppendInt(nil, n, 10)) // the reader notices
		}
	}
}

// Write returns when p is on its way, or kept for the next WebSocket. It is called by one
// goroutine at a time.
func (s *Resumable) Write(p []byte) (int, error) {
	s.mu.Lock()
	for s.kept.len() > 0 && s.kept.len()+len(p) > maxKept && s.err == nil {
		s.changed.Wait()
	}
	err := s.err
	s.mu.Unlock()
	if err != nil {
		return 0, err
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	s.mu.Lock()
	s.kept.append(p)
	s.sent += int64(len(p))
	socket := s.socket
	s.mu.Unlock()
	if socket != nil {
		s.writeTo(socket, p)
	}
	return len(p), nil
}

func (s *Resumable) writeTo(socket *websocket.Conn, p []byte) {
	for piece := range slices.Chunk(p, writePiece) {
		if err := socket.Write(always, websocket.MessageBinary, piece); err != nil {
			s.lose(socket, err)
			return
		}
	}
}

// lose lets go of a WebSocket that has broken off.
func (s *Resumable) lose(socket *websocket.Conn, err error) {
	s.mu.Lock()
	if s.socket == socket {
		s.socket, s.lost = nil, err
		s.losses++
		n := s.losses
		time.AfterFunc(s.patience, func() { s.expire(n) })
		s.changed.Broadcast()
	}
	s.mu.Unlock()
	_ = socket.CloseNow()
}

// expire ends a stream that has had no WebSocket since its nth loss.
func (s *Resumable) expire(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.socket == nil && s.losses == n {
		s.endLocked(s.lost)
	}
}

// Suspend makes ready for another WebSocket: the present one is let go, and it returns how many
// bytes have come. epoch is for Attach.
func (s *Resumable) Suspend() (epoch int, received int64, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.epoch++
	epoch = s.epoch
	for s.err == nil && (s.socket != nil || s.reading) {
		if socket := s.socket; socket != nil {
			s.mu.Unlock()
			s.lose(socket, errDisplaced)
			s.mu.Lock()
			continue
		}
		s.changed.Wait()
	}
	return epoch, s.received, s.err
}

// Attach goes on over socket, whose peer has got so many bytes. It fails when Suspend was
// called once more meanwhile, or the stream has ended.
func (s *Resumable) Attach(epoch int, socket *websocket.Conn, peer int64) error {
	socket.SetReadLimit(-1)
	s.writing.Lock()
	missing, err := s.attach(epoch, socket, peer)
	if err != nil {
		s.writing.Unlock()
		_ = socket.CloseNow()
		return err
	}
	go func() { // not here: the reader may have called, and both ends have to read
		defer s.writing.Unlock()
		s.writeTo(socket, missing)
	}()
	return nil
}

func (s *Resumable) attach(epoch int, socket *websocket.Conn, peer int64) (missing []byte, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.err != nil:
		return nil, s.err
	case epoch != s.epoch:
		return nil, errDisplaced
	}
	if err := s.forgetLocked(peer); err != nil {
		s.endLocked(err)
		return nil, err
	}
	s.socket, s.lost, s.told = socket, nil, s.received
	s.changed.Broadcast()
	return s.kept.clone(), nil
}

// reconnect opens another WebSocket, or ends the stream.
func (s *Resumable) reconnect() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		select {
		case <-s.ended:
			cancel()
		case <-ctx.Done():
		}
	}()
	epoch, received, err := s.Suspend()
	for wait := 20 * time.Millisecond; err == nil; wait *= 2 {
		socket, peer, dialError := s.redial(ctx, received)
		switch {
		case dialError == nil:
			if err := s.Attach(epoch, socket, peer); err != nil {
				s.end(err)
			}
			return
		case errors.Is(dialError, ErrNotResumed):
			s.mu.Lock()
			lost := s.lost
			s.mu.Unlock()
			s.end(lost)
			return
		}
		select {
		case <-time.After(wait):
		case <-s.ended:
			return
		}
	}
}

// end ends the stream for good, and tells whether it had not ended yet.
func (s *Resumable) end(err error) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.endLocked(err)
}

func (s *Resumable) endLocked(err error) bool {
	if s.err != nil {
		return false
	}
	s.err = err
	close(s.ended)
	s.changed.Broadcast()
	return true
}

func (s *Resumable) present() *websocket.Conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.socket
}

var errClosed = errors.New("the server connection was closed by this side")

// Close closes the WebSocket in good order, which tells the peer not to go on.
func (s *Resumable) Close() error {
	ended, socket := s.end(errClosed), s.present()
	if !ended || socket == nil {
		return nil
	}
	return socket.Close(websocket.StatusNormalClosure, "")
}

// Abort ends the stream at once.
func (s *Resumable) Abort() error {
	s.end(errClosed)
	if socket := s.present(); socket != nil {
		return socket.CloseNow()
	}
	return nil
}

// keptBytes is a queue of bytes.
type keptBytes struct {
	bytes []byte
	from  int // those before are gone
}

func (k *keptBytes) len() int { return len(k.bytes) - k.from }

func (k *keptBytes) clone() []byte { return slices.Clone(k.bytes[k.from:]) }

func (k *keptBytes) append(p []byte) {
	if len(k.bytes)+len(p) > cap(k.bytes) && k.from > len(k.bytes)/2 {
		k.bytes, k.from = append(k.bytes[:0], k.bytes[k.from:]...), 0
	}
	k.bytes = append(k.bytes, p...)
}

func (k *keptBytes) drop(n int) {
	if k.from += n; k.from < len(k.bytes) {
		return
	}
	if k.bytes, k.from = k.bytes[:0], 0; cap(k.bytes) > keepPending && n < keepPending/16 {
		k.bytes = nil // the burst is over
	}
}

package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"switchboard/hubprotocol"
	"switchboard/internal/resume"
	"switchboard/negotiate"
)

// A session is one connection that the hub knows, from handshake to end.
type session struct {
	conn     *Conn // fixed, as are all to the empty line
	config   *Config
	link     *link
	protocol hubprotocol.Protocol
	life     context.Context // ends with the session
	end      context.CancelCauseFunc
	work     sync.WaitGroup // goroutines
	queue    chan *hubprotocol.Invocation
	out      *outbox
	resuming *resuming // nil without stateful reconnect

	unread []byte // owned by the reader, as are all to the empty line
	closed *hubprotocol.Close

	heard atomic.Int64 // when bytes last came, in Unix nanoseconds
	spoke atomic.Int64 // when something was last sent

	mu      sync.Mutex
	lastID  int64
	waiting map[string]receiver // calls and streams, by invocation id; nil when the session has ended
}

// A receiver gets what the hub answers to one call. Its methods are called by the
// session's reader and do not wait.
type receiver interface {
	item(raw []byte) error // an error gives the call up
	complete(m *hubprotocol.Completion)
	fail(err error)
}

func newSession(c *Conn, l *link) *session {
	s := &session{
		conn: c, config: &c.config, link: l, protocol: c.config.Protocol, out: newOutbox(l.transport),
		queue:   make(chan *hubprotocol.Invocation, c.config.HandlerBuffer),
		waiting: map[string]receiver{},
	}
	if l.stateful {
		s.resuming = newResuming()
	}
	s.life, s.end = context.WithCancelCause(context.Background())
	now := time.Now().UnixNano()
	s.heard.Store(now)
	s.spoke.Store(now)
	return s
}

// shakeHands sends the request and waits for the answer; what came behind it is kept.
func (s *session) shakeHands(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, s.config.HandshakeTimeout, errHandshakeTimeout)
	defer cancel()
	request := hubprotocol.HandshakeRequest{Protocol: s.protocol.Name(), Version: 1}
	if s.resuming != nil {
		request.Version = 2
	}
	if err := s.link.send(ctx, request.Append(nil), false); err != nil {
		return s.handshakeFailed(ctx, err)
	}
	for {
		answer, rest, err := hubprotocol.ParseHandshakeResponse(s.unread)
		switch {
		case err == nil && answer.Error != "":
			return &HandshakeError{answer.Error}
		case err == nil:
			s.unread = rest
			return nil
		case !errors.Is(err, hubprotocol.ErrIncomplete):
			return err
		case len(s.unread) > maxHandshakeBytes:
			return errors.New("handshake: the answer is too long")
		}
		b, err := s.link.receive(ctx)
		if err != nil {
			return s.handshakeFailed(ctx, err)
		}
		s.unread = append(s.unread, b...)
	}
}

const maxHandshakeBytes = 64 << 10

var errHandshakeTimeout = errors.New("the server did not answer in time")

func (s *session) handshakeFailed(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	} else if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("handshake: %w", err)
}

// run starts the goroutines, whose end serve awaits.
func (s *session) run() {
	s.work.Go(func() { s.end(s.read()) })
	s.work.Go(s.send)
	s.work.Go(s.handle)
	if s.link.kind != negotiate.LongPolling {
		s.work.Go(s.watch)
	}
}

// serve returns when the session has ended, and why, and whether the server lets it be
// followed by another. It ends the session when life does.
func (s *session) serve(life context.Context) (reason error, again bool) {
	select {
	case <-s.life.Done():
	case <-life.Done():
		s.leave()
	}
	reason = context.Cause(s.life)
	s.abandon(reason)
	wait, cancel := context.WithTimeout(context.Background(), closeWait)
	defer cancel()
	s.out.current().close(wait)
	s.work.Wait()
	if s.resuming != nil {
		s.resuming.stop()
	}
	if s.closed != nil {
		again = s.closed.AllowReconnect
	} else {
		again = true
	}
	if errors.Is(reason, io.EOF) {
		reason = nil
	}
	return reason, again
}

// leave tells the hub that this client goes, and ends the session.
func (s *session) leave() {
	wait, cancel := context.WithTimeout(context.WithoutCancel(s.life), closeWait) // the session may end before
	defer cancel()
	if s.resuming != nil {
		s.resuming.finish()
	}
	s.post(&hubprotocol.Close{})
	_ = s.out.flush(wait, s.life)
	s.out.current().close(wait) // while the session lives: to end it would break the transport off, and the goodbye with it
	s.end(errStopped)
}

// abandon fails what waits for an answer.
func (s *session) abandon(reason error) {
	if reason == nil || errors.Is(reason, io.EOF) || errors.Is(reason, errStopped) {
		reason = errLost
	}
	s.mu.Lock()
	waiting := s.waiting
	s.waiting = nil
	s.mu.Unlock()
	for _, r := range waiting {
		r.fail(reason)
	}
}

// read handles what comes until the session ends, and returns why it does: io.EOF for
// an end in good order.
func (s *session) read() error {
	for {
		if err := s.split(); err != nil {
			return err
		}
		if s.closed != nil {
			if s.closed.Error != "" {
				return &CloseError{s.closed.Error, s.closed.AllowReconnect}
			}
			return io.EOF
		}
		b, err := s.out.current().receive(s.life)
		if err != nil {
			if s.life.Err() != nil {
				return context.Cause(s.life)
			}
			if s.resuming == nil || !s.resume() {
				return err
			}
			continue
		}
		s.heard.Store(time.Now().UnixNano())
		s.unread = append(s.unread, b...)
	}
}

// split handles the whole messages of unread.
func (s *session) split() error {
	rest := s.unread
	for s.closed == nil {
		message, behind, err := s.protocol.Split(rest, s.config.MaximumMessageBytes)
		if err != nil {
			return err
		}
		if message == nil {
			break
		}
		rest = behind
		m, err := s.protocol.Parse(message)
		if err != nil {
			return err
		}
		if err := s.dispatch(m); err != nil {
			return err
		}
	}
	s.unread = append(s.unread[:0], rest...)
	if len(s.unread) == 0 && cap(s.unread) > keepBytes {
		s.unread = nil
	}
	return nil
}

// keepBytes is the largest buffer that stays.
const keepBytes = 64 << 10

func (s *session) dispatch(m hubprotocol.Message) error {
	if s.resuming != nil {
		if take, err := s.resuming.received(s, m); !take || err != nil {
			return err
		}
	}
	switch m := m.(type) {
	case *hubprotocol.Invocation:
		m = cloneArguments(m) // they lie in unread
		select {
		case s.queue <- m:
		case <-s.life.Done():
		}
	case *hubprotocol.StreamItem:
		if r := s.receiver(m.InvocationID, false); r != nil {
			if err := r.item(m.Item); err != nil {
				s.giveUp(m.InvocationID, err)
			}
		}
	case *hubprotocol.Completion:
		if r := s.receiver(m.InvocationID, true); r != nil {
			r.complete(m)
		}
	case *hubprotocol.Close:
		s.closed = m
	}
	return nil
}

func cloneArguments(m *hubprotocol.Invocation) *hubprotocol.Invocation {
	size := 0
	for _, raw := range m.Arguments {
		size += len(raw)
	}
	b := make([]byte, 0, size)
	for i, raw := range m.Arguments {
		start := len(b)
		b = append(b, raw...)
		m.Arguments[i] = b[start:]
	}
	return m
}

// expect notes who gets the answer to a call, and returns its id.
func (s *session) expect(r receiver) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.waiting == nil {
		return "", ErrNotConnected
	}
	id := s.nextIDLocked()
	s.waiting[id] = r
	return id, nil
}

func (s *session) nextIDLocked() string {
	s.lastID++
	return strconv.FormatInt(s.lastID-1, 10)
}

// newID returns an id for a stream to the hub; calls have theirs from the same numbers.
func (s *session) newID() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.nextIDLocked()
}

func (s *session) receiver(id string, last bool) receiver {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.waiting[id]
	if last {
		delete(s.waiting, id)
	}
	return r
}

func (s *session) forget(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.waiting, id)
}

// giveUp ends a stream that this side does not want any more.
func (s *session) giveUp(id string, err error) {
	if r := s.receiver(id, true); r != nil {
		r.fail(err)
		s.cancel(id)
	}
}

// spawn starts a goroutine, unless the session has ended.
func (s *session) spawn(work func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.waiting != nil {
		s.work.Go(work)
	}
}

// cancel asks the hub to stop a call.
func (s *session) cancel(id string) { s.post(&hubprotocol.CancelInvocation{InvocationID: id}) }

// sendMessage has a message sent. It waits while much waits already.
func (s *session) sendMessage(ctx context.Context, m hubprotocol.Message) error {
	b, err := s.protocol.Append(nil, m)
	if err != nil {
		return err
	}
	if s.resuming == nil || !resume.Counts(m.MessageType()) {
		return s.out.add(ctx, s.life, b, nil)
	}
	if err := s.resuming.awaitRoom(ctx, s.life, s.config.StatefulBufferBytes); err != nil {
		return err
	}
	return s.out.add(ctx, s.life, b, func() { s.resuming.keep(b) })
}

// post has a small message sent, which can always be written. It does not wait.
func (s *session) post(m hubprotocol.Message) {
	b, _ := s.protocol.Append(nil, m)
	if s.resuming != nil && resume.Counts(m.MessageType()) {
		s.out.push(b, func() { s.resuming.keep(b) })
		return
	}
	s.out.push(b, nil)
}

// send sends what waits, until the session ends.
func (s *session) send() {
	for {
		b, transport := s.out.take()
		if len(b) == 0 {
			select {
			case <-s.out.wake:
				continue
			case <-s.life.Done():
				return
			}
		}
		s.spoke.Store(time.Now().UnixNano())
		if err := transport.send(s.life, b, s.protocol.Binary()); err != nil && s.resuming == nil {
			s.end(err) // else the reader finds it out, and what counts is sent again
			return
		}
	}
}

// watch pings, and ends a session over which nothing comes.
func (s *session) watch() {
	s.post(&hubprotocol.Ping{}) // arms the timeout of the server
	for {
		silent := s.config.ServerTimeout - time.Since(time.Unix(0, s.heard.Load()))
		quiet := s.config.KeepAliveInterval - time.Since(time.Unix(0, s.spoke.Load()))
		if silent <= 0 {
			s.end(ErrServerTimeout)
			return
		}
		if quiet <= 0 {
			s.post(&hubprotocol.Ping{})
			quiet = s.config.KeepAliveInterval
		}
		timer := time.NewTimer(min(silent, quiet))
		select {
		case <-timer.C:
		case <-s.life.Done():
			timer.Stop()
			return
		}
	}
}

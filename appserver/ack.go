package appserver

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"switchboard/serviceprotocol"
)

// ackTimeout is how long a service may take to confirm.
//
// Source: azure-signalr AckHandler.cs.
const ackTimeout = 10 * time.Second

// acks are the requests of one server connection that the service has not yet
// confirmed.
type acks struct {
	mu      sync.Mutex
	waiting map[int]*confirmation // nil until there is one
	ended   bool
}

// settle hands an answer to who waits for it. One that is late is dropped.
func (s *serverConn) settle(m *serviceprotocol.Ack) {
	s.acks.mu.Lock()
	c := s.acks.waiting[m.AckID]
	delete(s.acks.waiting, m.AckID)
	s.acks.mu.Unlock()
	if c != nil {
		c.answer(s, ackError(m.Status), m.Status == serviceprotocol.AckOK)
	}
}

// endAcks tells all who wait that no answer will come.
func (s *serverConn) endAcks() {
	s.acks.mu.Lock()
	waiting := s.acks.waiting
	s.acks.waiting, s.acks.ended = nil, true
	s.acks.mu.Unlock()
	for _, c := range waiting {
		c.answer(s, ErrServerConnectionLost, false)
	}
}

// A confirmation is what the services that were sent a request answer. One of them that
// says yes is enough; else all are waited for.
//
// Source: azure-signalr MultiEndpointMessageWriter.cs.
type confirmation struct {
	id   int
	done chan struct{} // closed when it is settled

	mu      sync.Mutex
	asked   []*serverConn // those that have not answered; guarded by mu, as are all below
	sealed  bool          // nobody else will be asked
	settled bool
	fault   error // of one that could not say
}

func newConfirmation(id int) *confirmation { return &confirmation{id: id, done: make(chan struct{})} }

// ask sends the request over s.
func (c *confirmation) ask(ctx context.Context, s *serverConn, m serviceprotocol.Message) error {
	c.mu.Lock()
	c.asked = append(c.asked, s)
	c.mu.Unlock()
	s.acks.mu.Lock()
	if !s.acks.ended { // else it cannot be sent either
		if s.acks.waiting == nil {
			s.acks.waiting = map[int]*confirmation{}
		}
		s.acks.waiting[c.id] = c
	}
	s.acks.mu.Unlock()
	err := s.link.Send(ctx, m)
	if err != nil {
		c.mu.Lock()
		c.strikeLocked(s)
		c.mu.Unlock()
		c.forget(s)
	}
	return err
}

// wait returns what came of the request. It is called once.
func (c *confirmation) wait(ctx context.Context) error {
	c.mu.Lock()
	c.sealed = true
	c.settleLocked(false)
	c.mu.Unlock()
	limit := time.NewTimer(ackTimeout)
	defer limit.Stop()
	var err error
	select {
	case <-c.done:
	case <-ctx.Done():
		err = context.Cause(ctx)
	case <-limit.C:
		err = ErrTimeout
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.asked {
		defer c.forget(s)
	}
	if err != nil {
		return err
	}
	return c.fault
}

func (c *confirmation) forget(s *serverConn) {
	s.acks.mu.Lock()
	defer s.acks.mu.Unlock()
	delete(s.acks.waiting, c.id)
}

// answer notes what the service at the other end of s says.
func (c *confirmation) answer(s *serverConn, err error, yes bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.strikeLocked(s) || c.settled {
		return
	}
	if err != nil {
		c.fault = err
	}
	c.settleLocked(yes)
}

func (c *confirmation) strikeLocked(s *serverConn) (asked bool) {
	i := slices.Index(c.asked, s)
	if i >= 0 {
		c.asked = slices.Delete(c.asked, i, i+1)
	}
	return i >= 0
}

func (c *confirmation) settleLocked(yes bool) {
	if c.settled || !yes && (!c.sealed || len(c.asked) > 0) {
		return
	}
	if yes {
		c.fault = nil
	}
	c.settled = true
	close(c.done)
}

// ackError reads a service's answer. Not found is success: what should be gone
// is gone, and a connection that has just ended is nobody's mistake.
func ackError(status serviceprotocol.AckStatus) error {
	switch status {
	case serviceprotocol.AckOK, serviceprotocol.AckNotFound:
		return nil
	case serviceprotocol.AckTimeout, serviceprotocol.AckInternalServerError:
		return ErrTimeout
	}
	return fmt.Errorf("service answered with status %d", int(status))
}

package appserver

import (
	"sync"

	"switchboard/serviceprotocol"
)

// acks are the requests of one server connection that the service has not yet
// confirmed.
type acks struct {
	mu      sync.Mutex
	waiting map[int]chan serviceprotocol.AckStatus // capacity 1; closed when the connection ends
	ended   bool
}

// expect returns the channel for the answer to a request about to be sent.
func (a *acks) expect(id int) <-chan serviceprotocol.AckStatus {
	answer := make(chan serviceprotocol.AckStatus, 1)
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.ended {
		close(answer)
		return answer
	}
	if a.waiting == nil {
		a.waiting = map[int]chan serviceprotocol.AckStatus{}
	}
	a.waiting[id] = answer
	return answer
}

func (a *acks) forget(id int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.waiting, id)
}

// settle hands an answer to who waits for it. One that is late is dropped.
func (a *acks) settle(m *serviceprotocol.Ack) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if answer, ok := a.waiting[m.AckID]; ok {
		delete(a.waiting, m.AckID)
		answer <- m.Status
	}
}

// end tells all who wait that no answer will come.
func (a *acks) end() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.ended = true
	for id, answer := range a.waiting {
		delete(a.waiting, id)
		close(answer)
	}
}

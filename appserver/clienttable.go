package appserver

import "sync"

// clientTable holds the clients of a hub by their connection id.
type clientTable struct {
	mu   sync.RWMutex
	byID map[string]*client
}

func (t *clientTable) get(id string) *client {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.byID[id]
}

// put returns the client that had the id until now, if there was one.
func (t *clientTable) put(c *client) (before *client) {
	t.mu.Lock()
	defer t.mu.Unlock()
	before = t.byID[c.id]
	t.byID[c.id] = c
	return before
}

// remove leaves another client that has taken over the id.
func (t *clientTable) remove(c *client) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.byID[c.id] == c {
		delete(t.byID, c.id)
	}
}

func (t *clientTable) appendTo(list []*client) []*client {
	t.mu.RLock()
	defer t.mu.RUnlock()
	for _, c := range t.byID {
		list = append(list, c)
	}
	return list
}

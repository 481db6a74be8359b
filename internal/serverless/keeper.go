package serverless

import (
	"context"
	"sync"
	"time"

	"switchboard/hubprotocol"
	"switchboard/internal/pairing"
	"switchboard/serviceprotocol"
)

// A Keeper keeps the clients of all stand-ins alive. The zero value is ready to use.
type Keeper struct {
	mu         sync.Mutex
	responders []*Responder // guarded by mu
}

// Add returns a new stand-in for hub.
func (k *Keeper) Add(hub Hub) *Responder {
	k.mu.Lock()
	defer k.mu.Unlock()
	r := New(hub)
	k.responders = append(k.responders, r)
	return r
}

// Run pings clients and closes silent ones until ctx is done.
func (k *Keeper) Run(ctx context.Context) {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		select {
		case now := <-ticker.C:
			for _, r := range k.all() {
				r.tick(ctx, now)
			}
		case <-ctx.Done():
			return
		}
	}
}

func (k *Keeper) all() []*Responder {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.responders[:len(k.responders):len(k.responders)]
}

// tick pings and closes whom it is time for.
func (r *Responder) tick(ctx context.Context, now time.Time) {
	due, silent := r.due(now)
	for _, id := range silent {
		_ = r.close(id, pairing.PingTimeout, "")
	}
	for id, protocol := range due {
		ping, err := protocol.Append(nil, &hubprotocol.Ping{})
		if err == nil { // always
			_ = r.hub.FromServer(ctx, r, &serviceprotocol.ConnectionData{ConnectionID: id, Payload: ping})
		}
	}
}

func (r *Responder) due(now time.Time) (due map[string]hubprotocol.Protocol, silent []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	due = map[string]hubprotocol.Protocol{}
	for id, s := range r.sessions {
		switch {
		case now.Sub(s.lastSeen) > ClientTimeout:
			silent = append(silent, id)
		case s.protocol != nil && now.Sub(s.lastPing) >= PingInterval:
			s.lastPing = now
			due[id] = s.protocol
		}
	}
	return due, silent
}

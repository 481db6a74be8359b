package conformance_test

import (
	"strings"
	"sync"

	"switchboard/appserver"
)

// A SoakHub is what the clients of a soak call. It notes who came and went.
type SoakHub struct {
	mu    sync.Mutex
	gone  map[string]chan struct{} // by connection id, of those that came; closed by OnDisconnected; guarded by mu
	twice []string                 // what happened twice to one connection; guarded by mu
}

func (h *SoakHub) OnConnected(ctx *appserver.Context) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.gone[ctx.ConnectionID()] != nil {
		h.twice = append(h.twice, "OnConnected of "+ctx.ConnectionID())
	}
	h.gone[ctx.ConnectionID()] = make(chan struct{})
	return nil
}

func (h *SoakHub) OnDisconnected(ctx *appserver.Context, _ error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	gone := h.gone[ctx.ConnectionID()]
	select {
	case <-gone:
		h.twice = append(h.twice, "OnDisconnected of "+ctx.ConnectionID())
	default:
		close(gone)
	}
}

// left returns what OnDisconnected of the client closes.
func (h *SoakHub) left(id string) <-chan struct{} {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.gone[id]
}

// open counts the clients whose OnDisconnected was not called.
func (h *SoakHub) open() (n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, gone := range h.gone {
		select {
		case <-gone:
		default:
			n++
		}
	}
	return n
}

// Join adds the caller to a group and tells it its connection id.
func (h *SoakHub) Join(ctx *appserver.Context, group string) (string, error) {
	return ctx.ConnectionID(), ctx.Groups().Join(ctx, group)
}

// Echo sends the number back.
func (h *SoakHub) Echo(ctx *appserver.Context, n int) error {
	return ctx.Clients().Caller().Send(ctx, "echo", n)
}

// Flood sends the caller more than any queue holds, until the service has enough
// of it.
func (h *SoakHub) Flood(ctx *appserver.Context) {
	text := strings.Repeat("flood", 10_000)
	for ctx.Err() == nil && ctx.Clients().Caller().Send(ctx, "flood", text) == nil {
	}
}

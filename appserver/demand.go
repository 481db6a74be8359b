package appserver

import (
	"context"
	"errors"
	"strings"
	"sync"

	"switchboard/internal/mux"
	"switchboard/serviceprotocol"
)

// meetDemand opens a further server connection each time the service asks for one,
// up to Config.MaxServerConnections, until ctx is done. Such a connection is not
// replaced when it ends, which is how the service gives it up again.
//
// Source: azure-signalr StrongServiceConnectionContainer.cs.
func (h *hub) meetDemand(ctx context.Context) {
	var open sync.WaitGroup
	defer open.Wait()
	fixed, limit := h.app.config.ServerConnections, h.app.config.MaxServerConnections
	for {
		select {
		case target := <-h.demand:
			if limit > 0 && fixed+int(h.onDemand.Load()) >= max(limit, fixed) {
				h.log.Info("service asks for one more server connection than MaxServerConnections allows", "limit", limit)
				continue
			}
			h.onDemand.Add(1)
			open.Go(func() {
				defer h.onDemand.Add(-1)
				h.connectOnDemand(ctx, target)
			})
		case <-ctx.Done():
			return
		}
	}
}

// connectOnDemand tries once, and serves the connection until it ends.
func (h *hub) connectOnDemand(ctx context.Context, target string) {
	s, err := h.dial(ctx, serviceprotocol.ConnectionOnDemand, target)
	if _, refused := errors.AsType[*mux.HandshakeError](err); refused {
		h.log.Info("service has no need of the server connection any more", "error", err)
		return
	}
	if err != nil {
		if ctx.Err() == nil {
			h.log.Warn("server connection on demand not opened", "error", err)
		}
		return
	}
	h.log.Info("server connection on demand opened")
	if err := s.serve(ctx); ctx.Err() == nil {
		h.log.Info("server connection on demand ended", "error", err)
	}
}

// wanted notes that the service asks for a server connection to one of its instances.
func (h *hub) wanted(target string) {
	select {
	case h.demand <- strings.Clone(target):
	default: // it asks again
	}
}

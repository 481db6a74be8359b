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
func (e *HubEndpoint) meetDemand(ctx context.Context) {
	var open sync.WaitGroup
	defer open.Wait()
	fixed, limit := e.line.app.config.ServerConnections, e.line.app.config.MaxServerConnections
	for {
		select {
		case target := <-e.demand:
			if limit > 0 && fixed+int(e.onDemand.Load()) >= max(limit, fixed) {
				e.log.Info("service asks for one more server connection than MaxServerConnections allows", "limit", limit)
				continue
			}
			e.onDemand.Add(1)
			open.Go(func() {
				defer e.onDemand.Add(-1)
				e.connectOnDemand(ctx, target)
			})
		case <-ctx.Done():
			return
		}
	}
}

// connectOnDemand tries once, and serves the connection until it ends.
func (e *HubEndpoint) connectOnDemand(ctx context.Context, target string) {
	s, err := e.dial(ctx, serviceprotocol.ConnectionOnDemand, target)
	if _, refused := errors.AsType[*mux.HandshakeError](err); refused {
		e.log.Info("service has no need of the server connection any more", "error", err)
		return
	}
	if err != nil {
		if ctx.Err() == nil {
			e.log.Warn("server connection on demand not opened", "error", err)
		}
		return
	}
	e.log.Info("server connection on demand opened")
	if err := s.serve(ctx); ctx.Err() == nil {
		e.log.Info("server connection on demand ended", "error", err)
	}
}

// wanted notes that the service asks for a server connection to one of its instances.
func (e *HubEndpoint) wanted(target string) {
	select {
	case e.demand <- strings.Clone(target):
	default: // it asks again
	}
}

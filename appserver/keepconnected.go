package appserver

import (
	"context"
	"time"
)

// shortLife is how long a server connection must have worked for the next
// attempt to be made at once.
const shortLife = time.Second

// keepConnected holds one server connection, and opens a new one whenever it ends, until
// ctx is done.
func (e *HubEndpoint) keepConnected(ctx context.Context) {
	line := &place{backoff: &e.backoff, seen: -1}
	for {
		var s *serverConn
		err := line.connect(ctx, func() (err error) {
			if s, err = e.dial(ctx, e.connectionType(), ""); err != nil && ctx.Err() == nil {
				e.log.Warn("server connection not opened", "error", err)
			}
			return err
		})
		if err != nil {
			return
		}
		opened := time.Now()
		e.log.Info("server connection opened")
		err = s.serve(ctx)
		if ctx.Err() != nil {
			return
		}
		e.log.Warn("server connection ended", "error", err)
		line.seen = e.backoff.successes.Load()
		if time.Since(opened) < shortLife {
			e.backoff.failures.CompareAndSwap(0, 1) // it opens and breaks: that shall not go round and round
		}
	}
}

package clientconn

import (
	"context"
	"sync"
)

// AwaitEnds waits until connections that have been closed have ended. When ctx is done before that it
// aborts them, and returns the cause.
func AwaitEnds(ctx context.Context, open *sync.WaitGroup, abort func()) error {
	done := make(chan struct{})
	go func() {
		open.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		abort()
		<-done
		return context.Cause(ctx)
	}
}

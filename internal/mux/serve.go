package mux

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"sync"
	"time"

	"switchboard/serviceprotocol"
)

// errGraceful is the cause inside Serve when its caller asked for the end.
var errGraceful = errors.New("server connection closed by this side")

// Serve runs the connection until ctx is done or something fails, and returns
// the first failure: io.EOF when the peer closed in good order, the cause of
// ctx when this side did. handle is called for one message after the other;
// the message and all it holds are valid until handle returns, and a handle
// that waits holds up the peer. Its context ends with the connection.
//
// When ctx is done, what is queued is still sent, for at most five seconds.
// When Serve returns, the goroutines it started have ended.
func (c *Conn) Serve(ctx context.Context, handle func(context.Context, serviceprotocol.Message) error) error {
	run, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	defer context.AfterFunc(ctx, func() { cancel(errGraceful) })()
	if ctx.Err() != nil { // AfterFunc runs later; nothing shall be handled any more
		cancel(errGraceful)
	}

	var workers sync.WaitGroup
	workers.Go(func() { cancel(c.writeLoop(run)) })
	workers.Go(func() { c.watch(run, cancel) })
	cancel(c.readLoop(run, handle))
	workers.Wait()
	if c.lastLimit != nil {
		c.lastLimit.Stop()
	}
	if err := context.Cause(run); !errors.Is(err, errGraceful) {
		return err
	}
	return context.Cause(ctx)
}

// writeLoop sends all that is queued in one write, then waits for more.
func (c *Conn) writeLoop(ctx context.Context) error {
	var batch []byte
	for {
		select {
		case <-c.wake:
		case <-ctx.Done():
			return c.finish(ctx)
		}
		runtime.Gosched() // those who are about to queue go first, so that one write takes it all
		if batch = c.take(batch); len(batch) == 0 {
			continue
		}
		if err := c.write(batch); err != nil {
			c.end() // lets go those who wait for room
			return err
		}
	}
}

// finish sends the rest of the queue and closes the stream when this side ends
// in good order. Otherwise watch aborts it, and the rest is dropped.
func (c *Conn) finish(ctx context.Context) error {
	unsent := c.end()
	if !errors.Is(context.Cause(ctx), errGraceful) {
		return nil
	}
	if err := c.write(unsent); err != nil {
		return c.stream.Abort()
	}
	return c.stream.Close()
}

// write sends a batch in pieces, so that a large one on a slow line is not
// taken for a stall.
func (c *Conn) write(batch []byte) error {
	defer c.writingSince.Store(0)
	for piece := range slices.Chunk(batch, writePiece) {
		c.writingSince.Store(c.clock())
		n, err := c.stream.Write(piece)
		c.bytesOut.Add(int64(n))
		if err != nil {
			return err
		}
	}
	return nil
}

// watch sends the keep-alive pings and ends a connection whose peer is silent
// or takes nothing. It never waits for the peer itself, so it is the one that
// frees reader and writer when they do: at once after a failure, after a last
// limit when this side closes in good order.
func (c *Conn) watch(ctx context.Context, fail context.CancelCauseFunc) {
	ticker := time.NewTicker(c.options.PingInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			if err := c.check(); err != nil {
				fail(err)
			}
		case <-ctx.Done():
			if errors.Is(context.Cause(ctx), errGraceful) {
				c.lastLimit = time.AfterFunc(closeWait, func() { _ = c.stream.Abort() })
			} else {
				_ = c.stream.Abort()
			}
			return
		}
	}
}

func (c *Conn) check() error {
	now := c.clock()
	if longerThan(now, c.readingSince.Load(), c.options.IdleTimeout) {
		return ErrIdle
	}
	if longerThan(now, c.writingSince.Load(), c.options.StallTimeout) {
		return ErrStalled
	}
	c.mu.Lock()
	quiet := len(c.pending) == 0 && c.writingSince.Load() == 0
	c.mu.Unlock()
	if ping := c.options.Ping(); quiet || len(ping.Messages) > 0 {
		_ = c.Post(ping) // if it has ended by now, no ping is needed
	}
	return nil
}

// clock is the time since the connection was made, and never 0. It takes no
// notice of the wall clock being set.
func (c *Conn) clock() int64 { return int64(time.Since(c.made)) + 1 }

func longerThan(now, since int64, limit time.Duration) bool {
	return since != 0 && time.Duration(now-since) > limit
}

func (c *Conn) readLoop(ctx context.Context, handle func(context.Context, serviceprotocol.Message) error) error {
	for ctx.Err() == nil {
		m, err := c.next()
		if err != nil {
			return err
		}
		if err := handle(ctx, m); err != nil {
			return err
		}
	}
	return context.Cause(ctx)
}

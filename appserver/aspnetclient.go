package appserver

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"

	"switchboard/accesstoken"
	"switchboard/aspnetprotocol"
	"switchboard/serviceprotocol"
)

// An aspNetClient is one connection of a client of ASP.NET SignalR, which may listen to several
// hubs. What comes for it waits in a queue; a goroutine works on that while there is something.
type aspNetClient struct {
	peer
	app     *application // fixed, as are all to the empty line
	context context.Context
	cancel  context.CancelCauseFunc
	mayHubs []string // that do not let everybody in, but this client

	mu        sync.Mutex
	hubs      []*hub // that the client listens to; set by the first job, then fixed
	queue     []job  // guarded by mu, as are all below
	pending   int    // bytes in queue
	working   bool   // a goroutine works on the queue
	waiting   bool   // the next job has to wait for a call to return
	running   int    // calls
	connected bool   // OnConnected was good, so OnDisconnected is due
	over      bool   // the client is gone, or about to
	discard   bool   // what is in the queue is not done any more
}

// A job is something to be done for a client, in turn.
type job struct {
	kind jobKind
	text []byte // of a call
	err  error  // for OnDisconnected
}

type jobKind int

const (
	jobCall jobKind = iota
	jobConnect
	jobReconnect
	jobDisconnect
)

func newAspNetClient(app *application, s *serverConn, m *serviceprotocol.OpenConnection) *aspNetClient {
	c := &aspNetClient{app: app}
	for _, claim := range c.introduce(s, m).Claims {
		if claim.Type == accesstoken.ClaimAspNetHubs {
			c.mayHubs = strings.Fields(claim.Value)
		}
	}
	c.context, c.cancel = context.WithCancelCause(context.Background())
	return c
}

// newContext returns a context for a hub.
func (c *aspNetClient) newContext(ctx context.Context, h *hub) *Context {
	return &Context{Context: ctx, peer: &c.peer, hub: h, aspNet: &aspNetCall{client: c}}
}

// receive takes what the client has sent. It copies it and never waits.
func (c *aspNetClient) receive(text []byte) {
	if string(text) == aspnetprotocol.Reconnect {
		c.push(job{kind: jobReconnect})
		return
	}
	c.mu.Lock()
	full := c.pending+len(text) > c.app.maxPending
	c.mu.Unlock()
	if full {
		c.app.log.Warn("client closed: it sends faster than its messages are handled", "connection_id", c.id)
		c.end(errTooMuchPending.Error())
		return
	}
	c.push(job{kind: jobCall, text: bytes.Clone(text)})
}

// push puts a job into the queue, unless the client is gone.
func (c *aspNetClient) push(j job) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.over {
		c.pushLocked(j)
	}
}

func (c *aspNetClient) pushLocked(j job) {
	c.queue = append(c.queue, j)
	c.pending += len(j.text)
	if !c.working && !c.waiting {
		c.workLocked()
	}
}

func (c *aspNetClient) workLocked() {
	c.working, c.waiting = true, false
	c.app.app.busy.add()
	go c.work()
}

// work does what is in the queue until nothing is left that may be done now.
func (c *aspNetClient) work() {
	defer c.app.app.busy.done()
	for j, ok := c.next(); ok; j, ok = c.next() {
		switch j.kind {
		case jobConnect:
			c.connect()
		case jobReconnect:
			c.reconnected()
		case jobDisconnect:
			c.disconnected(j.err)
		case jobCall:
			if c.app.parallel == 1 {
				c.call(j.text)
				c.returned()
				continue
			}
			c.app.app.busy.add()
			go func() {
				defer c.app.app.busy.done()
				c.call(j.text)
				c.returned()
			}()
		}
	}
}

// next takes a job off the queue. Without one this goroutine no longer works.
func (c *aspNetClient) next() (job, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.queue) > 0 {
		j := c.queue[0]
		dropped := c.discard && j.kind != jobDisconnect
		if !dropped && (j.kind == jobCall && c.running >= c.app.parallel || j.kind == jobDisconnect && c.running > 0) {
			c.working, c.waiting = false, true
			return job{}, false
		}
		c.queue[0] = job{}
		c.queue = c.queue[1:]
		c.pending -= len(j.text)
		if dropped {
			continue
		}
		if j.kind == jobCall {
			c.running++
		}
		return j, true
	}
	c.queue = nil
	c.working = false
	return job{}, false
}

// returned notes that a call has returned.
func (c *aspNetClient) returned() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.running--
	if c.waiting {
		c.workLocked()
	}
}

// gone: the service has told that the client is gone, because of text if that is not empty.
func (c *aspNetClient) gone(text string) {
	var err error
	if text != "" {
		err = errors.New("client connection closed: " + text)
	}
	c.finish(err, false)
}

// lost: the way to the client is gone.
func (c *aspNetClient) lost(err error) { c.finish(err, true) }

// end ends the client's connection from this side. It never waits.
func (c *aspNetClient) end(text string) {
	if !c.finish(nil, true) {
		return
	}
	c.app.app.busy.add()
	go func() {
		defer c.app.app.busy.done()
		_ = c.server.link.Send(c.app.app.life, &serviceprotocol.CloseConnection{ConnectionID: c.id, Error: text}) // else it is gone
	}()
}

// finish ends what is done for the client: at once, or when all that it has sent is done. It is
// false if that was begun before.
func (c *aspNetClient) finish(err error, discard bool) bool {
	c.mu.Lock()
	if c.over {
		c.mu.Unlock()
		return false
	}
	c.over, c.discard = true, discard
	c.pushLocked(job{kind: jobDisconnect, err: err})
	c.mu.Unlock()
	c.app.forget(c)
	level, text := slog.LevelDebug, "client ended"
	if c.traced {
		level, text = slog.LevelInfo, "diagnostic client ended"
	}
	c.app.log.Log(context.Background(), level, text, "connection_id", c.id, "error", err)
	if err != nil {
		c.cancel(err)
	} else {
		c.cancel(net.ErrClosed)
	}
	return true
}

// connect looks for the hubs that the client listens to, and tells them.
func (c *aspNetClient) connect() {
	query := (&Context{peer: &c.peer}).Query()
	if query.Get("connectionToken") == "" {
		c.end("Protocol error: Missing connection token.")
		return
	}
	hubs, err := c.app.listened(query.Get("connectionData"))
	if err != nil {
		c.app.log.Info("client refused", "connection_id", c.id, "error", err)
		c.end(err.Error())
		return
	}
	for _, h := range hubs {
		if !c.mayUse(h) {
			c.end("Unable to authorize request")
			return
		}
	}
	c.hubs = hubs
	faults := make([]error, len(hubs))
	c.each(func(i int, h *hub) {
		defer recovered(&faults[i])
		faults[i] = h.connectHook(c.newContext(c.context, h))
	})
	for i, err := range faults {
		if err != nil {
			hubs[i].logFailure(c.id, "OnConnected", err)
			c.end(err.Error())
			return
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.connected = true
}

// each calls do for every hub that the client listens to, for all at once.
func (c *aspNetClient) each(do func(i int, h *hub)) {
	if len(c.hubs) == 1 {
		do(0, c.hubs[0])
		return
	}
	var all sync.WaitGroup
	for i, h := range c.hubs {
		all.Go(func() { do(i, h) })
	}
	all.Wait()
}

// mayUse tells whether the client was let in to a hub when it negotiated. That is in its token, for
// hubs that do not let everybody in.
func (c *aspNetClient) mayUse(h *hub) bool {
	return h.config.Authorize == nil || slices.ContainsFunc(c.mayHubs, func(name string) bool { return strings.EqualFold(name, h.config.Name) })
}

func (c *aspNetClient) reconnected() {
	c.each(func(_ int, h *hub) {
		if h.onReconnected == nil {
			return
		}
		var err error
		defer func() {
			if err != nil {
				h.logFailure(c.id, "OnReconnected", err)
			}
		}()
		defer recovered(&err)
		h.onReconnected(c.newContext(c.context, h))
	})
}

func (c *aspNetClient) disconnected(cause error) {
	c.mu.Lock()
	connected := c.connected
	c.mu.Unlock()
	if !connected {
		return
	}
	c.each(func(_ int, h *hub) {
		var err error
		defer func() {
			if err != nil {
				h.logFailure(c.id, "OnDisconnected", err)
			}
		}()
		defer recovered(&err)
		h.disconnectHook(c.newContext(c.app.app.life, h), cause)
	})
}

package appserver

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strconv"

	"switchboard/hubprotocol"
)

// ErrClientGone means that a client which shall give a result is not connected, or
// went before it gave one.
var ErrClientGone = errors.New("client is gone")

// goneError is ErrClientGone in the words of ASP.NET Core.
type goneError string

func (e goneError) Error() string        { return string(e) }
func (e goneError) ErrorType() string    { return "IOException" }
func (e goneError) Is(target error) bool { return target == ErrClientGone }

var (
	//lint:ignore ST1005 the text is ASP.NET Core's
	errNotSingle = errors.New("InvokeAsync only works with Single clients.")
	//lint:ignore ST1005 the text is ASP.NET Core's
	errInOnConnected = errors.New("Client results inside OnConnectedAsync Hub methods are not allowed.")
)

// Invoke calls the method target of one client and waits for what it returns: a T,
// or struct{} if the result does not matter. p is Caller() or Client(id), of a client
// of this app server or of another one.
//
// The error is a *HubError with the client's text if its method failed or it has none
// (clients older than version 7 have no results), one that matches ErrClientGone if
// the client is or gets lost, and ctx's if that is done. There is no other bound on
// the wait.
//
// A call of the hub that waits for a client lets the next call of its own client run
// beside it, so that the answer can be read. That holds for what was made with
// [Context.Clients] only: one that waits through a [HubContext] for the client that
// called it may wait for ever. OnConnected cannot wait for results, since nothing is
// read of the client before it has returned.
//
// Source: dotnet/aspnetcore DefaultHubLifetimeManager.cs, InvokeConnectionAsync;
// HubCallerClients.cs.
func Invoke[T any](ctx context.Context, p ClientProxy, target string, args ...any) (T, error) {
	value := new(T)
	if err := p.invoke(ctx, value, target, args); err != nil {
		var zero T
		return zero, fmt.Errorf("invoke %q: %w", target, err)
	}
	return *value, nil
}

// A result is awaited from a client.
type result struct {
	into any        // pointer; set before done is told
	done chan error // capacity 1, told once
}

func (p *ClientProxy) invoke(ctx context.Context, into any, target string, args []any) error {
	if p.kind != toConnection {
		return errNotSingle
	}
	if p.reaches() == AspNet {
		return errNoResults
	}
	if p.call != nil && p.call.client != nil && p.call == &p.call.client.context && !p.call.client.isConnected() {
		return errInOnConnected
	}
	c := p.hub.clients.get(p.name)
	switch {
	case c == nil && p.call != nil && p.call.peer.id == p.name && p.call.MigrateTo() == "":
		return goneError(fmt.Sprintf("Connection '%s' does not exist.", p.name))
	case c == nil:
		return p.invokeFar(ctx, into, target, args)
	}
	id := "s" + strconv.FormatInt(p.hub.app.lastResult.Add(1), 10)
	r := &result{into, make(chan error, 1)}
	if err := c.expect(id, r); err != nil {
		return err
	}
	defer c.forget(id)
	if err := p.send(ctx, id, target, args); err != nil {
		return err
	}
	p.letNextCallRun()
	select {
	case err := <-r.done:
		return err
	case <-ctx.Done():
	}
	if c.context.Err() != nil { // a client that goes also ends the contexts of its own calls
		return goneError(fmt.Sprintf("Connection '%s' disconnected.", c.id))
	}
	return context.Cause(ctx)
}

// letNextCallRun lets the next call of the client run beside this one, which waits.
func (p *ClientProxy) letNextCallRun() {
	if p.call != nil && p.call.client != nil && p.call.slot.CompareAndSwap(true, false) {
		p.call.client.giveUpSlot()
	}
}

func (c *client) isConnected() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.connected
}

func (c *client) expect(id string, r *result) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return goneError(fmt.Sprintf("Connection '%s' disconnected.", c.id))
	}
	if c.results == nil {
		c.results = map[string]*result{}
	}
	c.results[id] = r
	return nil
}

func (c *client) forget(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.results, id)
}

// settle hands over the client's answer. One that nobody waits for is dropped.
func (c *client) settle(e *encoding, m *hubprotocol.Completion) {
	c.mu.Lock()
	r := c.results[m.InvocationID]
	delete(c.results, m.InvocationID)
	c.mu.Unlock()
	if r != nil {
		r.done <- resultOf(e, m, r.into)
	} else {
		c.passOn(e, m)
	}
}

// Source of the text: dotnet/aspnetcore DefaultHubDispatcher.cs.
func parseResult(e *encoding, m *hubprotocol.Completion, into any) error {
	if err := e.ParseValue(m.Result, into); err != nil {
		return fmt.Errorf("Error trying to deserialize result to %v. %w", reflect.TypeOf(into).Elem(), err)
	}
	return nil
}

package appserver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"switchboard/hubprotocol"
	"switchboard/internal/gostream"
	"switchboard/serviceprotocol"
)

// A call is an invocation by a client, with its arguments decoded.
type call struct {
	id     string // empty: the client wants no answer
	target string // as the client wrote it
	method *method
	frame  *frame
	fault  string // the call is not run: the answer, when not empty

	uploadIDs []string // of the streams that the client sends
	uploads   []*upload
}

// bind looks for the method and decodes the arguments. What is wrong with the
// call is found in the order of ASP.NET Core, where binding is part of parsing.
//
// Source: dotnet/aspnetcore DefaultHubDispatcher.cs, DispatchMessageAsync,
// ProcessInvocation and ProcessInvocationBindingFailure.
func (c *client) bind(e *encoding, m *hubprotocol.Invocation, streaming bool) call {
	k := call{id: m.InvocationID, target: m.Target}
	detailed := c.hub.config.EnableDetailedErrors
	failed := func() string { return fmt.Sprintf("Failed to invoke '%s' due to an error on the server.", m.Target) }
	if k.method = c.hub.method(m.Target); k.method == nil {
		k.fault = clientText(failed(), Errorf("Method does not exist."), detailed)
		return k
	}
	if one := k.method.taking(len(m.Arguments)); one != nil {
		k.method = one
	}
	var err error
	if k.frame, err = k.method.bind(e, m.Arguments); err != nil {
		k.fault = clientText(failed(), err, detailed)
		return k
	}
	switch n := len(m.StreamIDs); {
	case !c.hub.allowed(&c.context, k.method):
		k.fault = fmt.Sprintf("Failed to invoke '%s' because user is unauthorized", m.Target)
	case k.method.stream != gostream.None && !streaming:
		k.fault = fmt.Sprintf("The client attempted to invoke the streaming '%s' method with a non-streaming invocation.", m.Target)
	case k.method.stream == gostream.None && streaming:
		k.fault = fmt.Sprintf("The client attempted to invoke the non-streaming '%s' method with a streaming invocation.", m.Target)
	case n != k.method.uploads():
		k.fault = clientText(unexpected(m.Target), Errorf("Client sent %d stream(s), Hub method expects %d.", n, k.method.uploads()), detailed)
	}
	if k.fault != "" {
		k.method.free(k.frame)
	} else if len(m.StreamIDs) > 0 {
		c.takeUploads(&k, m.StreamIDs)
	}
	return k
}

// allowed tells whether the client may call the method. A rule that panics is broken,
// and allows nothing.
func (h *hub) allowed(ctx *Context, m *method) (ok bool) {
	rule := h.config.Allow[m.goName]
	if rule == nil {
		return true
	}
	var err error
	defer func() {
		if err != nil {
			h.logFailure(ctx.peer.id, "Allow of "+m.name, err)
		}
	}()
	defer recovered(&err)
	return rule(ctx)
}

func unexpected(target string) string {
	return fmt.Sprintf("An unexpected error occurred invoking '%s' on the server.", target)
}

// runInTurn executes a call that has a slot, and tells whether it still has it.
func (c *client) runInTurn(k call) (slot bool) {
	if k.fault != "" {
		c.refuse(k)
		return true
	}
	var ctx *Context
	switch k.method.context {
	case connectionContext:
		ctx = c.newContext(c.context.Context)
	case callContext:
		life, cancel := context.WithCancel(c.context.Context)
		defer cancel()
		if c.cancellable(k.id, cancel) {
			defer c.notCancellable(k.id)
		}
		ctx = c.newContext(life)
	default:
		if len(c.hub.config.Filters) == 0 {
			c.run(nil, k)
			return true
		}
		ctx = c.newContext(c.context.Context)
	}
	ctx.slot.Store(true)
	c.run(ctx, k)
	return ctx.slot.Swap(false)
}

// refuse answers a call that is not run.
func (c *client) refuse(k call) {
	c.hub.log.Debug("hub call refused", "connection_id", c.id, "reason", k.fault)
	c.complete(k, nil, k.fault)
}

// run executes the call and answers it.
func (c *client) run(ctx *Context, k call) {
	var began time.Time
	if c.traced {
		began = time.Now()
	}
	value, err := c.hub.invoke(ctx, k.method, k.frame)
	if c.traced {
		c.hub.log.Info("diagnostic client called", "connection_id", c.id, "method", k.method.name, "took", time.Since(began), "error", err)
	}
	if failure := c.endUploads(&k); err == nil {
		err = failure
	}
	if err != nil {
		c.logFailure(k.method.name, err)
		c.complete(k, nil, clientText(unexpected(k.target), err, c.hub.config.EnableDetailedErrors))
		return
	}
	c.complete(k, value, "")
}

// complete answers a call with its result, or with an error when that is not
// empty. A method without result gives null, as a .NET server does.
func (c *client) complete(k call, result any, fault string) {
	if k.id == "" || c.context.Err() != nil {
		return
	}
	o := newOutgoing()
	defer o.free()
	e := c.encoding.Load()
	frame, err := o.encodeCompletion(e, k.id, result, fault)
	if err != nil {
		c.logFailure(k.method.name, err)
		frame, err = o.encodeCompletion(e, k.id, nil, clientText(unexpected(k.target), err, c.hub.config.EnableDetailedErrors))
	}
	if err == nil {
		err = c.write(&c.context, o, serviceprotocol.DataInvocation, frame)
	}
	if err != nil {
		c.hub.log.Debug("hub call not answered", "connection_id", c.id, "error", err)
	}
}

// logFailure tells the operator what the client may not see.
func (c *client) logFailure(what string, err error) { c.hub.logFailure(c.id, what, err) }

func (h *hub) logFailure(connectionID, what string, err error) {
	if shown, ok := errors.AsType[*HubError](err); ok {
		h.log.Debug("hub call failed", "connection_id", connectionID, "method", what, "error", shown)
		return
	}
	attributes := []slog.Attr{slog.String("connection_id", connectionID), slog.String("method", what), slog.Any("error", err)}
	if p, ok := errors.AsType[*panicError](err); ok {
		attributes = append(attributes, slog.String("stack", string(p.stack)))
	}
	h.log.LogAttrs(context.Background(), slog.LevelError, "hub call failed", attributes...)
}

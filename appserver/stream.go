package appserver

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"

	"switchboard/hubprotocol"
	"switchboard/internal/gostream"
	"switchboard/serviceprotocol"
)

// startBeside runs a call with streams, in either direction. It takes no slot, and
// the messages behind it are handled meanwhile.
//
// Source: dotnet/aspnetcore DefaultHubDispatcher.cs, ProcessInvocation, StreamAsync.
func (c *client) startBeside(k call) {
	if k.fault != "" {
		c.refuse(k)
		return
	}
	life, cancel := context.WithCancel(c.context.Context)
	if k.fault = c.admit(&k, cancel); k.fault != "" {
		cancel()
		k.method.free(k.frame)
		c.refuse(k)
		return
	}
	go c.runBeside(c.newContext(life), cancel, k)
}

// admit notes a call with streams. It returns the error for the client, if the call
// cannot be.
func (c *client) admit(k *call, cancel context.CancelFunc) (fault string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, taken := c.cancels[k.id]; taken {
		return fmt.Sprintf("Invocation ID '%s' is already in use.", k.id)
	}
	for i, id := range k.uploadIDs {
		if c.uploads[id] != nil || slices.Contains(k.uploadIDs[:i], id) {
			return clientText(unexpected(k.target), Errorf("Stream ID '%s' is already in use.", id), false)
		}
	}
	if c.discard.Load() || c.ended && k.method.stream != gostream.None {
		return "The connection has ended." // which nobody will read
	}
	c.beside++
	c.cancellableLocked(k.id, cancel)
	if c.uploads == nil && len(k.uploads) > 0 {
		c.uploads = map[string]*upload{}
	}
	for i, u := range k.uploads {
		c.uploads[k.uploadIDs[i]] = u
	}
	c.hub.app.busy.add()
	return ""
}

func (c *client) cancellable(id string, cancel context.CancelFunc) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, taken := c.cancels[id]; taken {
		return false // the client uses the id twice, and can cancel the first one only
	}
	return c.cancellableLocked(id, cancel)
}

func (c *client) cancellableLocked(id string, cancel context.CancelFunc) bool {
	if id == "" {
		return false
	}
	if c.cancels == nil {
		c.cancels = map[string]context.CancelFunc{}
	}
	c.cancels[id] = cancel
	return true
}

func (c *client) notCancellable(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.cancels, id)
}

// cancelCall ends the context of a call. A stream then ends without an error.
func (c *client) cancelCall(id string) {
	c.mu.Lock()
	cancel := c.cancels[id]
	c.mu.Unlock()
	if cancel != nil {
		cancel()
	}
}

func (c *client) runBeside(ctx *Context, cancel context.CancelFunc, k call) {
	defer c.hub.app.busy.done()
	if k.method.stream == gostream.None {
		c.run(ctx, k)
	} else {
		c.endStream(k, c.stream(ctx, k))
	}
	cancel()
	c.mu.Lock()
	if k.id != "" {
		delete(c.cancels, k.id)
	}
	c.beside--
	last := c.lastLocked()
	c.mu.Unlock()
	if last {
		c.finish()
	}
}

// stream calls the method and sends what its stream brings. It returns the error
// for the client, if there is one.
func (c *client) stream(ctx *Context, k call) (fault string) {
	defer c.endUploads(&k)
	value, err := c.hub.invoke(ctx, k.method, k.frame)
	if err != nil {
		c.logFailure(k.method.name, err)
		return clientText(unexpected(k.target), err, c.hub.config.EnableDetailedErrors)
	}
	stream := reflect.ValueOf(value)
	if !k.method.isStream(stream) {
		return fmt.Sprintf("The value returned by the streaming method '%s' is not a ChannelReader<> or IAsyncEnumerable<>.", k.target)
	}
	err = c.sendItems(ctx, k, stream)
	if failure := c.endUploads(&k); err == nil {
		err = failure
	}
	if err != nil && ctx.Err() == nil {
		c.logFailure(k.method.name, err)
		return clientText("An error occurred on the server while streaming results.", err, c.hub.config.EnableDetailedErrors)
	}
	return ""
}

// isStream tells whether the method, or a filter, has returned a stream of its kind.
func (m *method) isStream(v reflect.Value) bool {
	if !v.IsValid() {
		return false
	}
	kind, _ := gostream.Of(v.Type())
	return kind == m.stream && !v.IsNil()
}

// sendItems sends one item after the other; a client that does not keep up holds
// up the stream. A panic of an iterator is an error.
func (c *client) sendItems(ctx *Context, k call, stream reflect.Value) (err error) {
	defer recovered(&err)
	o := newOutgoing()
	defer o.free()
	e := c.encoding.Load()
	for item, err := range k.method.stream.Items(ctx, stream) {
		if err != nil {
			return err
		}
		frame, err := o.encodeItem(e, k.id, item)
		if err != nil {
			return err
		}
		if err := c.write(ctx, o, serviceprotocol.DataInvocation, frame); err != nil {
			return err
		}
	}
	return nil
}

// endStream sends the completion, which has no result.
func (c *client) endStream(k call, fault string) {
	if c.context.Err() != nil {
		return
	}
	frame, err := c.encoding.Load().Append(nil, &hubprotocol.Completion{InvocationID: k.id, Error: fault, HasError: fault != ""})
	if err == nil {
		err = c.write(&c.context, nil, serviceprotocol.DataInvocation, frame)
	}
	if err != nil && !errors.Is(err, context.Canceled) {
		c.hub.log.Debug("stream not ended", "connection_id", c.id, "error", err)
	}
}

package appserver

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"

	"switchboard/hubprotocol"
	"switchboard/serviceprotocol"
)

// farResults are those that clients of other app servers shall give. The service sends the
// call to the client, and its answer back to here.
//
// Source: azure-signalr specs/ClientInvocation.md.
type farResults struct {
	mu    sync.Mutex
	calls map[string]*farResult // by invocation id; nil until there is one
}

type farResult struct {
	result
	node   string        // service instance that has the client, once it is known; guarded by farResults, as are all below
	asked  []*serverConn // connections over which the call went and no answer has come
	sealed bool          // it goes over no other
	fault  string        // why one of them will have no answer
}

func (f *farResults) expect(id string, r *farResult) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.calls == nil {
		f.calls = map[string]*farResult{}
	}
	f.calls[id] = r
}

// take forgets a call, and returns it if somebody waits for it.
func (f *farResults) take(id string) *farResult {
	f.mu.Lock()
	defer f.mu.Unlock()
	r := f.calls[id]
	delete(f.calls, id)
	return r
}

// located notes which service instance has the client.
func (f *farResults) located(m *serviceprotocol.ServiceMapping) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if r := f.calls[m.InvocationID]; r != nil {
		r.node = strings.Clone(m.InstanceID)
	}
}

// lose fails the calls of clients of a service instance that is gone.
func (f *farResults) lose(node string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for id, r := range f.calls {
		if r.node != "" && (node == "" || r.node == node) {
			delete(f.calls, id)
			r.done <- goneError(errInstanceGone.Error())
		}
	}
}

// invokeFar calls a client that this app server does not have.
func (p *ClientProxy) invokeFar(ctx context.Context, into any, target string, args []any) error {
	app := p.hub.app
	id := app.config.ServerID + "-" + strconv.FormatInt(app.lastResult.Add(1), 10)
	to, err := p.targets()
	if err != nil {
		return err
	}
	r := &farResult{result: result{into, make(chan error, 1)}}
	p.hub.far.expect(id, r)
	defer p.hub.far.take(id)
	o := newOutgoing()
	defer o.free()
	if err = o.encodeInvocation(p.hub.encodings, id, target, args); err != nil {
		return err
	}
	m := &serviceprotocol.ClientInvocation{InvocationID: id, ConnectionID: p.name, CallerServerID: app.config.ServerID, Payloads: o.payloads}
	err = p.hub.send(ctx, to, p.via, p.name, func(ctx context.Context, s *serverConn) error {
		p.hub.far.ask(r, s)
		err := s.link.Send(ctx, m)
		if err != nil {
			p.hub.far.strike(id, r, s, err.Error())
		}
		return err
	})
	if err != nil {
		return err
	}
	p.hub.far.seal(id, r)
	p.letNextCallRun()
	select {
	case err := <-r.done:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// completed takes the answer of a client that another app server has.
func (h *hub) completed(m *serviceprotocol.ClientCompletion) {
	r := h.far.take(m.InvocationID)
	if r == nil {
		return
	}
	r.done <- h.readCompletion(m, r.into)
}

func (h *hub) readCompletion(m *serviceprotocol.ClientCompletion, into any) error {
	e := h.encoding(m.Protocol)
	if e == nil {
		return fmt.Errorf("the client's hub protocol %q is not one of this hub", strings.Clone(m.Protocol))
	}
	message, _, err := e.Split(m.Payload, 0)
	if err != nil {
		return err
	}
	parsed, err := e.Parse(message)
	if err != nil {
		return err
	}
	completion, ok := parsed.(*hubprotocol.Completion)
	if !ok {
		return fmt.Errorf("the client's answer is a %v", parsed.MessageType())
	}
	return resultOf(e, completion, into)
}

// notCompleted takes the news that a service has no answer.
func (h *hub) notCompleted(e *HubEndpoint, m *serviceprotocol.ErrorCompletion) {
	h.far.strikeIf(m.InvocationID, func(s *serverConn) bool { return s.at == e }, m.Error)
}

// disconnected gives up hope for answers to what went over a connection that has ended.
func (f *farResults) disconnected(s *serverConn) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for id, r := range f.calls {
		f.strikeLocked(id, r, func(asked *serverConn) bool { return asked == s }, ErrServerConnectionLost.Error())
	}
}

func (f *farResults) ask(r *farResult, s *serverConn) {
	f.mu.Lock()
	defer f.mu.Unlock()
	r.asked = append(r.asked, s)
}

func (f *farResults) strike(id string, r *farResult, s *serverConn, fault string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.strikeLocked(id, r, func(asked *serverConn) bool { return asked == s }, fault)
}

func (f *farResults) strikeIf(id string, match func(*serverConn) bool, fault string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if r := f.calls[id]; r != nil {
		f.strikeLocked(id, r, match, fault)
	}
}

// seal says that the call goes over no other connection.
func (f *farResults) seal(id string, r *farResult) {
	f.mu.Lock()
	defer f.mu.Unlock()
	r.sealed = true
	f.failLocked(id, r)
}

// strikeLocked notes that no answer comes over connections.
func (f *farResults) strikeLocked(id string, r *farResult, match func(*serverConn) bool, fault string) {
	before := len(r.asked)
	if r.asked = slices.DeleteFunc(r.asked, match); len(r.asked) < before {
		r.fault = strings.Clone(fault)
		f.failLocked(id, r)
	}
}

// failLocked fails a call when no service is left that may answer.
func (f *farResults) failLocked(id string, r *farResult) {
	if r.sealed && len(r.asked) == 0 && f.calls[id] == r {
		delete(f.calls, id)
		r.done <- goneError(r.fault)
	}
}

// expectFor notes that a client of this app server is called by another one.
func (h *hub) expectFor(s *serverConn, m *serviceprotocol.ClientInvocation) {
	c := h.client(s, m.ConnectionID)
	if c == nil || !c.expectFor(strings.Clone(m.InvocationID)) {
		_ = s.link.Post(&serviceprotocol.ErrorCompletion{
			InvocationID: m.InvocationID, ConnectionID: m.ConnectionID, CallerServerID: h.app.config.ServerID,
			Error: fmt.Sprintf("Connection '%s' does not exist.", m.ConnectionID),
		})
	}
}

func (c *client) expectFor(id string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return false
	}
	if c.forOthers == nil {
		c.forOthers = map[string]struct{}{}
	}
	c.forOthers[id] = struct{}{}
	return true
}

// passOn gives the client's answer to the app server that has called it, if one has.
func (c *client) passOn(e *encoding, m *hubprotocol.Completion) {
	c.mu.Lock()
	_, ok := c.forOthers[m.InvocationID]
	delete(c.forOthers, m.InvocationID)
	c.mu.Unlock()
	if !ok {
		return
	}
	payload, err := e.Append(nil, m)
	if err != nil {
		return // cannot be: it was read
	}
	_ = c.server.link.Send(&c.context, &serviceprotocol.ClientCompletion{ // else the caller hears that the client is gone
		InvocationID: m.InvocationID, ConnectionID: c.id, CallerServerID: c.hub.app.config.ServerID, Protocol: e.Name(), Payload: payload,
	})
}

// resultOf decodes an answer.
func resultOf(e *encoding, m *hubprotocol.Completion, into any) error {
	switch {
	case m.HasError:
		return &HubError{Message: m.Error}
	case !m.HasResult || reflect.TypeOf(into) == reflect.TypeFor[*struct{}]():
		return nil
	default:
		return parseResult(e, m, into)
	}
}

package appserver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"switchboard/aspnetprotocol"
	"switchboard/hubprotocol"
	"switchboard/internal/gostream"
	"switchboard/serviceprotocol"
)

// An aspNetCall is what a Context has of a client of ASP.NET SignalR, within a call or outside.
type aspNetCall struct {
	client *aspNetClient
	state  State
}

// notAuthorized is in the words of ASP.NET SignalR, for clients that may see details.
func notAuthorized(m *aspnetprotocol.Invocation) error {
	return invalid("Caller is not authorized to invoke the %s method on %s.", m.Method, m.Hub)
}

// call carries out what the client has sent, and answers it.
//
// Source: SignalR Core/Hubs/HubDispatcher.cs.
func (c *aspNetClient) call(text []byte) {
	m, err := aspnetprotocol.ParseInvocation(text)
	if err != nil {
		c.app.log.Debug("client sent what is no call; it is skipped", "connection_id", c.id, "error", err)
		return
	}
	answer := aspnetprotocol.Result{ID: m.ID, HasID: m.HasID}
	h := c.app.hubs[strings.ToLower(m.Hub)]
	if h == nil {
		c.app.log.Debug("client calls a hub that there is not", "connection_id", c.id)
		c.answer(&answer, invalid("'%s' Hub could not be resolved.", m.Hub), m, false)
		return
	}
	life, cancel := context.WithCancel(c.context)
	defer cancel()
	ctx := c.newContext(c.context, h)
	ctx.aspNet.state.begin(m.State)
	method, frame, err := c.bind(ctx, h, m)
	if err == nil {
		if method.context == callContext {
			ctx.Context = life
		}
		var value any
		began := time.Now()
		value, err = c.run(ctx, m.ID, method, frame)
		if c.traced {
			h.log.Info("diagnostic client called", "connection_id", c.id, "method", method.name, "took", time.Since(began), "error", err)
		}
		if err == nil && method.value >= 0 {
			answer.Value, err = hubprotocol.JSON.AppendValue(nil, value)
		}
	}
	if err != nil {
		what := m.Method
		if method != nil {
			what = method.name
		}
		h.logFailure(c.id, what, err)
	}
	answer.State = ctx.aspNet.state.changes()
	c.answer(&answer, err, m, h.config.EnableDetailedErrors)
}

// bind looks for the method and decodes the arguments.
func (c *aspNetClient) bind(ctx *Context, h *hub, m *aspnetprotocol.Invocation) (*method, *frame, error) {
	if !c.mayUse(h) {
		return nil, nil, notAuthorized(m)
	}
	first := h.method(m.Method)
	one := first.taking(len(m.Arguments))
	switch {
	case first == nil:
		return nil, nil, invalid("'%s' method could not be resolved. No method found with that name.", m.Method)
	case one == nil:
		return nil, nil, candidates(first, m.Method)
	case one.stream != gostream.None || one.uploads() > 0:
		return nil, nil, fmt.Errorf("%s has a stream, which clients of ASP.NET SignalR cannot have", one.name)
	case !h.allowed(ctx, one):
		return nil, nil, notAuthorized(m)
	}
	if limit := h.config.receiveLimit(); limit > 0 {
		size := 0
		for _, argument := range m.Arguments {
			size += len(argument)
		}
		if size > limit {
			return one, nil, fmt.Errorf("the arguments have %d bytes, more than MaximumReceiveMessageSize, which is %d", size, limit)
		}
	}
	arguments := make([][]byte, len(m.Arguments))
	for i, argument := range m.Arguments {
		arguments[i] = argument
	}
	frame, err := one.bind(hubprotocol.JSON, arguments)
	return one, frame, err
}

// candidates is the error for a call that gives the wrong number of arguments.
func candidates(m *method, name string) error {
	if m.wireName != name && lowerFirst(m.wireName) != name {
		return invalid("'%s' method could not be resolved. No method found with that name.", name)
	}
	text := fmt.Sprintf("'%s' method could not be resolved. Potential candidates are: ", name)
	for ; m != nil; m = m.next {
		var parameters []string
		for i, p := range m.parameters {
			if p.progress == nil {
				parameters = append(parameters, fmt.Sprintf("%d:%v", i+1, p.typ))
			}
		}
		result := "void"
		if m.value >= 0 {
			result = m.function.Type().Out(m.value).String()
		}
		text += "\n" + m.wireName + "(" + strings.Join(parameters, ", ") + "):" + result
	}
	return errors.New(text)
}

var errCallOver = invalid("You cannot report progress on a hub method invocation that has already completed.")

// run calls the method. A panic of it is an error.
func (c *aspNetClient) run(ctx *Context, id string, m *method, f *frame) (value any, err error) {
	var reporting sync.RWMutex // held while something is reported
	var over atomic.Bool
	m.reportTo(f, func(value any) error {
		reporting.RLock()
		defer reporting.RUnlock()
		if over.Load() {
			return errCallOver
		}
		text, err := hubprotocol.JSON.AppendValue(nil, value)
		if err != nil {
			return err
		}
		progress := aspnetprotocol.AppendProgress(nil, id, text, ctx.aspNet.state.changes())
		return c.send(ctx, aspnetprotocol.Envelope{Cursor: sdkCursor}.Append(nil, progress))
	})
	defer func() {
		over.Store(true)
		reporting.Lock() // what is being reported goes before the result
		defer reporting.Unlock()
	}()
	return ctx.hub.invoke(ctx, m, f)
}

// sdkCursor is the cursor of app servers. The service has its own.
const sdkCursor = "0"

// answer sends the result of a call. What went wrong is told those who may know.
func (c *aspNetClient) answer(r *aspnetprotocol.Result, err error, m *aspnetprotocol.Invocation, detailed bool) {
	if shown, ok := errors.AsType[*HubError](err); ok {
		r.Exception, r.Error = true, shown.Message
		if shown.Data != nil {
			r.Data, _ = hubprotocol.JSON.AppendValue(nil, shown.Data) // what cannot be encoded is left out
		}
	} else if err != nil {
		r.Error = fmt.Sprintf("There was an error invoking Hub method '%s.%s'.", m.Hub, m.Method)
		if detailed {
			r.Error = err.Error()
		}
	}
	if err != nil {
		r.Value = nil
	}
	if err := c.send(c.context, r.Append(nil)); err != nil {
		c.app.log.Debug("hub call not answered", "connection_id", c.id, "error", err)
	}
}

// send sends a text to this client alone.
func (c *aspNetClient) send(ctx context.Context, text []byte) error {
	return c.server.link.Send(ctx, &serviceprotocol.ConnectionData{ConnectionID: c.id, Payload: aspnetprotocol.AppendWrapped(nil, text)})
}

// A State is what the proxy of a client of ASP.NET SignalR remembers: values by name. They come with
// each call, and what the call changes goes back, with its result and with all that it sends
// to Caller(). Names are compared without regard to case. It may be used by any goroutine.
type State struct {
	mu      sync.Mutex
	members []aspnetprotocol.Member // guarded by mu, as is changed
	changed []aspnetprotocol.Member
}

// State returns what the caller's proxy remembers. For a client of ASP.NET Core SignalR, which
// has no such thing, it is empty, and what is set goes nowhere.
func (c *Context) State() *State {
	if c.aspNet == nil {
		return new(State)
	}
	return &c.aspNet.state
}

func (s *State) begin(members []aspnetprotocol.Member) { s.members = members }

// Get decodes a value into a pointer, and tells whether there is one.
func (s *State) Get(name string, into any) (ok bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, list := range [][]aspnetprotocol.Member{s.changed, s.members} {
		for _, m := range list {
			if strings.EqualFold(m.Name, name) {
				return true, json.Unmarshal(m.Value, into)
			}
		}
	}
	return false, nil
}

// Set has the client remember a value, which must be one that JSON can have.
func (s *State) Set(name string, value any) error {
	text, err := hubprotocol.JSON.AppendValue(nil, value)
	if err != nil {
		return fmt.Errorf("state %q: %w", name, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, m := range s.changed {
		if strings.EqualFold(m.Name, name) {
			s.changed[i].Value = text
			return nil
		}
	}
	s.changed = append(s.changed, aspnetprotocol.Member{Name: name, Value: text})
	return nil
}

// changes returns what is other than at the beginning.
func (s *State) changes() (changed []aspnetprotocol.Member) {
	s.mu.Lock()
	defer s.mu.Unlock()
next:
	for _, m := range s.changed {
		for _, before := range s.members {
			if strings.EqualFold(before.Name, m.Name) && string(before.Value) == string(m.Value) {
				continue next
			}
		}
		changed = append(changed, m)
	}
	return changed
}

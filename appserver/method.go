package appserver

import (
	"cmp"
	"context"
	"fmt"
	"reflect"
	"runtime/debug"
	"strings"
	"sync"

	"switchboard/hubprotocol"
	"switchboard/internal/gostream"
)

// A method is one hub method that clients may call.
type method struct {
	name       string // Chat.Send, for messages
	goName     string // Send
	wireName   string // what clients call
	function   reflect.Value
	hub        reflect.Value // the receiver
	context    contextKind   // of the first parameter
	parameters []parameter   // all but the context
	arguments  int           // parameters that are no uploads
	value, err int           // position of each result, -1 if it has none
	stream     gostream.Kind // what the value is, if its items are sent one by one
	next       *method       // another one that clients call by the same name
	frames     sync.Pool     // of *frame
}

// A contextKind tells how long the context of a method lasts.
type contextKind int

const (
	noContext         contextKind = iota
	connectionContext             // *Context: until the client has gone
	callContext                   // context.Context: until the call has returned or is cancelled
)

// A parameter gets an argument of the client, or a stream of it.
type parameter struct {
	typ    reflect.Type
	upload gostream.Kind // gostream.None for an argument
	item   reflect.Type  // of an upload

	progress progress // not nil for one that the client does not send
}

// A frame holds the arguments of one call, and is used again.
type frame struct {
	in   []reflect.Value // receiver, [context], parameters
	into []any           // pointers to the arguments
}

var (
	contextType   = reflect.TypeFor[*Context]()
	anyContext    = reflect.TypeFor[context.Context]()
	errorType     = reflect.TypeFor[error]()
	connectHook   = reflect.TypeFor[func(*Context) error]()
	disconnectedT = reflect.TypeFor[func(*Context, error)]()
	reconnectHook = reflect.TypeFor[func(*Context)]()
)

// setMethods finds the methods and hooks of the hub value.
func (h *hub) setMethods(value reflect.Value) error {
	typ := value.Type()
	if err := checkEmbedded(typ.Elem()); err != nil {
		return err
	}
	h.methods = map[string]*method{}
	for i := range typ.NumMethod() {
		m := typ.Method(i)
		name := typ.Elem().Name() + "." + m.Name
		if hook, err := h.setHook(name, m.Name, value.Method(i)); hook || err != nil {
			if err != nil {
				return err
			}
			continue
		}
		method, err := newMethod(name, value, m)
		if err != nil {
			return err
		}
		if err := h.addMethod(method); err != nil {
			return err
		}
	}
	return nil
}

// addMethod makes a method known by the name that clients call it by. Those of one name are told
// apart by how many arguments they take.
func (h *hub) addMethod(m *method) error {
	wire := cmp.Or(h.config.MethodNames[m.goName], m.goName)
	m.wireName = wire
	last := h.methods[strings.ToLower(wire)]
	for other := last; other != nil; last, other = other, other.next {
		switch {
		case other.wireName == wire && other.arguments != m.arguments:
		case other.wireName == wire:
			return fmt.Errorf("%s: clients call it %q, as they do %s, which takes as many arguments", m.name, wire, other.name)
		default:
			return fmt.Errorf("%s: differs from %s in case only, which clients cannot tell apart", m.name, other.name)
		}
	}
	if last != nil {
		last.next = m
		return nil
	}
	for _, spelling := range []string{wire, strings.ToLower(wire), lowerFirst(wire)} {
		h.methods[spelling] = m
	}
	return nil
}

func lowerFirst(name string) string { return strings.ToLower(name[:1]) + name[1:] }

// taking returns the method of the same name that takes n arguments, or nil.
func (m *method) taking(n int) *method {
	for m != nil && m.arguments != n {
		m = m.next
	}
	return m
}

// checkEmbedded refuses structs that would let clients call methods by accident,
// such as Lock and Unlock of an embedded sync.Mutex.
func checkEmbedded(typ reflect.Type) error {
	for i := range typ.NumField() {
		field := typ.Field(i)
		if !field.Anonymous {
			continue
		}
		embedded := field.Type
		if embedded.Kind() != reflect.Pointer && embedded.Kind() != reflect.Interface {
			embedded = reflect.PointerTo(embedded)
		}
		if embedded.NumMethod() > 0 {
			return fmt.Errorf("%s embeds %s, so clients could call its method %s; give the field a name",
				typ.Name(), field.Type, embedded.Method(0).Name)
		}
	}
	return nil
}

func (h *hub) setHook(fullName, name string, bound reflect.Value) (isHook bool, err error) {
	switch name {
	case "OnConnected":
		hook, ok := bound.Interface().(func(*Context) error)
		if !ok {
			return true, fmt.Errorf("%s is %v, not %v", fullName, bound.Type(), connectHook)
		}
		h.onConnected = hook
	case "OnDisconnected":
		hook, ok := bound.Interface().(func(*Context, error))
		if !ok {
			return true, fmt.Errorf("%s is %v, not %v", fullName, bound.Type(), disconnectedT)
		}
		h.onDisconnected = hook
	case "OnReconnected":
		hook, ok := bound.Interface().(func(*Context))
		if !ok {
			return true, fmt.Errorf("%s is %v, not %v", fullName, bound.Type(), reconnectHook)
		}
		h.onReconnected = hook
	default:
		return false, nil
	}
	return true, nil
}

func newMethod(name string, hub reflect.Value, m reflect.Method) (*method, error) {
	result := &method{name: name, goName: m.Name, function: m.Func, hub: hub}
	if err := result.setParameters(m.Type); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if err := result.setResults(m.Type); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	result.frames.New = func() any { return result.newFrame() }
	return result, nil
}

func (m *method) setParameters(typ reflect.Type) error {
	if typ.IsVariadic() {
		return fmt.Errorf("parameter %d is variadic; take a slice", typ.NumIn()-1)
	}
	for i := 1; i < typ.NumIn(); i++ { // 0 is the receiver
		p := typ.In(i)
		switch {
		case i == 1 && p == contextType:
			m.context = connectionContext
			continue
		case i == 1 && p == anyContext:
			m.context = callContext
			continue
		case p == contextType || p == anyContext:
			return fmt.Errorf("parameter %d is a context; it must be the first", i)
		}
		if progress, ok := progressOf(p); ok {
			if i != typ.NumIn()-1 {
				return fmt.Errorf("parameter %d is a Progress; it must be the last", i)
			}
			m.parameters = append(m.parameters, parameter{typ: p, progress: progress})
			continue
		}
		kind, travels := uploadOf(p)
		if reason := cannotTravel(travels); reason != "" {
			return fmt.Errorf("parameter %d %s", i, reason)
		}
		m.parameters = append(m.parameters, parameter{typ: p, upload: kind, item: travels})
		if kind == gostream.None {
			m.arguments++
		}
	}
	return nil
}

func (m *method) setResults(typ reflect.Type) error {
	m.value, m.err = -1, -1
	last := typ.NumOut() - 1
	if last >= 0 && typ.Out(last) == errorType {
		m.err = last
		last--
	}
	switch {
	case last > 0:
		return fmt.Errorf("it has %d results; a method returns nothing, a value, an error, or a value and an error", typ.NumOut())
	case last < 0:
		return nil
	case typ.Out(0) == errorType:
		return fmt.Errorf("result 1 is an error; the error comes last")
	}
	m.value = 0
	result := typ.Out(0)
	if kind, item := gostream.Of(result); kind != gostream.None {
		m.stream, result = kind, item
	}
	if reason := cannotTravel(result); reason != "" {
		return fmt.Errorf("result 1 %s", reason)
	}
	return nil
}

// cannotTravel says why no protocol can carry a value of the type, or "".
func cannotTravel(typ reflect.Type) string {
	switch typ.Kind() {
	case reflect.Chan:
		return "is a channel, which cannot be encoded"
	case reflect.Func:
		return "is a function, which cannot be encoded"
	case reflect.Interface:
		if typ.NumMethod() > 0 {
			return fmt.Sprintf("is the interface %v; only any can be decoded", typ)
		}
	case reflect.Complex64, reflect.Complex128, reflect.UnsafePointer, reflect.Uintptr:
		return fmt.Sprintf("is %v, which cannot be encoded", typ)
	case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map:
		return cannotTravel(typ.Elem())
	}
	return ""
}

func (m *method) newFrame() *frame {
	f := &frame{in: []reflect.Value{m.hub}}
	if m.context != noContext {
		f.in = append(f.in, reflect.Value{})
	}
	for _, p := range m.parameters {
		pointer := reflect.New(p.typ)
		f.in = append(f.in, pointer.Elem())
		if p.upload != gostream.None || p.progress != nil {
			continue
		}
		f.into = append(f.into, pointer.Interface())
	}
	return f
}

// bind decodes the arguments of a call. Nothing in the frame aliases them.
//
// Source of the texts: dotnet/aspnetcore JsonHubProtocol.cs, BindTypes;
// MessagePackHubProtocolWorker.cs, BindArguments.
func (m *method) bind(p hubprotocol.Protocol, arguments [][]byte) (*frame, error) {
	if len(arguments) != m.arguments {
		return nil, &exception{"InvalidDataException", fmt.Sprintf(
			"Invocation provides %d argument(s) but target expects %d.", len(arguments), m.arguments)}
	}
	f := m.frames.Get().(*frame)
	for i, raw := range arguments {
		if err := p.ParseValue(raw, f.into[i]); err != nil {
			m.free(f)
			return nil, bindingError(p, i)
		}
	}
	return f, nil
}

func bindingError(p hubprotocol.Protocol, argument int) error {
	which := "arguments"
	if p.Binary() {
		which = fmt.Sprintf("argument %d", argument)
	}
	return &exception{"InvalidDataException", "Error binding " + which +
		". Make sure that the types of the provided values match the types of the hub method being invoked."}
}

// free lets go of what the frame holds, which the method may still use.
func (m *method) free(f *frame) {
	if m.context != noContext {
		f.in[1] = reflect.Value{}
	}
	for _, v := range m.places(f) {
		v.SetZero()
	}
	m.frames.Put(f)
}

// places are those of the parameters.
func (m *method) places(f *frame) []reflect.Value { return f.in[len(f.in)-len(m.parameters):] }

// uploads is how many streams a client has to send.
func (m *method) uploads() (n int) {
	for _, p := range m.parameters {
		if p.upload != gostream.None {
			n++
		}
	}
	return n
}

// reportTo has the method's progress, if it wants to tell any, reported.
func (m *method) reportTo(f *frame, report func(value any) error) {
	if last := len(m.parameters) - 1; last >= 0 && m.parameters[last].progress != nil {
		m.places(f)[last].Set(reflect.ValueOf(m.parameters[last].progress.to(report)))
	}
}

// call runs the method. A panic of it is an error.
func (m *method) call(ctx *Context, f *frame) (value any, err error) {
	defer m.free(f)
	defer recovered(&err)
	return m.invoke(ctx, f)
}

func (m *method) invoke(ctx *Context, f *frame) (value any, err error) {
	if m.context != noContext {
		f.in[1] = reflect.ValueOf(ctx)
	}
	results := m.function.Call(f.in)
	if m.err >= 0 {
		err, _ = results[m.err].Interface().(error)
	}
	if m.value >= 0 && err == nil {
		value = results[m.value].Interface()
	}
	return value, err
}

// recovered makes an error of a panic. It is deferred itself.
func recovered(err *error) {
	if p := recover(); p != nil {
		*err = &panicError{p, debug.Stack()}
	}
}

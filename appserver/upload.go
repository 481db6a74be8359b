package appserver

import (
	"errors"
	"net"
	"reflect"
	"sync"

	"switchboard/hubprotocol"
	"switchboard/internal/gostream"
)

// errUploadCut is what an upload fails with when its client has gone.
var errUploadCut = uploadCut{}

type uploadCut struct{}

func (uploadCut) Error() string        { return "The underlying connection was closed." }
func (uploadCut) ErrorType() string    { return "OperationCanceledException" }
func (uploadCut) Is(target error) bool { return target == net.ErrClosed }

// uploadOf returns the kind of stream that a parameter of the type takes, and what
// comes from the client: the stream's items or the parameter itself.
func uploadOf(typ reflect.Type) (gostream.Kind, reflect.Type) {
	if typ.Kind() == reflect.Chan && typ.ChanDir() != reflect.RecvDir {
		return gostream.None, typ
	}
	if kind, item := gostream.Of(typ); kind != gostream.None {
		return kind, item
	}
	return gostream.None, typ
}

// An upload is a stream from the client that a call takes. It holds a few items; if
// the call does not keep up, nothing more is read of its client.
//
// Source: dotnet/aspnetcore StreamTracker.cs.
type upload struct {
	kind  gostream.Kind
	item  reflect.Type
	items reflect.Value // a channel; closed by end, or by send if it is under way
	over  chan struct{} // closed by end

	mu      sync.Mutex // guards what follows
	sending bool
	ended   bool
	err     error // the error that the stream ended with
	told    bool  // the method has seen it
}

func newUpload(p parameter, capacity int) *upload {
	return &upload{
		kind:  p.upload,
		item:  p.item,
		items: reflect.MakeChan(reflect.ChanOf(reflect.BothDir, p.item), capacity),
		over:  make(chan struct{}),
	}
}

// send waits until the method has taken an item before, or is over. It has one
// caller at a time, which is the goroutine that reads.
func (u *upload) send(item reflect.Value) {
	u.mu.Lock()
	u.sending = !u.ended
	sending := u.sending
	u.mu.Unlock()
	if !sending {
		return
	}
	if !u.items.TrySend(item) {
		reflect.Select([]reflect.SelectCase{
			{Dir: reflect.SelectSend, Chan: u.items, Send: item},
			{Dir: reflect.SelectRecv, Chan: reflect.ValueOf(u.over)},
		})
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.sending = false
	if u.ended {
		u.items.Close()
	}
}

// end ends the stream, with an error unless that is nil. Only the first call has an
// effect.
func (u *upload) end(err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.ended {
		return
	}
	u.ended, u.err = true, err
	close(u.over)
	if !u.sending {
		u.items.Close()
	}
}

// failure returns the error that the stream ended with, unless the method knows.
func (u *upload) failure() error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.told {
		return nil
	}
	return u.err
}

// result is what a sequence yields when its items are at an end.
func (u *upload) result() error {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.told = true
	return u.err
}

// argument is what the method gets.
func (u *upload) argument(typ reflect.Type) reflect.Value {
	if u.kind == gostream.Channel {
		return u.items.Convert(typ)
	}
	return reflect.MakeFunc(typ, func(in []reflect.Value) []reflect.Value {
		u.each(in[0])
		return nil
	})
}

// each gives the items to yield, then the error if there is one and yield takes it.
func (u *upload) each(yield reflect.Value) {
	arguments := make([]reflect.Value, yield.Type().NumIn())
	if u.kind == gostream.Fallible {
		arguments[1] = reflect.Zero(errorType)
	}
	for {
		item, ok := u.items.Recv()
		if !ok {
			break
		}
		arguments[0] = item
		if !yield.Call(arguments)[0].Bool() {
			return
		}
	}
	if u.kind != gostream.Fallible {
		return
	}
	if err := u.result(); err != nil {
		yield.Call([]reflect.Value{reflect.Zero(u.item), reflect.ValueOf(&err).Elem()})
	}
}

// takeUploads gives the call the streams that the client will send under ids.
func (c *client) takeUploads(k *call, ids []string) {
	places := k.method.places(k.frame)
	for i, p := range k.method.parameters {
		if p.upload == gostream.None {
			continue
		}
		u := newUpload(p, c.hub.config.StreamBufferCapacity)
		places[i].Set(u.argument(p.typ))
		k.uploads = append(k.uploads, u)
	}
	k.uploadIDs = ids
}

// upload returns the stream with an id, nil if there is none.
func (c *client) upload(id string) *upload {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.uploads[id]
}

// handleItem gives an item to its stream. One that does not suit ends the stream.
func (c *client) handleItem(e *encoding, m *hubprotocol.StreamItem) {
	u := c.upload(m.InvocationID)
	if u == nil {
		return // its call has returned
	}
	item := reflect.New(u.item)
	if err := e.ParseValue(m.Item, item.Interface()); err != nil {
		err = &exception{"InvalidDataException", err.Error()}
		u.end(&HubError{Message: clientText("Failed to bind Stream message.", err, c.hub.config.EnableDetailedErrors)})
		return
	}
	u.send(item.Elem())
}

// handleCompletion ends an upload, or answers a call to the client.
func (c *client) handleCompletion(e *encoding, m *hubprotocol.Completion) {
	u := c.upload(m.InvocationID)
	switch {
	case u == nil:
		c.settle(e, m)
	case m.HasError:
		u.end(&HubError{Message: m.Error})
	default:
		u.end(nil)
	}
}

// endUploads is called when the call that takes them has returned. It returns the
// first error that the method could not see, for the caller shall know.
func (c *client) endUploads(k *call) error {
	if len(k.uploads) == 0 {
		return nil
	}
	c.mu.Lock()
	for i, id := range k.uploadIDs {
		if c.uploads[id] == k.uploads[i] {
			delete(c.uploads, id)
		}
	}
	c.mu.Unlock()
	var failures []error
	for _, u := range k.uploads {
		failures = append(failures, u.failure())
		u.end(nil)
	}
	return errors.Join(failures...)
}

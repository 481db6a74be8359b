package appserver

import (
	"fmt"
	"sync"

	"switchboard/hubprotocol"
	"switchboard/serviceprotocol"
)

// An outgoing is the scratch space to encode one message in. The server
// connection copies the bytes, so it is free again when Send has returned.
type outgoing struct {
	values    []byte   // encoded arguments, one after the other
	arguments [][]byte // parts of values
	frames    []byte   // encoded hub messages
	ids       []string
	payloads  serviceprotocol.Payloads

	invocation hubprotocol.Invocation
	completion hubprotocol.Completion
	item       hubprotocol.StreamItem

	data       serviceprotocol.ConnectionData
	multi      serviceprotocol.MultiConnectionData
	user       serviceprotocol.UserData
	users      serviceprotocol.MultiUserData
	broadcast  serviceprotocol.BroadcastData
	group      serviceprotocol.GroupBroadcastData
	manyGroups serviceprotocol.MultiGroupBroadcastData
}

var outgoings = sync.Pool{New: func() any { return new(outgoing) }}

func newOutgoing() *outgoing { return outgoings.Get().(*outgoing) }

func (o *outgoing) free() {
	if cap(o.values)+cap(o.frames) > keepBuffer {
		return // one large message shall not stay for ever
	}
	clear(o.arguments)
	clear(o.ids)
	clear(o.payloads)
	outgoings.Put(o)
}

// encodeInvocation sets payloads to the call of target in each encoding. An id asks
// for an answer.
func (o *outgoing) encodeInvocation(encodings []*encoding, id, target string, arguments []any) error {
	o.frames, o.payloads = o.frames[:0], o.payloads[:0]
	for _, e := range encodings {
		if err := o.encodeArguments(e, arguments); err != nil {
			return err
		}
		o.invocation = hubprotocol.Invocation{InvocationID: id, Target: target, Arguments: o.arguments}
		start := len(o.frames)
		var err error
		if o.frames, err = e.Append(o.frames, &o.invocation); err != nil {
			return err
		}
		// When frames grows it moves; the part that was filled stays as it is.
		o.payloads = append(o.payloads, serviceprotocol.Payload{Protocol: e.Name(), Data: o.frames[start:]})
	}
	return nil
}

func (o *outgoing) encodeArguments(e *encoding, arguments []any) error {
	o.values, o.arguments = o.values[:0], o.arguments[:0]
	for i, argument := range arguments {
		start := len(o.values)
		var err error
		if o.values, err = e.AppendValue(o.values, argument); err != nil {
			return fmt.Errorf("argument %d: %w", i+1, err)
		}
		o.arguments = append(o.arguments, o.values[start:])
	}
	return nil
}

// encodeCompletion returns the answer to a call; it is valid until o is used again.
func (o *outgoing) encodeCompletion(e *encoding, id string, result any, fault string) (_ []byte, err error) {
	o.completion = hubprotocol.Completion{InvocationID: id, Error: fault, HasError: fault != ""}
	if fault == "" {
		if o.values, err = e.AppendValue(o.values[:0], result); err != nil {
			return nil, fmt.Errorf("result: %w", err)
		}
		o.completion.Result, o.completion.HasResult = o.values, true
	}
	o.frames, err = e.Append(o.frames[:0], &o.completion)
	return o.frames, err
}

// encodeItem returns an item of a stream; it is valid until o is used again.
func (o *outgoing) encodeItem(e *encoding, id string, item any) (_ []byte, err error) {
	if o.values, err = e.AppendValue(o.values[:0], item); err != nil {
		return nil, fmt.Errorf("item: %w", err)
	}
	o.item = hubprotocol.StreamItem{InvocationID: id, Item: o.values}
	o.frames, err = e.Append(o.frames[:0], &o.item)
	return o.frames, err
}

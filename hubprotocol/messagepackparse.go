package hubprotocol

import (
	"fmt"
	"math"
)

// message reads the whole array. Items behind those that the type has are
// checked and passed over, so that a later version may add some.
func (u *unpacker) message() Message {
	u.left = u.array("")
	u.need(1)
	n := u.integer("type")
	if u.err != nil {
		return nil
	}
	if n < math.MinInt32 || n > math.MaxInt32 {
		u.fail("type", "not an integer of 32 bits")
		return nil
	}
	u.kind = Type(n)
	m := u.build()
	for range u.left {
		u.value("", 1)
	}
	if len(u.b) > 0 {
		u.fail("", fmt.Sprintf("%d bytes behind the message", len(u.b)))
	}
	return m
}

func (u *unpacker) build() Message {
	switch u.kind {
	case TypeInvocation:
		m := u.invocation()
		return &m
	case TypeStreamInvocation:
		m := StreamInvocation(u.invocation())
		u.require(m.InvocationID)
		return &m
	case TypeStreamItem:
		u.need(3)
		return &StreamItem{u.headers(), u.id(), u.value("item", 1)}
	case TypeCompletion:
		return u.completion()
	case TypeCancelInvocation:
		u.need(2)
		return &CancelInvocation{u.headers(), u.id()}
	case TypePing:
		return &Ping{}
	case TypeClose:
		return u.close()
	case TypeAck:
		u.need(1)
		return &Ack{u.integer("sequenceId")}
	case TypeSequence:
		u.need(1)
		return &Sequence{u.integer("sequenceId")}
	}
	return &Unknown{int(u.kind)}
}

func (u *unpacker) invocation() Invocation {
	u.need(4)
	m := Invocation{
		Headers:      u.headers(),
		InvocationID: u.optional("invocationId"),
		Target:       u.text("target"),
		Arguments:    u.values("arguments"),
	}
	if u.also() {
		m.StreamIDs = u.texts("streamIds")
	}
	return m
}

// The kinds of Completion.
const (
	completionError  = 1
	completionVoid   = 2
	completionResult = 3
)

func (u *unpacker) completion() *Completion {
	u.need(3)
	m := &Completion{Headers: u.headers(), InvocationID: u.id()}
	switch kind := u.integer("kind"); kind {
	case completionError:
		u.need(1)
		m.HasError, m.Error = true, u.text("error")
	case completionVoid:
	case completionResult:
		u.need(1)
		m.HasResult, m.Result = true, u.value("result", 1)
	default:
		u.fail("kind", fmt.Sprintf("%d is not known", kind))
	}
	return m
}

func (u *unpacker) close() *Close {
	u.need(1)
	m := &Close{Error: u.optional("error")}
	if u.also() {
		m.AllowReconnect = u.boolean("allowReconnect")
	}
	return m
}

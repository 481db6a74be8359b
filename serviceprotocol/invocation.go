package serviceprotocol

import "cmp"

// A ClientInvocation calls a method of one client and wants its result. The
// calling app server sends it to the service; if another app server holds the
// client, the service sends it on to that one, before the client's answer.
//
// Wire: [34, invocationId str, connectionId str, callerServerId str,
// payloads map[str]bin, extensions map]. Extensions: tracing id.
//
// Source: azure-signalr ServiceProtocol.cs, WriteClientInvocationMessage.
type ClientInvocation struct {
	InvocationID   string // made by the caller; opaque to the service
	ConnectionID   string
	CallerServerID string
	Payloads       Payloads
	TracingID      uint64 // 0 means none
}

func (m *ClientInvocation) Type() Type { return TypeClientInvocation }

func (m *ClientInvocation) Append(b []byte) []byte {
	b = append(b, fixArr|6, byte(TypeClientInvocation))
	b = appendStr(b, m.InvocationID)
	b = appendStr(b, m.ConnectionID)
	b = appendStr(b, m.CallerServerID)
	b = m.Payloads.append(b)
	return appendTracingID(b, m.TracingID)
}

func (m *ClientInvocation) parse(r reader) *ParseError {
	*m = ClientInvocation{}
	r.require(5)
	m.InvocationID = r.str("invocationId")
	m.ConnectionID = r.str("connectionId")
	m.CallerServerID = r.str("callerServerId")
	m.Payloads = r.payloads(nil)
	if r.n >= 6 {
		m.TracingID = r.tracingID()
	}
	return r.err
}

// A ClientCompletion is a client's answer to a ClientInvocation, from the app
// server that holds the client to the service, and from there to the caller.
//
// Wire: [35, invocationId str, connectionId str, callerServerId str,
// protocol str, payload bin, extensions map]. Extensions: tracing id, protocol.
// The protocol is written in both places; a reader prefers the extension.
//
// Source: azure-signalr ServiceProtocol.cs, WriteClientCompletionMessage and
// CreateClientCompletionMessage.
type ClientCompletion struct {
	InvocationID   string
	ConnectionID   string
	CallerServerID string // on its way to the service, the id of the sender
	Protocol       string
	Payload        []byte // a whole hub Completion message; empty if the caller itself holds the client
	TracingID      uint64 // 0 means none
}

func (m *ClientCompletion) Type() Type { return TypeClientCompletion }

func (m *ClientCompletion) Append(b []byte) []byte {
	b = append(b, fixArr|7, byte(TypeClientCompletion))
	b = appendStr(b, m.InvocationID)
	b = appendStr(b, m.ConnectionID)
	b = appendStr(b, m.CallerServerID)
	b = appendStr(b, m.Protocol)
	b = appendBin(b, m.Payload)
	return extension{tracingID: m.TracingID, protocol: m.Protocol}.append(b)
}

func (m *ClientCompletion) parse(r reader) *ParseError {
	*m = ClientCompletion{}
	r.require(6)
	m.InvocationID = r.str("invocationId")
	m.ConnectionID = r.str("connectionId")
	m.CallerServerID = r.str("callerServerId")
	m.Protocol = r.str("protocol")
	m.Payload = r.bytes("payload")
	if r.n >= 7 {
		e := r.extension(withTracingID | withProtocol)
		m.TracingID = e.tracingID
		m.Protocol = cmp.Or(e.protocol, m.Protocol)
	}
	return r.err
}

// An ErrorCompletion tells the caller that a ClientInvocation has no result.
//
// Wire: [36, invocationId str, connectionId str, callerServerId str, error str,
// extensions map]. Extensions: tracing id.
//
// Source: azure-signalr ServiceProtocol.cs, WriteErrorCompletionMessage.
type ErrorCompletion struct {
	InvocationID   string
	ConnectionID   string
	CallerServerID string
	Error          string // shown to the calling code
	TracingID      uint64 // 0 means none
}

func (m *ErrorCompletion) Type() Type { return TypeErrorCompletion }

func (m *ErrorCompletion) Append(b []byte) []byte {
	b = append(b, fixArr|6, byte(TypeErrorCompletion))
	b = appendStr(b, m.InvocationID)
	b = appendStr(b, m.ConnectionID)
	b = appendStr(b, m.CallerServerID)
	b = appendStr(b, m.Error)
	return appendTracingID(b, m.TracingID)
}

func (m *ErrorCompletion) parse(r reader) *ParseError {
	*m = ErrorCompletion{}
	r.require(5)
	m.InvocationID = r.str("invocationId")
	m.ConnectionID = r.str("connectionId")
	m.CallerServerID = r.str("callerServerId")
	m.Error = r.str("error")
	if r.n >= 6 {
		m.TracingID = r.tracingID()
	}
	return r.err
}

// A ServiceMapping tells the caller which instance of the service holds the
// client of a ClientInvocation, so that the call fails when the instance is lost.
//
// Wire: [37, invocationId str, connectionId str, instanceId str, extensions map].
//
// Source: azure-signalr ServiceProtocol.cs, WriteServiceMappingMessage.
type ServiceMapping struct {
	InvocationID string
	ConnectionID string
	InstanceID   string
}

func (m *ServiceMapping) Type() Type { return TypeServiceMapping }

func (m *ServiceMapping) Append(b []byte) []byte {
	b = append(b, fixArr|5, byte(TypeServiceMapping))
	b = appendStr(b, m.InvocationID)
	b = appendStr(b, m.ConnectionID)
	b = appendStr(b, m.InstanceID)
	return appendNoExtension(b)
}

func (m *ServiceMapping) parse(r reader) *ParseError {
	*m = ServiceMapping{}
	r.require(4)
	m.InvocationID = r.str("invocationId")
	m.ConnectionID = r.str("connectionId")
	m.InstanceID = r.str("instanceId")
	r.skipExtension(5)
	return r.err
}

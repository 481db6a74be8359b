package aspnetprotocol

import (
	"bytes"
	"fmt"

	"switchboard/serviceprotocol"
)

// Reconnect is the payload by which the service tells the app server that a client has
// reconnected. Clients must not send it themselves.
//
// Source: azure-signalr AspNet/ServerConnections/ServiceConnection.cs.
const Reconnect = "asrs:reconnect"

// Protocol is the name under which payloads stand in messages to many clients.
const Protocol = "json"

// AppendWrapped appends a JSON text for clients as app servers send it: in a frame of its own,
// [6, "", text, {}].
//
// Source: azure-signalr AspNet/ServerConnections/ServiceConnectionExtensions.cs.
func AppendWrapped(b, text []byte) []byte {
	return serviceprotocol.AppendFrame(b, &serviceprotocol.ConnectionData{Payload: text})
}

// Unwrap calls yield with each JSON text in a payload of an app server, until it returns an
// error. A payload that begins with a brace is taken for a text itself, so that app servers
// can do without frames.
func Unwrap(payload []byte, yield func(text []byte) error) error {
	if trimmed := bytes.TrimSpace(payload); len(trimmed) > 0 && trimmed[0] == '{' && !isFrame(payload) {
		return yield(trimmed)
	}
	var parser serviceprotocol.Parser
	for len(payload) > 0 {
		body, rest, err := serviceprotocol.SplitFrame(payload, len(payload))
		if err != nil {
			return fmt.Errorf("payload of an app server: %w", err)
		}
		if body == nil {
			return fmt.Errorf("payload of an app server: %d bytes at the end are no frame", len(payload))
		}
		m, err := parser.Parse(body)
		if err != nil {
			return fmt.Errorf("payload of an app server: %w", err)
		}
		data, ok := m.(*serviceprotocol.ConnectionData)
		if !ok {
			return fmt.Errorf("payload of an app server: a frame is %v, want ConnectionData", m.Type())
		}
		if err := yield(data.Payload); err != nil {
			return err
		}
		payload = rest
	}
	return nil
}

// isFrame tells whether a payload that begins as a text does is a frame all the same: one of
// 123 bytes begins with a brace.
func isFrame(payload []byte) bool {
	const bytesOfFrame = '{'
	return len(payload) > bytesOfFrame && payload[1] == 0x94 && payload[2] == byte(serviceprotocol.TypeConnectionData)
}

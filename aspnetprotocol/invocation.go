package aspnetprotocol

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf16"
)

const (
	// MaxDepth is how deep the JSON of a client may be.
	//
	// Source: SignalR Core/Json/JsonUtility.cs.
	MaxDepth = 20

	// MaxState is how many UTF-16 units the state of a client may have as text.
	//
	// Source: SignalR Core/Hubs/HubRequestParser.cs.
	MaxState = 4096
)

// An Invocation is a client's call of a hub method.
//
// Source: SignalR Core/Hubs/HubRequestParser.cs.
type Invocation struct {
	Hub, Method string            // as the client wrote them
	Arguments   []json.RawMessage // "A"
	ID          string            // "I", a number or a string; the answer has it as a string
	HasID       bool              // it wants an answer
	State       []Member          // "S", in order: what the client's proxy remembers
}

// A Member is one member of a JSON object.
type Member struct {
	Name  string
	Value json.RawMessage
}

//lint:ignore ST1005 the text is SignalR's
var errState = errors.New("State has exceeded the maximum length of 4096 bytes.")

// ParseInvocation reads what a client has sent. It keeps nothing of text.
func ParseInvocation(text []byte) (*Invocation, error) {
	if err := checkDepth(text); err != nil {
		return nil, fmt.Errorf("invocation: %w", err)
	}
	var wire struct {
		H, M string
		A    []json.RawMessage
		I    json.RawMessage
		S    json.RawMessage
	}
	if err := json.Unmarshal(text, &wire); err != nil {
		return nil, fmt.Errorf("invocation: %w", err)
	}
	m := &Invocation{Hub: wire.H, Method: wire.M, Arguments: wire.A}
	if m.Hub == "" || m.Method == "" {
		return nil, errors.New("invocation: H and M are required")
	}
	if len(wire.I) > 0 && string(wire.I) != "null" {
		m.HasID = true
		if err := json.Unmarshal(wire.I, &m.ID); err != nil {
			if _, number := jsonNumber(wire.I); !number {
				return nil, errors.New("invocation: I is neither a string nor a number")
			}
			m.ID = string(wire.I)
		}
	}
	var err error
	if m.State, err = parseState(wire.S); err != nil {
		return nil, fmt.Errorf("invocation: %w", err)
	}
	return m, nil
}

func jsonNumber(text json.RawMessage) (n json.Number, ok bool) {
	return n, text[0] != '"' && json.Unmarshal(text, &n) == nil
}

func parseState(text json.RawMessage) ([]Member, error) {
	if len(text) == 0 || string(text) == "null" {
		return nil, nil
	}
	if len(text) > MaxState && len(utf16.Encode([]rune(string(text)))) > MaxState {
		return nil, errState
	}
	if text[0] != '{' {
		return nil, errors.New("the state S is no object")
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	_, _ = dec.Token() // {
	var members []Member
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return nil, err
		}
		m := Member{Name: name.(string)} // members of an object have no other names
		if err := dec.Decode(&m.Value); err != nil {
			return nil, err
		}
		members = append(members, m)
	}
	return members, nil
}

// checkDepth counts brackets outside of strings.
func checkDepth(text []byte) error {
	depth := 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '[', '{':
			if depth++; depth > MaxDepth {
				return fmt.Errorf("JSON is deeper than %d", MaxDepth)
			}
		case ']', '}':
			depth--
		case '"':
			if n := stringLength(text[i:]); n > 0 {
				i += n - 1
			}
		}
	}
	return nil
}

// Append appends the invocation as a JavaScript client writes it.
func (m *Invocation) Append(b []byte) []byte {
	b = appendString(append(b, `{"H":`...), m.Hub)
	b = appendString(append(b, `,"M":`...), m.Method)
	b = appendArray(append(b, `,"A":`...), m.Arguments)
	if m.HasID {
		b = appendString(append(b, `,"I":`...), m.ID)
	}
	if len(m.State) > 0 {
		b = appendObject(append(b, `,"S":`...), m.State)
	}
	return append(b, '}')
}

// A Call is a hub's call of a client's method: a message of an [Envelope].
//
// Source: SignalR Core/Hubs/ClientHubInvocation.cs.
type Call struct {
	Hub       string // in its declared case
	Method    string
	Arguments []json.RawMessage
	State     []Member // changed by the call that sends this, if it is for the caller
}

// Append appends the call.
func (m *Call) Append(b []byte) []byte {
	b = appendString(append(b, `{"H":`...), m.Hub)
	b = appendString(append(b, `,"M":`...), m.Method)
	b = appendArray(append(b, `,"A":`...), m.Arguments)
	if len(m.State) > 0 {
		b = appendObject(append(b, `,"S":`...), m.State)
	}
	return append(b, '}')
}

// A Result is the hub's answer to an [Invocation].
//
// Source: SignalR Core/Hubs/HubResponse.cs.
type Result struct {
	ID        string
	HasID     bool            // else the id is null
	Value     json.RawMessage // nil, and null, are left out
	State     []Member        // what the call has changed
	Error     string          // the call has failed
	Exception bool            // with a HubException
	Data      json.RawMessage // of the HubException
}

// Append appends the result.
func (m *Result) Append(b []byte) []byte {
	b = append(b, '{')
	if len(m.State) > 0 {
		b = append(appendObject(append(b, `"S":`...), m.State), ',')
	}
	if len(m.Value) > 0 && string(m.Value) != "null" {
		b = append(append(append(b, `"R":`...), m.Value...), ',')
	}
	b = append(b, `"I":`...)
	if m.HasID {
		b = appendString(b, m.ID)
	} else {
		b = append(b, "null"...)
	}
	if m.Exception {
		b = append(b, `,"H":true`...)
	}
	if m.Error != "" {
		b = appendString(append(b, `,"E":`...), m.Error)
	}
	if m.Exception && len(m.Data) > 0 && string(m.Data) != "null" {
		b = append(append(b, `,"D":`...), m.Data...)
	}
	return append(b, '}')
}

// AppendProgress appends what a call reports while it runs: a message of an [Envelope]. Its own
// id is one that clients which do not know progress never wait for.
//
// Source: SignalR Core/Hubs/HubDispatcher.cs.
func AppendProgress(b []byte, id string, value json.RawMessage, state []Member) []byte {
	b = append(b, '{')
	if len(state) > 0 {
		b = append(appendObject(append(b, `"S":`...), state), ',')
	}
	b = appendString(append(b, `"I":`...), "P|"+id)
	b = appendString(append(b, `,"P":{"I":`...), id)
	return append(append(append(b, `,"D":`...), value...), `}}`...)
}

func appendArray(b []byte, values []json.RawMessage) []byte {
	b = append(b, '[')
	for i, v := range values {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, v...)
	}
	return append(b, ']')
}

func appendObject(b []byte, members []Member) []byte {
	b = append(b, '{')
	for i, m := range members {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(append(appendString(b, m.Name), ':'), m.Value...)
	}
	return append(b, '}')
}

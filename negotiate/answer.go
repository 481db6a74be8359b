package negotiate

import (
	"bytes"
	"encoding/json"
)

// An Answer takes the client in: it connects at the URL where it asked.
//
// Wire: [useStatefulReconnect, only true], negotiateVersion, connectionId,
// [connectionToken, from version 1 on], availableTransports.
//
// Source: dotnet/aspnetcore NegotiateProtocol.cs, WriteResponse.
type Answer struct {
	Version              int       // as ParseVersion gave it
	ConnectionID         string    // public name of the connection
	ConnectionToken      string    // secret; the id parameter of every transport request
	Transports           Transport // to be tried in the order of their bits
	UseStatefulReconnect bool      // only for a client that asked for it; others fail
}

// A Redirect sends the client elsewhere: it negotiates again at URL.
//
// Wire: negotiateVersion 0, url, [accessToken], availableTransports [].
//
// Source: NegotiateProtocol.cs, WriteResponse; the empty array is for .NET clients
// that insist on the property.
type Redirect struct {
	URL         string // absolute, of a hub; may have a query
	AccessToken string // replaces the user's token; empty: left out
}

// A Refusal turns the client away.
//
// Wire: error.
type Refusal struct {
	Error string // what the client's start fails with
}

// MarshalJSON returns the bytes of the answer.
func (a Answer) MarshalJSON() ([]byte, error) {
	token := a.ConnectionToken
	if a.Version < 1 {
		token = ""
	}
	return marshal(struct {
		UseStatefulReconnect bool    `json:"useStatefulReconnect,omitempty"`
		Version              int     `json:"negotiateVersion"`
		ConnectionID         string  `json:"connectionId"`
		ConnectionToken      string  `json:"connectionToken,omitempty"`
		Transports           []offer `json:"availableTransports"`
	}{a.UseStatefulReconnect, a.Version, a.ConnectionID, token, a.Transports.list()})
}

// MarshalJSON returns the bytes of the redirect.
func (r Redirect) MarshalJSON() ([]byte, error) {
	return marshal(struct {
		Version     int     `json:"negotiateVersion"`
		URL         string  `json:"url"`
		AccessToken string  `json:"accessToken,omitempty"`
		Transports  []offer `json:"availableTransports"`
	}{0, r.URL, r.AccessToken, []offer{}})
}

// MarshalJSON returns the bytes of the refusal.
func (r Refusal) MarshalJSON() ([]byte, error) {
	return marshal(struct {
		Error string `json:"error"`
	}{r.Error})
}

// marshal leaves the & of URLs as it is.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

package negotiate

import (
	"encoding/json"
	"errors"
	"fmt"
)

// ErrOldServer means that an ASP.NET SignalR server answered, which speaks
// another protocol than ASP.NET Core SignalR.
var ErrOldServer = errors.New("server is ASP.NET SignalR, not ASP.NET Core SignalR")

// A Response is what a client got: a refusal if Error is set, else a redirect if
// URL is set, else an answer.
type Response struct {
	Error string

	URL         string
	AccessToken string

	Version              int
	ConnectionID         string
	ConnectionToken      string // from version 1 on; else ConnectionID names the connection
	UseStatefulReconnect bool
	Offers               []Offer // in the order to try; transports not known are left out
}

// An Offer is one transport of an answer and the frame formats it can carry.
type Offer struct {
	Transport Transport
	Text      bool
	Binary    bool
}

// ParseAnswer reads any of the three answers. Unknown fields are passed over; an
// answer without what a client needs to connect is an error.
//
// Source: dotnet/aspnetcore NegotiateProtocol.cs, ParseResponse.
func ParseAnswer(b []byte) (*Response, error) {
	var w wireResponse
	if err := json.Unmarshal(b, &w); err != nil {
		return nil, fmt.Errorf("parse negotiate answer: %w", err)
	}
	if err := w.check(); err != nil {
		return nil, fmt.Errorf("parse negotiate answer: %w", err)
	}
	return &Response{
		Error:                w.Error,
		URL:                  w.URL,
		AccessToken:          w.AccessToken,
		Version:              w.Version,
		ConnectionID:         w.ConnectionID,
		ConnectionToken:      w.ConnectionToken,
		UseStatefulReconnect: w.UseStatefulReconnect,
		Offers:               w.offers(),
	}, nil
}

type wireResponse struct {
	Error                string          `json:"error"`
	URL                  string          `json:"url"`
	AccessToken          string          `json:"accessToken"`
	Version              int             `json:"negotiateVersion"`
	ConnectionID         string          `json:"connectionId"`
	ConnectionToken      string          `json:"connectionToken"`
	UseStatefulReconnect bool            `json:"useStatefulReconnect"`
	Transports           []offer         `json:"availableTransports"`
	ProtocolVersion      json.RawMessage `json:"ProtocolVersion"`
}

func (w *wireResponse) check() error {
	switch {
	case w.ProtocolVersion != nil:
		return ErrOldServer
	case w.Error != "" || w.URL != "":
		return nil
	case w.ConnectionID == "":
		return errors.New("connectionId is missing")
	case w.Version > 0 && w.ConnectionToken == "":
		return errors.New("connectionToken is missing")
	case w.Transports == nil:
		return errors.New("availableTransports is missing")
	}
	return nil
}

func (w *wireResponse) offers() (list []Offer) {
	for _, o := range w.Transports {
		t := transportOf(o.Transport)
		if t == 0 {
			continue
		}
		offer := Offer{Transport: t}
		for _, format := range o.TransferFormats {
			offer.Text = offer.Text || format == "Text"
			offer.Binary = offer.Binary || format == "Binary"
		}
		list = append(list, offer)
	}
	return list
}

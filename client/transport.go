package client

import (
	"context"
	"errors"
	"fmt"
	"net/url"

	"switchboard/negotiate"
)

// A transport carries the bytes of a connection.
type transport interface {
	// send sends whole messages. It is called by one goroutine at a time; binary is
	// how the protocol wants its messages to be carried.
	send(ctx context.Context, b []byte, binary bool) error
	// receive returns the next bytes, which are valid until it is called again. At
	// the end of a connection in good order the error is io.EOF.
	receive(ctx context.Context) ([]byte, error)
	// close ends the transport. Others may be in send and receive.
	close(ctx context.Context)
}

// A link is an open transport and what was negotiated for it.
type link struct {
	transport
	kind     negotiate.Transport
	id       string   // connection id; empty if negotiation was skipped
	url      *url.URL // of the connection, with its secret token
	requests *requester
	stateful bool
}

//lint:ignore ST1005 the text is that of the official clients
var errNoTransport = errors.New("None of the transports supported by the client are supported by the server.")

// connect opens a transport: the first of those offered that works. Each attempt
// negotiates anew, since a server gives every connection one only.
//
// Source: npm @microsoft/signalr HttpConnection.ts, _createTransport.
func (c *Conn) connect(ctx context.Context) (*link, error) {
	if c.config.SkipNegotiation {
		r := &requester{config: &c.config}
		if err := r.renewToken(ctx); err != nil {
			return nil, err
		}
		t, err := dialWebSocket(ctx, r, c.url)
		return &link{transport: t, kind: WebSockets, url: c.url, requests: r}, err
	}
	var failures []error
	tried := negotiate.Transport(0)
	for {
		r := &requester{config: &c.config}
		answer, u, err := r.negotiate(ctx, c.url)
		if err != nil {
			return nil, fmt.Errorf("negotiate: %w", errors.Join(append(failures, err)...))
		}
		if answer.UseStatefulReconnect && !c.config.StatefulReconnect && !c.url.Query().Has("useStatefulReconnect") {
			return nil, errStatefulUnasked
		}
		kind := c.choose(answer.Offers, tried)
		if kind == 0 && failures == nil {
			return nil, errNoTransport
		}
		if kind == 0 {
			return nil, errors.Join(failures...)
		}
		l := &link{kind: kind, id: answer.ConnectionID, url: connectURL(u, answer), requests: r,
			stateful: answer.UseStatefulReconnect && kind == WebSockets}
		if l.transport, err = openTransport(ctx, l); err == nil {
			return l, nil
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		tried |= kind
		failures = append(failures, fmt.Errorf("%v: %w", kind, err))
	}
}

//lint:ignore ST1005 the text is that of the official clients
var errStatefulUnasked = errors.New("Client didn't negotiate Stateful Reconnect but the server did.")

// choose returns the first transport offered that was not tried and suits, or 0.
func (c *Conn) choose(offers []negotiate.Offer, tried negotiate.Transport) negotiate.Transport {
	for _, o := range offers {
		format := o.Text
		if c.config.Protocol.Binary() {
			format = o.Binary
		}
		if format && o.Transport&c.config.Transports&^tried != 0 {
			return o.Transport
		}
	}
	return 0
}

func connectURL(u *url.URL, answer *negotiate.Response) *url.URL {
	at := *u
	token := answer.ConnectionToken
	if answer.Version == 0 || token == "" {
		token = answer.ConnectionID
	}
	at.RawQuery = withParameter(u.RawQuery, "id", token)
	return &at
}

func openTransport(ctx context.Context, l *link) (transport, error) {
	switch l.kind {
	case WebSockets:
		return dialWebSocket(ctx, l.requests, l.url)
	case ServerSentEvents:
		return openEvents(ctx, l.requests, l.url)
	default:
		return openPolls(ctx, l.requests, l.url)
	}
}

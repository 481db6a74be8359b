package appserver

import (
	"bytes"
	"context"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"

	"switchboard/accesstoken"
	"switchboard/serviceprotocol"
)

// A Context is what a hub method knows of the client that calls it. It may be used
// by several goroutines, and may be kept.
//
// It is also a [context.Context], which is done as soon as the client is gone;
// [context.Cause] then tells why. As with an HTTP request, work that has to be
// finished nevertheless needs [context.WithoutCancel]. The one of a call with streams
// is also done when the call is over or cancelled, as is that of any method which
// takes a context.Context.
type Context struct {
	context.Context
	client *client
	slot   atomic.Bool // the call holds others up
}

// ConnectionID returns the id of the client's connection. It is no secret, and
// clients see it too.
func (c *Context) ConnectionID() string { return c.client.id }

// UserID returns the user that the client belongs to, as Identity.UserID told, or
// "" for nobody.
func (c *Context) UserID() string { return c.client.user }

// Diagnostic tells whether HubConfig.DiagnosticClientFilter has chosen the client.
func (c *Context) Diagnostic() bool { return c.client.traced }

// Claims returns what the client's token says about the user, without the claims
// that are between SDK and service. Types have their short names, such as "role",
// where a token has two names for one thing. The slice must not be changed.
func (c *Context) Claims() []Claim { return c.client.claims }

// Claim returns the first claim of a type, named short or long, or "".
func (c *Context) Claim(typ string) string {
	short := accesstoken.ShortName(accesstoken.LongName(typ)) // "sub" and "roles" have another name here
	for _, claim := range c.client.claims {
		if claim.Type == short {
			return claim.Value
		}
	}
	return ""
}

// Header returns the headers of the request that opened the connection. It reads
// them anew each time.
func (c *Context) Header() http.Header {
	header := http.Header{}
	for _, h := range c.client.request().Headers {
		for _, value := range h.Values {
			header.Add(h.Name, value)
		}
	}
	return header
}

// Query returns the query of the client's URL. It has some parameters that
// negotiate added, such as "asrs.op". It is read anew each time.
func (c *Context) Query() url.Values {
	query, _ := url.ParseQuery(strings.TrimPrefix(c.client.request().QueryString, "?"))
	return query
}

// Path returns the path of the hub that the client asked for, such as "/chat".
func (c *Context) Path() string { return c.Query().Get(parameterPath) }

// RemoteAddr returns the client's IP address as the service saw it, or "".
func (c *Context) RemoteAddr() string {
	first, _, _ := strings.Cut(c.client.request().Headers.Get("X-Forwarded-For"), ",")
	return strings.TrimSpace(first)
}

// Items is a place for what the hub wants to remember of the client until it is
// gone.
func (c *Context) Items() *sync.Map { return &c.client.items }

// Clients returns the ways to address clients of the hub.
func (c *Context) Clients() CallerClients {
	return CallerClients{HubClients{c.client.hub, c.client.server, c}, c.client.id}
}

// Groups returns the hub's groups.
func (c *Context) Groups() CallerGroups {
	return CallerGroups{HubGroups{c.client.hub, c.client.server}, c.client.id}
}

// Abort closes the client's connection. The client does not reconnect by itself.
func (c *Context) Abort() { c.client.end(aborted(c.client)) }

// request reads what OpenConnection said. It is kept as bytes, because most
// clients are idle and few hubs ask.
func (c *client) request() *serviceprotocol.OpenConnection {
	m, err := serviceprotocol.Parse(c.opened)
	if err != nil {
		return &serviceprotocol.OpenConnection{} // it was read before, so it can be read now
	}
	return m.(*serviceprotocol.OpenConnection)
}

// cloneOpen frees m from the receive buffer: the result is its bytes and what
// they say, which aliases them.
func cloneOpen(m *serviceprotocol.OpenConnection) ([]byte, *serviceprotocol.OpenConnection) {
	body := bytes.Clone(m.Append(nil)) // without spare room, for it stays
	parsed, err := serviceprotocol.Parse(body)
	if err != nil {
		panic("appserver: what was written does not read back: " + err.Error())
	}
	return body, parsed.(*serviceprotocol.OpenConnection)
}

// userClaims returns the claims that are the hub's business.
//
// Source: azure-signalr ClaimsUtility.cs, GetUserPrincipal.
func userClaims(all []serviceprotocol.Claim) []Claim {
	var claims []Claim
	for _, c := range all {
		name, escaped := strings.CutPrefix(c.Type, accesstoken.UserPrefix)
		if !escaped && isSystemClaim(c.Type) {
			continue
		}
		claims = append(claims, Claim{Type: accesstoken.ShortName(name), Value: c.Value})
	}
	return claims
}

func isSystemClaim(name string) bool {
	switch name {
	case "aud", "exp", "iat", "nbf", "iss":
		return true
	}
	return strings.HasPrefix(name, accesstoken.SystemPrefix)
}

// userID returns asrs.s.uid if there is one, else the name identifier.
func userID(all []serviceprotocol.Claim) string {
	t := accesstoken.Token{Claims: all}
	return t.UserID()
}

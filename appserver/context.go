package appserver

import (
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
	peer   *peer
	hub    *hub
	client *client     // nil for a client of ASP.NET SignalR
	aspNet *aspNetCall // nil for one of ASP.NET Core SignalR
	slot   atomic.Bool // the call holds others up
}

// ConnectionID returns the id of the client's connection. It is no secret, and
// clients see it too.
func (c *Context) ConnectionID() string { return c.peer.id }

// UserID returns the user that the client belongs to, as Identity.UserID told, or
// "" for nobody.
func (c *Context) UserID() string { return c.peer.user }

// Diagnostic tells whether HubConfig.DiagnosticClientFilter has chosen the client.
func (c *Context) Diagnostic() bool { return c.peer.traced }

// Claims returns what the client's token says about the user, without the claims
// that are between SDK and service. Types have their short names, such as "role",
// where a token has two names for one thing. The slice must not be changed.
func (c *Context) Claims() []Claim { return c.peer.claims }

// Claim returns the first claim of a type, named short or long, or "".
func (c *Context) Claim(typ string) string {
	short := accesstoken.ShortName(accesstoken.LongName(typ)) // "sub" and "roles" have another name here
	for _, claim := range c.peer.claims {
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
	for _, h := range c.peer.request().Headers {
		for _, value := range h.Values {
			header.Add(h.Name, value)
		}
	}
	return header
}

// Query returns the query of the client's URL. It has some parameters that
// negotiate added, such as "asrs.op". It is read anew each time.
func (c *Context) Query() url.Values {
	query, _ := url.ParseQuery(strings.TrimPrefix(c.peer.request().QueryString, "?"))
	return query
}

// Path returns the path of the hub that the client asked for, such as "/chat".
func (c *Context) Path() string { return c.Query().Get(parameterPath) }

// RemoteAddr returns the client's IP address as the service saw it, or "".
func (c *Context) RemoteAddr() string {
	first, _, _ := strings.Cut(c.peer.request().Headers.Get("X-Forwarded-For"), ",")
	return strings.TrimSpace(first)
}

// Items is a place for what the hub wants to remember of the client until it is
// gone.
func (c *Context) Items() *sync.Map { return &c.peer.items }

// Clients returns the ways to address clients of the hub.
func (c *Context) Clients() CallerClients {
	return CallerClients{HubClients{c.hub, c.peer.server, c}, c.peer.id}
}

// Groups returns the hub's groups.
func (c *Context) Groups() CallerGroups {
	return CallerGroups{HubGroups{c.hub, c.peer.server}, c.peer.id}
}

// Abort closes the client's connection. The client does not reconnect by itself.
func (c *Context) Abort() {
	if c.aspNet != nil {
		c.aspNet.client.end("")
		return
	}
	c.client.end(aborted(c.client))
}

// Generation tells which clients the client is one of.
func (c *Context) Generation() Generation {
	if c.aspNet != nil {
		return AspNet
	}
	return AspNetCore
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

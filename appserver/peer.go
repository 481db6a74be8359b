package appserver

import (
	"bytes"
	"strings"
	"sync"
	"time"

	"switchboard/serviceprotocol"
)

// A peer is what the clients of both generations are: who they are, what carries them, and what
// the hub wants to remember of them.
type peer struct {
	server *serverConn // fixed, as are all up to opened
	id     string
	user   string
	claims []Claim
	traced bool      // it is a diagnostic client
	node   string    // the service instance that holds the client's socket
	since  time.Time // when the service opened the connection
	opened []byte    // OpenConnection, which the strings above are parts of

	items sync.Map
}

// introduce sets what OpenConnection says, and returns a copy of it that lasts.
func (p *peer) introduce(server *serverConn, m *serviceprotocol.OpenConnection) *serviceprotocol.OpenConnection {
	p.opened, m = cloneOpen(m)
	p.server = server
	p.id, p.user, p.claims = m.ConnectionID, userID(m.Claims), userClaims(m.Claims)
	p.traced = strings.EqualFold(m.Headers.Get(serviceprotocol.HeaderDiagnosticClient), "true")
	p.node = m.Headers.Get("Asrs-Instance-Id")
	p.since = time.Now()
	return m
}

// request reads what OpenConnection said. It is kept as bytes, because most
// clients are idle and few hubs ask.
func (p *peer) request() *serviceprotocol.OpenConnection {
	m, err := serviceprotocol.Parse(p.opened)
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

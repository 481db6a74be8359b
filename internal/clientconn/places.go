package clientconn

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"sync"
)

// maxDiagnosticClients bounds the clients that apps want to be traced.
//
// Source: Azure/azure-signalr docs/diagnostic-logs.md.
const maxDiagnosticClients = 100

// ErrNoPlace is matched by the errors of Take. Their text is for clients.
var ErrNoPlace = errors.New("no place for another client connection")

type noPlace string

func (e noPlace) Error() string      { return string(e) }
func (noPlace) Is(target error) bool { return target == ErrNoPlace }

// Places are those for the client connections of a service, of all generations together,
// negotiated ones included.
type Places struct {
	max int // 0: no bound

	mu            sync.Mutex
	taken, traced int // guarded by mu
}

// NewPlaces returns places for max connections; 0 is no bound.
func NewPlaces(max int) *Places { return &Places{max: max} }

// Take takes a place for a connection, which Give gives back. traced is one of a diagnostic
// client.
func (p *Places) Take(traced bool) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.max > 0 && p.taken >= p.max:
		return noPlace(fmt.Sprintf("Connection count reaches limit (%d, limits.client-connections).", p.max))
	case traced && p.traced >= maxDiagnosticClients:
		return noPlace(fmt.Sprintf("There are %d diagnostic clients already.", maxDiagnosticClients))
	}
	p.count(1, traced)
	return nil
}

// Give gives a place back.
func (p *Places) Give(traced bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.count(-1, traced)
}

func (p *Places) count(n int, traced bool) {
	p.taken += n
	if traced {
		p.traced += n
	}
}

// Taken returns how many places are taken.
func (p *Places) Taken() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.taken
}

// NewID returns 16 random bytes, safe in URLs and without dots.
func NewID() string {
	var b [16]byte
	rand.Read(b[:]) // never fails
	return base64.RawURLEncoding.EncodeToString(b[:])
}

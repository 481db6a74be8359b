// Package balancer decides which server connection a new client connection
// gets. A Pool holds the server connections of one hub and how many clients
// each serves; it is guarded by the hub that owns it.
package balancer

import "slices"

// A Pool picks the server connection with the fewest clients. The zero value
// is empty and ready to use. It is not safe for concurrent use.
type Pool[S comparable] struct {
	members []*member[S]
	first   int // where the next scan begins, so that equals take turns
}

type member[S comparable] struct {
	server  S
	clients int
	retired bool // for good
	rests   bool // until it is needed
}

// before tells whether m gets a new client rather than other.
func (m *member[S]) before(other *member[S]) bool {
	if m.rests != other.rests {
		return other.rests
	}
	return m.clients < other.clients
}

// Add makes s eligible.
func (p *Pool[S]) Add(s S) { p.members = append(p.members, &member[S]{server: s}) }

// Remove forgets s and its clients.
func (p *Pool[S]) Remove(s S) {
	p.members = slices.DeleteFunc(p.members, func(m *member[S]) bool { return m.server == s })
}

// Retire keeps s from being picked; its clients stay with it.
func (p *Pool[S]) Retire(s S) {
	if m := p.find(s); m != nil {
		m.retired = true
	}
}

// Rest keeps s from being picked as long as another one can be.
func (p *Pool[S]) Rest(s S) {
	if m := p.find(s); m != nil {
		m.rests = true
	}
}

// Rests tells whether s rests.
func (p *Pool[S]) Rests(s S) bool {
	m := p.find(s)
	return m != nil && m.rests
}

// Wake has all that rest and fit picked again, and tells whether there are any.
func (p *Pool[S]) Wake(fits func(S) bool) (any bool) {
	for _, m := range p.members {
		if m.rests && fits(m.server) {
			m.rests, any = false, true
		}
	}
	return any
}

// Any tells whether one can be picked.
func (p *Pool[S]) Any() bool {
	return slices.ContainsFunc(p.members, func(m *member[S]) bool { return !m.retired })
}

// Load returns how many of those that fit can be picked, and how many clients all of
// them have together.
func (p *Pool[S]) Load(fits func(S) bool) (servers, clients int) {
	for _, m := range p.members {
		if m.retired || !fits(m.server) {
			continue
		}
		clients += m.clients
		if !m.rests {
			servers++
		}
	}
	return servers, clients
}

// First returns the first that fits and can be picked, or nothing.
func (p *Pool[S]) First(fits func(S) bool) (s S) {
	for _, m := range p.members {
		if !m.retired && !m.rests && fits(m.server) {
			return m.server
		}
	}
	return s
}

// Pick returns the eligible server connection with the fewest clients, of those that
// fit, and counts one more client for it; ok is false if there is none. A nil fits
// means that all do.
func (p *Pool[S]) Pick(fits func(S) bool) (s S, ok bool) {
	var best *member[S]
	for i := range p.members {
		m := p.members[(p.first+i)%len(p.members)]
		if !m.retired && (fits == nil || fits(m.server)) && (best == nil || m.before(best)) {
			best = m
		}
	}
	if best == nil {
		return s, false
	}
	p.first++
	best.clients++
	return best.server, true
}

// Release counts one client of s less; an s that is gone is ignored.
func (p *Pool[S]) Release(s S) {
	if m := p.find(s); m != nil {
		m.clients--
	}
}

// Clients returns how many clients s serves.
func (p *Pool[S]) Clients(s S) int {
	if m := p.find(s); m != nil {
		return m.clients
	}
	return 0
}

// Len returns the number of server connections, retired ones included.
func (p *Pool[S]) Len() int { return len(p.members) }

func (p *Pool[S]) find(s S) *member[S] {
	for _, m := range p.members {
		if m.server == s {
			return m
		}
	}
	return nil
}

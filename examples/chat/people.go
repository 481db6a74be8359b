package main

import (
	"maps"
	"slices"
	"sync"
)

// people is who is here, kept in memory: it starts empty with the program, and
// fills as the browsers reconnect. Several app servers would keep it in a store that
// they share. The zero value is empty.
type people struct {
	mu      sync.Mutex
	tabs    map[string]int // open connections of each person
	changes int
}

// A presence is what browsers are told of it. Two of them can overtake each other
// on the way, since they may travel over different server connections, so
// they are numbered.
type presence struct {
	Names  []string `json:"names"`
	Change int      `json:"change"`
}

// enter counts one more connection of a person.
func (p *people) enter(name string) presence { return p.add(name, 1) }

// leave counts one less. A person is here until the last one is closed.
func (p *people) leave(name string) presence { return p.add(name, -1) }

func (p *people) add(name string, n int) presence {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.tabs == nil {
		p.tabs = map[string]int{}
	}
	if p.tabs[name] += n; p.tabs[name] == 0 {
		delete(p.tabs, name)
	}
	p.changes++
	return presence{Names: slices.Sorted(maps.Keys(p.tabs)), Change: p.changes}
}

func (p *people) here(name string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.tabs[name] > 0
}

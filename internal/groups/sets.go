// Package groups keeps named sets of client connections: the groups of a hub,
// its users, and the records that put a user's present and future connections
// into groups. It only does the bookkeeping; its types are not safe for
// concurrent use and are guarded by the hub that owns them.
package groups

import (
	"iter"
	"maps"
	"slices"
	"strings"
)

// Sets are named sets of members. A set exists while it has a member. The zero
// value is ready to use.
type Sets[M comparable] struct {
	members map[string]map[M]struct{}
	names   map[M][]string // the sets of a member; few, so a slice
}

// Add puts m into the set called name and tells whether it was not there yet.
// The name is copied, so it may alias a buffer.
func (s *Sets[M]) Add(name string, m M) bool {
	set := s.members[name]
	if _, ok := set[m]; ok {
		return false
	}
	if s.members == nil {
		s.members, s.names = map[string]map[M]struct{}{}, map[M][]string{}
	}
	name = strings.Clone(name)
	if set == nil {
		set = map[M]struct{}{}
		s.members[name] = set
	}
	set[m] = struct{}{}
	s.names[m] = append(s.names[m], name)
	return true
}

// Remove takes m out of the set called name and tells whether it was there.
func (s *Sets[M]) Remove(name string, m M) bool {
	if !s.drop(name, m) {
		return false
	}
	names := s.names[m]
	i := slices.Index(names, name)
	if names = slices.Delete(names, i, i+1); len(names) > 0 {
		s.names[m] = names
	} else {
		delete(s.names, m)
	}
	return true
}

// RemoveMember takes m out of every set.
func (s *Sets[M]) RemoveMember(m M) {
	for _, name := range s.names[m] {
		s.drop(name, m)
	}
	delete(s.names, m)
}

func (s *Sets[M]) drop(name string, m M) bool {
	set := s.members[name]
	if _, ok := set[m]; !ok {
		return false
	}
	if delete(set, m); len(set) == 0 {
		delete(s.members, name)
	}
	return true
}

// Has tells whether m is in the set called name.
func (s *Sets[M]) Has(name string, m M) bool {
	_, ok := s.members[name][m]
	return ok
}

// Len returns the number of members of the set called name.
func (s *Sets[M]) Len(name string) int { return len(s.members[name]) }

// Count returns the number of sets.
func (s *Sets[M]) Count() int { return len(s.members) }

// Members yields the members of the set called name, in no order.
func (s *Sets[M]) Members(name string) iter.Seq[M] { return maps.Keys(s.members[name]) }

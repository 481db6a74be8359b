package router

import (
	"slices"
	"strings"
	"time"

	"switchboard/internal/pairing"
	"switchboard/serviceprotocol"
)

// join puts a connection into a group and tells whether the connection exists.
func (h *Hub) join(connectionID, group string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	p := h.pairs.Find(connectionID)
	if p == nil {
		return false
	}
	h.joinLocked(p.Client, group)
	return true
}

func (h *Hub) joinLocked(c pairing.Client, group string) {
	if h.config.Joins == nil || h.config.Joins(c, group) {
		h.groups.Add(group, c)
	}
}

// leave takes a connection out of a group, or of all if group is empty, and
// tells whether the connection exists.
func (h *Hub) leave(connectionID, group string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	p := h.pairs.Find(connectionID)
	if p == nil {
		return false
	}
	if group == "" {
		h.groups.RemoveMember(p.Client)
	} else {
		h.groups.Remove(group, p.Client)
	}
	return true
}

// userJoin puts the connections that a user has, and those that it will have
// while the record lives, into a group. The user need not be connected.
func (h *Hub) userJoin(user, group string, ttl *int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.records.Put(user, group, ttl, time.Now())
	for c := range h.users.Members(user) {
		h.joinLocked(c, group)
	}
}

// userLeave takes a user's connections out of a group and forgets the record;
// an empty group means all groups, those that a connection joined by itself
// included.
func (h *Hub) userLeave(user, group string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if group == "" {
		h.records.DeleteUser(user)
	} else {
		h.records.Delete(user, group)
	}
	for c := range h.users.Members(user) {
		if group == "" {
			h.groups.RemoveMember(c)
		} else {
			h.groups.Remove(group, c)
		}
	}
}

// userInGroup tells whether a record or a connection of the user is in the group.
func (h *Hub) userInGroup(user, group string) bool {
	h.mu.RLock()
	defer h.mu.RUnlock()
	if h.records.Has(user, group, time.Now()) {
		return true
	}
	for c := range h.users.Members(user) {
		if h.groups.Has(group, c) {
			return true
		}
	}
	return false
}

func (h *Hub) groupExists(group string) bool {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.groups.Len(group) > 0
}

func (h *Hub) userExists(user string) bool {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.users.Len(user) > 0
}

// maxPage bounds a page of group members.
const maxPage = 1000

// members returns a page of the connections in a group, in the order of their ids, and
// the token that asks for the next page: the last id of this one. Who joins or leaves
// meanwhile may be missing or not.
func (h *Hub) members(m *serviceprotocol.GroupMemberQuery) (page []serviceprotocol.GroupMember, token string) {
	size := maxPage
	if m.Max > 0 {
		size = min(size, m.Max)
	}
	h.mu.RLock()
	for c := range h.groups.Members(m.Group) {
		if c.ID() > m.ContinuationToken {
			page = append(page, serviceprotocol.GroupMember{ConnectionID: c.ID(), UserID: c.UserID()})
		}
	}
	h.mu.RUnlock()
	slices.SortFunc(page, func(a, b serviceprotocol.GroupMember) int { return strings.Compare(a.ConnectionID, b.ConnectionID) })
	if len(page) > size {
		page = page[:size]
		token = page[size-1].ConnectionID
	}
	return page, token
}

package router_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"switchboard/internal/pairing"
	"switchboard/internal/router"
	"switchboard/serviceprotocol"
)

// A model is what a hub should know, in the plainest form.
type model struct {
	members map[string]map[string]bool      // groups by connection id
	users   map[string]string               // user by connection id
	records map[string]map[string]time.Time // end of membership by user and group
}

const forEver = 1000 * time.Hour

func (m *model) in(group string) (ids []string) {
	for id, groups := range m.members {
		if groups[group] {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

func (m *model) userIn(user, group string) bool {
	if m.records[user][group].After(time.Now()) {
		return true
	}
	for id, groups := range m.members {
		if m.users[id] == user && groups[group] {
			return true
		}
	}
	return false
}

// Random sequences of everything that changes who is in which group, against the model.
// Moving a client to another app server changes nothing.
func TestMembershipAgainstAModel(t *testing.T) {
	users := rapid.SampledFrom([]string{"ann", "bob"})
	groups := rapid.SampledFrom([]string{"g", "h", "i"})
	connections := rapid.SampledFrom([]string{"1", "2", "3", "4"})
	synctest.Test(t, func(t *testing.T) {
		rapid.Check(struct{ testing.TB }{t}, func(r *rapid.T) { // a T would ask for the deadline, which a bubble has none of
			h := newHub(t)
			apps := []*server{{id: "a", serverID: "a"}, {id: "b", serverID: "b"}}
			for _, s := range apps {
				h.AddServer(s, router.Traits{CarriesClients: true})
			}
			m := &model{map[string]map[string]bool{}, map[string]string{}, map[string]map[string]time.Time{"ann": {}, "bob": {}}}
			r.Repeat(map[string]func(*rapid.T){
				"connect": func(r *rapid.T) {
					id, user := connections.Draw(r, "id"), users.Draw(r, "user")
					if m.members[id] != nil {
						r.Skip("is connected")
					}
					h.connect(id, user, "json")
					m.members[id], m.users[id] = map[string]bool{}, user
					for group, end := range m.records[user] {
						if end.After(time.Now()) {
							m.members[id][group] = true
						}
					}
				},
				"disconnect": func(r *rapid.T) {
					id := connections.Draw(r, "id")
					if m.members[id] == nil {
						r.Skip("is not connected")
					}
					h.Disconnect(h.pairs[id], "")
					delete(m.members, id)
					delete(m.users, id)
					delete(h.clients, id)
				},
				"join": func(r *rapid.T) {
					id, group := connections.Draw(r, "id"), groups.Draw(r, "group")
					h.send(apps[0], &serviceprotocol.JoinGroup{ConnectionID: id, Group: group})
					if m.members[id] != nil {
						m.members[id][group] = true
					}
				},
				"leave": func(r *rapid.T) {
					id, group := connections.Draw(r, "id"), groups.Draw(r, "group")
					h.send(apps[0], &serviceprotocol.LeaveGroup{ConnectionID: id, Group: group})
					delete(m.members[id], group)
				},
				"leave all": func(r *rapid.T) {
					id := connections.Draw(r, "id")
					h.send(apps[0], &serviceprotocol.LeaveGroupWithAck{ConnectionID: id, AckID: 1})
					clear(m.members[id])
				},
				"user joins": func(r *rapid.T) {
					user, group := users.Draw(r, "user"), groups.Draw(r, "group")
					ttl := rapid.Ptr(rapid.IntRange(1, 5), true).Draw(r, "ttl")
					h.send(apps[0], &serviceprotocol.UserJoinGroup{UserID: user, Group: group, TTL: ttl})
					end := time.Now().Add(forEver)
					if ttl != nil {
						end = time.Now().Add(time.Duration(*ttl) * time.Second)
					}
					m.records[user][group] = end
					for id := range m.members {
						if m.users[id] == user {
							m.members[id][group] = true
						}
					}
				},
				"user leaves": func(r *rapid.T) {
					user, group := users.Draw(r, "user"), groups.Draw(r, "group")
					h.send(apps[0], &serviceprotocol.UserLeaveGroup{UserID: user, Group: group})
					delete(m.records[user], group)
					for id := range m.members {
						if m.users[id] == user {
							delete(m.members[id], group)
						}
					}
				},
				"user leaves all": func(r *rapid.T) {
					user := users.Draw(r, "user")
					h.send(apps[0], &serviceprotocol.UserLeaveGroupWithAck{UserID: user, AckID: 1})
					clear(m.records[user])
					for id := range m.members {
						if m.users[id] == user {
							clear(m.members[id])
						}
					}
				},
				"move": func(r *rapid.T) {
					id := connections.Draw(r, "id")
					if m.members[id] == nil {
						r.Skip("is not connected")
					}
					from := h.pairs[id]
					to, err := h.BeginMove(from, router.Traits{}, rapid.Bool().Draw(r, "lost"))
					if err != nil {
						r.Fatal(err)
					}
					if h.pairs[id], err = h.EndMove(from, to, &serviceprotocol.OpenConnection{ConnectionID: id}); err != nil {
						r.Fatal(err)
					}
					if to.ServerID() == from.Server.ServerID() {
						r.Fatal("it stays with its app server")
					}
				},
				"app server restarts": func(r *rapid.T) {
					n := rapid.IntRange(0, 1).Draw(r, "which")
					for id, p := range maps.Clone(h.pairs) {
						if p.Server == pairing.Server(apps[n]) && m.members[id] != nil {
							delete(m.members, id)
							delete(m.users, id)
							delete(h.clients, id)
						}
					}
					h.RemoveServer(apps[n])
					apps[n] = &server{id: apps[n].id, serverID: apps[n].serverID}
					h.AddServer(apps[n], router.Traits{CarriesClients: true})
				},
				"wait": func(r *rapid.T) {
					time.Sleep(time.Duration(rapid.IntRange(1, 2000).Draw(r, "milliseconds")) * time.Millisecond)
				},
				"": func(r *rapid.T) {
					for _, group := range []string{"g", "h", "i"} {
						h.receivers()
						h.send(apps[1], &serviceprotocol.GroupBroadcastData{Group: group, Payloads: serviceprotocol.Payloads{{Protocol: "json", Data: []byte("x")}}})
						if got, want := fmt.Sprint(h.receivers()), fmt.Sprint(m.in(group)); got != want {
							r.Fatalf("group %s: %s, want %s", group, got, want)
						}
						for _, user := range []string{"ann", "bob"} {
							apps[1].take()
							h.send(apps[1], &serviceprotocol.CheckUserInGroupWithAck{UserID: user, Group: group, AckID: 7})
							if got, want := h.ack(apps[1], 7) == serviceprotocol.AckOK, m.userIn(user, group); got != want {
								r.Fatalf("user %s in group %s: %v, want %v", user, group, got, want)
							}
						}
					}
					if got := h.Stats().Clients; got != len(m.members) {
						r.Fatalf("%d clients, want %d", got, len(m.members))
					}
				},
			})
		})
	})
}

package router_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"switchboard/internal/groups"
	"switchboard/serviceprotocol"
)

func TestAcks(t *testing.T) {
	const ok, notFound = serviceprotocol.AckOK, serviceprotocol.AckNotFound
	tests := []struct {
		name    string
		message serviceprotocol.Message
		want    serviceprotocol.AckStatus
	}{
		{"join", &serviceprotocol.JoinGroupWithAck{ConnectionID: "a1", Group: "new", AckID: 7}, ok},
		{"join again", &serviceprotocol.JoinGroupWithAck{ConnectionID: "a1", Group: "g", AckID: 7}, ok},
		{"join, no such connection", &serviceprotocol.JoinGroupWithAck{ConnectionID: "?", Group: "g", AckID: 7}, notFound},
		{"leave", &serviceprotocol.LeaveGroupWithAck{ConnectionID: "a1", Group: "g", AckID: 7}, ok},
		{"leave, not a member", &serviceprotocol.LeaveGroupWithAck{ConnectionID: "a1", Group: "h", AckID: 7}, ok},
		{"leave all", &serviceprotocol.LeaveGroupWithAck{ConnectionID: "a1", AckID: 7}, ok},
		{"leave, no such connection", &serviceprotocol.LeaveGroupWithAck{ConnectionID: "?", Group: "g", AckID: 7}, notFound},
		{"user joins", &serviceprotocol.UserJoinGroupWithAck{UserID: "ann", Group: "g", AckID: 7}, ok},
		{"user joins, offline", &serviceprotocol.UserJoinGroupWithAck{UserID: "?", Group: "g", AckID: 7}, ok},
		{"user leaves", &serviceprotocol.UserLeaveGroupWithAck{UserID: "ann", Group: "g", AckID: 7}, ok},
		{"user leaves, offline", &serviceprotocol.UserLeaveGroupWithAck{UserID: "?", AckID: 7}, ok},
		{"user in group", &serviceprotocol.CheckUserInGroupWithAck{UserID: "ann", Group: "g", AckID: 7}, ok},
		{"user not in group", &serviceprotocol.CheckUserInGroupWithAck{UserID: "ann", Group: "h", AckID: 7}, notFound},
		{"group exists", &serviceprotocol.CheckGroupExistenceWithAck{Group: "g", AckID: 7}, ok},
		{"group does not", &serviceprotocol.CheckGroupExistenceWithAck{Group: "?", AckID: 7}, notFound},
		{"connection exists", &serviceprotocol.CheckConnectionExistenceWithAck{ConnectionID: "x", AckID: 7}, ok},
		{"connection does not", &serviceprotocol.CheckConnectionExistenceWithAck{ConnectionID: "?", AckID: 7}, notFound},
		{"user exists", &serviceprotocol.CheckUserExistenceWithAck{UserID: "bob", AckID: 7}, ok},
		{"user does not", &serviceprotocol.CheckUserExistenceWithAck{UserID: "?", AckID: 7}, notFound},
		{"close", &serviceprotocol.CloseConnectionWithAck{ConnectionID: "x", AckID: 7}, ok},
		{"close, no such connection", &serviceprotocol.CloseConnectionWithAck{ConnectionID: "?", AckID: 7}, notFound},
		{"close all", &serviceprotocol.CloseConnectionsWithAck{AckID: 7}, ok},
		{"close a user's, offline", &serviceprotocol.CloseUserConnectionsWithAck{UserID: "?", AckID: 7}, ok},
		{"close a group's, empty", &serviceprotocol.CloseGroupConnectionsWithAck{Group: "?", AckID: 7}, ok},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h, s := audience(t)
			asking := h.server("another") // the answer goes where the question came from
			h.send(asking, tt.message)
			if got := h.ack(asking, 7); got != tt.want {
				t.Errorf("ack %v, want %v", got, tt.want)
			}
			if sent := s.take(); len(sent) != 0 {
				t.Errorf("another server connection was sent %s", describe(sent))
			}
		})
	}
}

func TestAckThatCannotBeSentEndsTheServerConnection(t *testing.T) {
	h, s := audience(t)
	s.broken = true
	err := h.FromServer(t.Context(), s, &serviceprotocol.CheckUserExistenceWithAck{UserID: "ann", AckID: 1})
	if err != errGone {
		t.Errorf("FromServer: %v, want the error of Send", err)
	}
}

// Each change is effective for the very next message.
func TestMembershipFollowsTheMessages(t *testing.T) {
	ann := func(group string) *serviceprotocol.UserJoinGroup {
		return &serviceprotocol.UserJoinGroup{UserID: "ann", Group: group}
	}
	tests := []struct {
		name     string
		messages []serviceprotocol.Message
		want     []string // members of group n
	}{
		{"join", []serviceprotocol.Message{&serviceprotocol.JoinGroup{ConnectionID: "x", Group: "n"}}, []string{"x"}},
		{"join twice is joined once", []serviceprotocol.Message{
			&serviceprotocol.JoinGroup{ConnectionID: "x", Group: "n"}, &serviceprotocol.JoinGroup{ConnectionID: "x", Group: "n"}}, []string{"x"}},
		{"leave", []serviceprotocol.Message{
			&serviceprotocol.JoinGroup{ConnectionID: "x", Group: "n"}, &serviceprotocol.JoinGroup{ConnectionID: "y", Group: "n"},
			&serviceprotocol.LeaveGroup{ConnectionID: "x", Group: "n"}}, []string{"y"}},
		{"leave all", []serviceprotocol.Message{
			&serviceprotocol.JoinGroup{ConnectionID: "x", Group: "n"}, &serviceprotocol.JoinGroup{ConnectionID: "y", Group: "n"},
			&serviceprotocol.LeaveGroupWithAck{ConnectionID: "x"}}, []string{"y"}},
		{"a user joins", []serviceprotocol.Message{ann("n")}, []string{"a1", "a2"}},
		{"a user leaves", []serviceprotocol.Message{ann("n"), &serviceprotocol.UserLeaveGroup{UserID: "ann", Group: "n"}}, nil},
		{"a user leaves a group that a connection joined by itself", []serviceprotocol.Message{
			&serviceprotocol.JoinGroup{ConnectionID: "a1", Group: "n"}, &serviceprotocol.UserLeaveGroup{UserID: "ann", Group: "n"}}, nil},
		{"a user leaves all", []serviceprotocol.Message{
			ann("n"), &serviceprotocol.JoinGroup{ConnectionID: "x", Group: "n"}, &serviceprotocol.UserLeaveGroupWithAck{UserID: "ann"}}, []string{"x"}},
		{"a connection leaves what its user joined", []serviceprotocol.Message{
			ann("n"), &serviceprotocol.LeaveGroup{ConnectionID: "a2", Group: "n"}}, []string{"a1"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h, s := audience(t)
			h.send(s, tt.messages...)
			h.send(s, &serviceprotocol.GroupBroadcastData{Group: "n", Payloads: text("m")})
			if got := h.receivers(); !slices.Equal(got, tt.want) {
				t.Errorf("given to %v, want %v", got, tt.want)
			}
		})
	}
}

func TestUserRecordsApplyToConnectionsToCome(t *testing.T) {
	seconds := func(n int) *int { return &n }
	tests := []struct {
		name   string
		ttl    *int
		undo   serviceprotocol.Message // after half the time, if not nil
		after  time.Duration
		joined bool
	}{
		{"while it lives", seconds(10), nil, 9 * time.Second, true},
		{"when it has expired", seconds(10), nil, 10 * time.Second, false},
		{"for good", nil, nil, 300 * 24 * time.Hour, true},
		{"a year at most", nil, nil, groups.MaxLifetime, false},
		{"zero is for present connections only", seconds(0), nil, 0, false},
		{"unless the user left the group", nil, &serviceprotocol.UserLeaveGroup{UserID: "ann", Group: "n"}, time.Second, false},
		{"unless the user left all groups", nil, &serviceprotocol.UserLeaveGroupWithAck{UserID: "ann", AckID: 1}, time.Second, false},
		{"a connection that leaves does not end it", nil, &serviceprotocol.LeaveGroup{ConnectionID: "a1", Group: "n"}, time.Second, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h, s := audience(t)
				h.send(s, &serviceprotocol.UserJoinGroup{UserID: "ann", Group: "n", TTL: tt.ttl})
				h.send(s, &serviceprotocol.GroupBroadcastData{Group: "n", Payloads: text("m")})
				if got, want := h.receivers(), []string{"a1", "a2"}; !slices.Equal(got, want) {
					t.Errorf("at once: given to %v, want %v", got, want)
				}
				time.Sleep(tt.after / 2)
				if tt.undo != nil {
					h.send(s, tt.undo)
				}
				time.Sleep(tt.after - tt.after/2)
				h.connect("a3", "ann", "json")
				h.send(s, &serviceprotocol.GroupBroadcastData{Group: "n", Payloads: text("m")})
				if got := slices.Contains(h.receivers(), "a3"); got != tt.joined {
					t.Errorf("the new connection is in the group: %v, want %v", got, tt.joined)
				}
			})
		})
	}
}

// An expired record takes nobody out of the group.
func TestMembersStayWhenTheRecordExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, s := audience(t)
		second := 1
		h.send(s, &serviceprotocol.UserJoinGroup{UserID: "bob", Group: "n", TTL: &second})
		time.Sleep(time.Hour)
		h.send(s, &serviceprotocol.GroupBroadcastData{Group: "n", Payloads: text("m")})
		if got := h.receivers(); !slices.Equal(got, []string{"b"}) {
			t.Errorf("given to %v, want b", got)
		}
	})
}

func TestMembershipEndsWithTheConnection(t *testing.T) {
	h, s := audience(t)
	h.send(s, &serviceprotocol.UserJoinGroup{UserID: "ann", Group: "n"})
	for id, p := range h.pairs {
		h.Disconnect(p, "")
		delete(h.clients, id)
	}
	if got := h.Stats(); got.Clients != 0 || got.Users != 0 || got.Groups != 0 {
		t.Errorf("Stats() = %+v, want no clients, users and groups", got)
	}
	s.take()
	checks := map[serviceprotocol.Message]serviceprotocol.AckStatus{
		&serviceprotocol.CheckUserInGroupWithAck{UserID: "ann", Group: "n", AckID: 1}: serviceprotocol.AckOK, // by its record
		&serviceprotocol.CheckUserInGroupWithAck{UserID: "ann", Group: "g", AckID: 1}: serviceprotocol.AckNotFound,
		&serviceprotocol.CheckUserExistenceWithAck{UserID: "ann", AckID: 1}:           serviceprotocol.AckNotFound,
		&serviceprotocol.CheckGroupExistenceWithAck{Group: "n", AckID: 1}:             serviceprotocol.AckNotFound,
	}
	for m, want := range checks {
		h.send(s, m)
		if got := h.ack(s, 1); got != want {
			t.Errorf("%v %+v: ack %v, want %v", m.Type(), m, got, want)
		}
	}
	h.connect("a1", "ann", "json") // the same id again: it is another connection
	h.send(s, &serviceprotocol.MultiGroupBroadcastData{Groups: []string{"g", "n"}, Payloads: text("m")})
	if got := h.clients["a1"].take(); len(got) != 1 {
		t.Errorf("the new connection got %d messages, want the 1 to the user's group", len(got))
	}
}

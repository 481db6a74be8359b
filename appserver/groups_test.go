package appserver_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"switchboard/appserver"
	"switchboard/serviceprotocol"
)

type roomHub struct{}

func (roomHub) Enter(ctx *appserver.Context, room string) error {
	if err := ctx.Groups().Join(ctx, room); err != nil {
		return err
	}
	return ctx.Clients().Group(room).Send(ctx, "entered")
}

func (roomHub) Exit(ctx *appserver.Context, room string) error { return ctx.Groups().Leave(ctx, room) }

func TestGroupsOfCaller(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := start(t, &roomHub{})
		c := a.conn.connect(t, "c1")
		c.send(t, invoke("1", "Enter", `"r"`))
		a.conn.want(t, &serviceprotocol.JoinGroupWithAck{ConnectionID: "c1", Group: "r", AckID: 1})
		a.conn.want(t, &serviceprotocol.GroupBroadcastData{Group: "r", Payloads: calling("entered")})
		c.want(t, `{"type":3,"invocationId":"1","result":null}`)
		c.send(t, invoke("2", "Exit", `"r"`))
		a.conn.want(t, &serviceprotocol.LeaveGroupWithAck{ConnectionID: "c1", Group: "r", AckID: 2})
		c.want(t, `{"type":3,"invocationId":"2","result":null}`)
	})
}

// Without a name the message would mean every group.
func TestGroupsRefuseEmptyName(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := start(t, &roomHub{})
		if err := a.hub.Groups().Remove(t.Context(), "c1", ""); err == nil {
			t.Error("Remove from a group without name = nil, want an error")
		}
		a.conn.quiet(t)
	})
}

func TestGroupAcks(t *testing.T) {
	tests := []struct {
		name   string
		status serviceprotocol.AckStatus
		want   error
		text   string
	}{
		{"ok", serviceprotocol.AckOK, nil, ""},
		{"not found", serviceprotocol.AckNotFound, nil, ""},
		{"timeout", serviceprotocol.AckTimeout, appserver.ErrTimeout, `add connection "c1" to group "g": service did not answer in time`},
		{"error", serviceprotocol.AckInternalServerError, appserver.ErrTimeout, `add connection "c1" to group "g": service did not answer in time`},
		{"unknown", 9, nil, `add connection "c1" to group "g": service answered with status 9`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				f := newFakeService(t)
				f.ack = func(id int) *serviceprotocol.Ack { return &serviceprotocol.Ack{AckID: id, Status: tt.status} }
				a := startWith(t, f, appserver.Config{ServerConnections: 1}, &roomHub{})
				err := a.hub.Groups().Add(t.Context(), "c1", "g")
				if tt.text == "" && err != nil || tt.text != "" && (err == nil || err.Error() != tt.text) {
					t.Errorf("Add = %v, want %q", err, tt.text)
				}
				if tt.want != nil && !errors.Is(err, tt.want) {
					t.Errorf("Add = %v, want one that is %v", err, tt.want)
				}
			})
		})
	}
}

func TestGroupWithoutAck(t *testing.T) {
	silent := func(int) *serviceprotocol.Ack { return nil }
	t.Run("times out after 10 s", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			f := newFakeService(t)
			f.ack = silent
			a := startWith(t, f, appserver.Config{ServerConnections: 1}, &roomHub{})
			began := time.Now()
			if err := a.hub.Groups().Add(t.Context(), "c1", "g"); !errors.Is(err, appserver.ErrTimeout) {
				t.Errorf("Add = %v, want ErrTimeout", err)
			}
			if took := time.Since(began); took != 10*time.Second {
				t.Errorf("took %v, want 10s", took)
			}
			a.conn.send(t, &serviceprotocol.Ack{AckID: 1, Status: serviceprotocol.AckOK}) // late, and ignored
			synctest.Wait()
		})
	})
	t.Run("ends with its context", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			f := newFakeService(t)
			f.ack = silent
			a := startWith(t, f, appserver.Config{ServerConnections: 1}, &roomHub{})
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			if err := a.hub.Groups().Add(ctx, "c1", "g"); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Add = %v, want DeadlineExceeded", err)
			}
		})
	})
	t.Run("ends with the server connection", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			f := newFakeService(t)
			f.ack = silent
			a := startWith(t, f, appserver.Config{ServerConnections: 1}, &roomHub{})
			result := make(chan error, 1)
			go func() { result <- a.hub.Groups().Add(context.Background(), "c1", "g") }()
			a.conn.next(t)
			a.conn.drop()
			if err := receive(t, result, "result of Add"); !errors.Is(err, appserver.ErrServerConnectionLost) {
				t.Errorf("Add = %v, want ErrServerConnectionLost", err)
			}
		})
	})
}

func TestGroupAcksOfManyAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFakeService(t)
		a := startWith(t, f, appserver.Config{ServerConnections: 3}, &roomHub{})
		results := make(chan error, 100)
		for range 100 {
			go func() { results <- a.hub.Groups().Add(context.Background(), "c1", "g") }()
		}
		for range 100 {
			if err := receive(t, results, "result of Add"); err != nil {
				t.Error(err)
			}
		}
	})
}

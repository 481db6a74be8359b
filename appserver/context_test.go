package appserver_test

import (
	"fmt"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"

	"switchboard/appserver"
	"switchboard/serviceprotocol"
)

const (
	soapClaims      = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/"
	microsoftClaims = "http://schemas.microsoft.com/ws/2008/06/identity/claims/"
)

// contextOf returns what the hub sees of a client.
func contextOf(t *testing.T, m *serviceprotocol.OpenConnection) *appserver.Context {
	t.Helper()
	h, contexts := newEventHub(), make(chan *appserver.Context, 1)
	h.onConnect = func(ctx *appserver.Context) error { contexts <- ctx; return nil }
	m.ConnectionID = "c1"
	start(t, h).conn.open(t, m).want(t, `{}`)
	return receive(t, contexts, "context")
}

func TestContextClaims(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ctx := contextOf(t, &serviceprotocol.OpenConnection{Claims: []serviceprotocol.Claim{
			{Type: "asrs.s.uid", Value: "ann"},
			{Type: "asrs.s.derror", Value: "True"},
			{Type: "aud", Value: "http://service.test/client/?hub=chat"},
			{Type: "exp", Value: "1"}, {Type: "iat", Value: "1"}, {Type: "nbf", Value: "1"}, {Type: "iss", Value: "x"},
			{Type: soapClaims + "nameidentifier", Value: "not this"},
			{Type: microsoftClaims + "role", Value: "admin"},
			{Type: microsoftClaims + "role", Value: "owner"},
			{Type: "asrs.u.aud", Value: "mine"},
			{Type: "asrs.u.asrs.s.uid", Value: "disguised"},
			{Type: "colour", Value: "red"},
		}})
		if got := ctx.UserID(); got != "ann" {
			t.Errorf("UserID = %q, want ann", got)
		}
		want := []appserver.Claim{
			{Type: "nameid", Value: "not this"}, {Type: "role", Value: "admin"}, {Type: "role", Value: "owner"},
			{Type: "aud", Value: "mine"}, {Type: "asrs.s.uid", Value: "disguised"}, {Type: "colour", Value: "red"},
		}
		if got := ctx.Claims(); !slices.Equal(got, want) {
			t.Errorf("Claims = %v, want %v", got, want)
		}
		for typ, want := range map[string]string{"role": "admin", microsoftClaims + "role": "admin", "colour": "red", "sub": "not this", "none": ""} {
			if got := ctx.Claim(typ); got != want {
				t.Errorf("Claim(%q) = %q, want %q", typ, got, want)
			}
		}
	})
}

func TestContextUserID(t *testing.T) {
	tests := []struct {
		name   string
		claims []serviceprotocol.Claim
		want   string
	}{
		{"nobody", nil, ""},
		{"name identifier", []serviceprotocol.Claim{{Type: soapClaims + "nameidentifier", Value: "ann"}}, "ann"},
		{"empty user id wins", []serviceprotocol.Claim{{Type: "nameid", Value: "ann"}, {Type: "asrs.s.uid", Value: ""}}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				if got := contextOf(t, &serviceprotocol.OpenConnection{Claims: tt.claims}).UserID(); got != tt.want {
					t.Errorf("UserID = %q, want %q", got, tt.want)
				}
			})
		})
	}
}

func TestContextRequest(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ctx := contextOf(t, &serviceprotocol.OpenConnection{
			QueryString: "?hub=chat&asrs.op=%2Fchat&room=a%20b&room=c",
			Headers: serviceprotocol.Headers{
				{Name: "user-agent", Values: []string{"test"}},
				{Name: "X-Forwarded-For", Values: []string{"10.0.0.7, 10.0.0.1"}},
				{Name: "X-Many", Values: []string{"1", "2"}},
			},
		})
		if got := ctx.ConnectionID(); got != "c1" {
			t.Errorf("ConnectionID = %q, want c1", got)
		}
		if got := ctx.Path(); got != "/chat" {
			t.Errorf("Path = %q, want /chat", got)
		}
		if got := ctx.RemoteAddr(); got != "10.0.0.7" {
			t.Errorf("RemoteAddr = %q, want 10.0.0.7", got)
		}
		if got := ctx.Query()["room"]; !slices.Equal(got, []string{"a b", "c"}) {
			t.Errorf("Query room = %q, want a b, c", got)
		}
		if got := ctx.Header().Get("User-Agent"); got != "test" {
			t.Errorf("User-Agent = %q, want test", got)
		}
		if got := ctx.Header()["X-Many"]; !reflect.DeepEqual(got, []string{"1", "2"}) {
			t.Errorf("X-Many = %q, want 1, 2", got)
		}
		ctx.Items().Store("key", 1)
		if got, _ := ctx.Items().Load("key"); got != 1 {
			t.Errorf("item = %v, want 1", got)
		}
	})
}

func TestContextOfEmptyRequest(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ctx := contextOf(t, &serviceprotocol.OpenConnection{})
		if ctx.Path() != "" || ctx.RemoteAddr() != "" || len(ctx.Query()) != 0 || len(ctx.Header()) != 0 || ctx.Claims() != nil {
			t.Errorf("path %q, address %q, query %v, header %v, claims %v; want nothing",
				ctx.Path(), ctx.RemoteAddr(), ctx.Query(), ctx.Header(), ctx.Claims())
		}
	})
}

// The promise of an app server with many idle clients.
func TestIdleClientIsSmall(t *testing.T) {
	bubble(t, func(t *testing.T) {
		const clients, limit = 5000, 2048
		a := start(t, &echoHub{})
		open := &serviceprotocol.OpenConnection{
			QueryString: "?hub=chat&asrs.op=%2Fchat&negotiateVersion=1&asrs_request_id=abcdefghijk&id=" + strings.Repeat("x", 22),
			Claims:      []serviceprotocol.Claim{{Type: "asrs.s.uid", Value: "user-0001"}, {Type: microsoftClaims + "role", Value: "admin"}},
			Headers: serviceprotocol.Headers{
				{Name: "User-Agent", Values: []string{strings.Repeat("Mozilla ", 13)}}, {Name: "Host", Values: []string{"service.test"}},
				{Name: "Accept-Language", Values: []string{"de,en-US;q=0.7,en;q=0.3"}}, {Name: "Origin", Values: []string{"https://app.test"}},
				{Name: "X-Forwarded-For", Values: []string{"10.0.0.7"}}, {Name: "Asrs-Instance-Id", Values: []string{"instance-1"}},
			},
		}
		before := heap()
		for n := range clients {
			open.ConnectionID = fmt.Sprintf("connection-%010d", n)
			a.conn.open(t, open)
			a.conn.next(t)
		}
		goroutines := runtime.NumGoroutine()
		per := (heap() - before) / clients
		t.Logf("%d bytes per idle client, %d goroutines", per, goroutines)
		if per > limit {
			t.Errorf("%d bytes per idle client, want at most %d", per, limit)
		}
		if goroutines > 100 {
			t.Errorf("%d goroutines with %d idle clients", goroutines, clients)
		}
	})
}

func heap() int {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

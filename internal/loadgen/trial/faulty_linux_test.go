package trial_test

import (
	"context"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"switchboard/appserver"
	"switchboard/internal/loadgen"
	"switchboard/internal/loadgen/hubapp"
	"switchboard/internal/loadgen/trial"
	"switchboard/service"
)

// A faultyHub does with the n-th message what a test says.
type faultyHub struct {
	calls *atomic.Int64
	echo  func(ctx *appserver.Context, n int64, payload string) error
}

func (h *faultyHub) Echo(ctx *appserver.Context, payload string) error {
	return h.echo(ctx, h.calls.Add(1), payload)
}

func send(ctx *appserver.Context, payload string) error {
	return ctx.Clients().Caller().Send(ctx, loadgen.TargetReceive, payload)
}

// serveHub runs an app with its service in this process, and returns the URL of the hub.
func serveHub(t *testing.T, hub any) string {
	t.Helper()
	svc, err := service.New(service.Config{})
	if err != nil {
		t.Fatal(err)
	}
	app, err := appserver.New(appserver.Config{Service: svc, Identify: hubapp.Identify})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := app.MapHub(hubapp.Path, hub); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(app)
	server.Start()
	ctx, cancel := context.WithCancel(context.Background())
	var work sync.WaitGroup
	work.Go(func() { _ = app.Run(ctx) })
	t.Cleanup(func() {
		cancel()
		work.Wait()
		if err := svc.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
		server.Close()
	})
	if err := app.Ready(ctx); err != nil {
		t.Fatal(err)
	}
	return server.URL + hubapp.Path
}

// What a hub does wrong is in the account, be it one message only.
func TestFaultsAreNoticed(t *testing.T) {
	trial.SetDrainWait(300 * time.Millisecond)
	var swapped atomic.Value
	for name, c := range map[string]struct {
		echo func(ctx *appserver.Context, n int64, payload string) error
		want string
	}{
		"lost": {func(ctx *appserver.Context, n int64, payload string) error {
			if n == 20 {
				return nil
			}
			return send(ctx, payload)
		}, "1 lost"},
		"repeated": {func(ctx *appserver.Context, n int64, payload string) error {
			if n == 20 {
				_ = send(ctx, payload)
			}
			return send(ctx, payload)
		}, "1 repeated"},
		"overtaken": {func(ctx *appserver.Context, n int64, payload string) error {
			if n == 20 {
				swapped.Store(payload)
				return nil
			}
			err := send(ctx, payload)
			if n == 21 {
				_ = send(ctx, swapped.Load().(string))
			}
			return err
		}, "1 lost, 1 repeated or overtaken"},
		"changed": {func(ctx *appserver.Context, n int64, payload string) error {
			if n == 20 {
				payload = payload[:len(payload)-1] + "!"
			}
			return send(ctx, payload)
		}, "1 connections dropped"},
	} {
		t.Run(name, func(t *testing.T) {
			config := short()
			config.Clients, config.Rate, config.Duration = 1, 1000, 100*time.Millisecond
			config.HubURL = serveHub(t, &faultyHub{calls: new(atomic.Int64), echo: c.echo})
			r, err := trial.Run(t.Context(), withChildren(t, config))
			if name == "changed" { // the only client is gone
				if err == nil || !strings.Contains(err.Error(), "payload has changed on its way") {
					t.Errorf("Run = %v, want that the payload has changed", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := r.Account.Summary(); !r.Account.Faults() || !strings.Contains(got, c.want) {
				t.Errorf("summary = %q, want %q; account: %+v", got, c.want, r.Account)
			}
			if r.Service != nil || r.AppServer != nil {
				t.Errorf("usage of processes that nobody named: %+v, %+v", r.Service, r.AppServer)
			}
		})
	}
}

func TestMisdirectedIsNoticed(t *testing.T) {
	hub := &faultyHub{calls: new(atomic.Int64), echo: func(ctx *appserver.Context, n int64, payload string) error {
		if n == 20 {
			return ctx.Clients().Others().Send(ctx, loadgen.TargetReceive, payload)
		}
		return send(ctx, payload)
	}}
	trial.SetDrainWait(300 * time.Millisecond)
	c := short()
	c.Clients, c.Rate, c.HubURL = 2, 1000, serveHub(t, hub)
	r := run(t, c)
	if r.Account.Misdirected != 1 || r.Account.Lost != 1 {
		t.Errorf("account = %+v, want one misdirected message that its client lacks", r.Account)
	}
}

// The trial can watch processes that it did not start.
func TestHubThatRuns(t *testing.T) {
	c := short()
	c.Scenario, c.HubURL = loadgen.SendToGroup, serveHub(t, &hubapp.Hub{})
	c.ServicePID, c.AppPID = 1, 1
	r := run(t, c)
	if r.Account.Faults() || r.Service == nil || r.Service.PID != 1 || r.AppServer == nil {
		t.Errorf("account = %+v, service = %+v", r.Account, r.Service)
	}
}

func TestHubThatIsNotThere(t *testing.T) {
	server := httptest.NewServer(nil)
	server.Close()
	c := short()
	c.HubURL = server.URL + "/gone"
	if _, err := trial.Run(t.Context(), withChildren(t, c)); err == nil || !strings.Contains(err.Error(), "12 clients could not connect") {
		t.Errorf("Run = %v, want that no client could connect", err)
	}
}

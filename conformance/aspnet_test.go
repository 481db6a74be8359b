package conformance_test

import (
	"net/http"
	"testing"
)

// aspNetVersions are those of the classic JavaScript client that package.json installs. From 2.4.0 on
// a client understands being sent to the service; the others are pointed at it.
var aspNetVersions = []struct {
	version string
	modes   []string
}{
	{"2.2.1", []string{"direct"}},
	{"2.2.3", []string{"direct"}},
	{"2.3.0", []string{"direct"}},
	{"2.4.0", []string{"redirect"}},
	{"2.4.1", []string{"redirect"}},
	{"2.4.3", []string{"redirect", "direct"}},
}

var aspNetTransports = []string{"webSockets", "serverSentEvents", "longPolling"}

// TestAspNetClients has a subtest for each version, way to the service, transport and case, such as
// TestAspNetClients/2.4.3/redirect/webSockets/reconnect.
func TestAspNetClients(t *testing.T) {
	long(t)
	installClients(t)
	in := runtime{"aspnet/main.js", chromium(t)}
	svc := startService(t, engines[0], notResumed, "--aspnet-keep-alive", "1s")
	browsers := make(chan struct{}, 3) // that run at a time: each is several processes
	for _, v := range aspNetVersions {
		for _, mode := range v.modes {
			for _, transport := range aspNetTransports {
				t.Run(v.version+"/"+mode+"/"+transport, func(t *testing.T) {
					t.Parallel()
					browsers <- struct{}{}
					defer func() { <-browsers }()
					app := startAspNetApp(t, svc, v.version+" "+mode+" "+transport)
					runCases(t, in, v.version, mode, transport, svc, app.url)
				})
			}
		}
	}
}

// TestAspNetRestart kills the service, and starts it again, under a client that listens.
func TestAspNetRestart(t *testing.T) {
	long(t)
	installClients(t)
	in := runtime{"aspnet/main.js", chromium(t)}
	for _, errors := range []string{"detailed", "always"} {
		for _, transport := range aspNetTransports {
			t.Run(errors+"/"+transport, func(t *testing.T) {
				t.Parallel()
				flags := []string{notResumed, "--aspnet-errors", errors, "--aspnet-disconnect", "3s"}
				svc := startService(t, engines[0], flags...)
				app := startAspNetApp(t, svc, "restart "+errors+" "+transport)
				app.restart.Store(new(func(r *http.Request) (any, error) {
					svc.kill()
					startService(t, engines[0], append(flags, "--listen", svc.listens)...)
					return done, app.serves(r.Context())
				}))
				runCases(t, in, "2.4.3", "restart-"+errors, transport, svc, app.url)
			})
		}
	}
}

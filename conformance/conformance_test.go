package conformance_test

import (
	"flag"
	"os"
	"strconv"
	"testing"

	"go.uber.org/goleak"
)

// TestMain has more clients run at once than there are processors: they wait more than they work.
func TestMain(m *testing.M) {
	flag.Parse()
	parallel := flag.Lookup("test.parallel")
	if n, err := strconv.Atoi(parallel.DefValue); err == nil && parallel.Value.String() == parallel.DefValue {
		_ = flag.Set("test.parallel", strconv.Itoa(2*n))
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		_ = os.RemoveAll(command.dir)
		os.Exit(code)
	}))
}

// versions are those that package.json installs and clients/versions.js knows. The
// engines differ below what a version sees, so all are tested with one of them only.
func versions(e engine) []string {
	if e.name == engines[0].name {
		return []string{"10.0.11", "9.0.19", "8.0.29", "7.0.14", "6.0.25", "5.0.17", "3.1.31", "1.1.4"}
	}
	return []string{"10.0.11", "8.0.29", "5.0.17", "3.1.31", "1.1.4"}
}

var protocols = []string{"json", "messagepack"}

// transports are those that carry a hub protocol. The engines differ in WebSockets
// only, so the others are tested with one of them.
func transports(e engine, protocol string) []string {
	switch {
	case e.name != engines[0].name:
		return []string{"WebSockets"}
	case protocol == "json":
		return []string{"WebSockets", "ServerSentEvents", "LongPolling"}
	}
	return []string{"WebSockets", "LongPolling"}
}

// inChromium is the version that runs in a browser as well, with the first engine.
const inChromium = "10.0.11"

// TestClients has a subtest for each engine, version, protocol, transport and case,
// such as TestClients/loops/10.0.11/json/WebSockets/invoke_number, and
// TestClients/loops/10.0.11-chromium/… for those in a browser.
func TestClients(t *testing.T) {
	long(t)
	installClients(t)
	for _, e := range engines {
		t.Run(e.name, func(t *testing.T) {
			svc := startService(t, e, notResumed)
			node := runtime{script: "main.js"}
			for _, version := range versions(e) {
				t.Run(version, func(t *testing.T) { runVersion(t, e, svc, node, version) })
			}
			if e.name == engines[0].name {
				browser := runtime{"browser.js", chromium(t)}
				t.Run(inChromium+"-chromium", func(t *testing.T) { runVersion(t, e, svc, browser, inChromium) })
			}
		})
	}
}

// runVersion runs a version with every protocol and transport, side by side.
func runVersion(t *testing.T, e engine, svc *service, in runtime, version string) {
	t.Parallel()
	for _, protocol := range protocols {
		for _, transport := range transports(e, protocol) {
			t.Run(protocol+"/"+transport, func(t *testing.T) {
				t.Parallel()
				app := startApp(t, svc, in.script[:1]+version+" "+protocol+" "+transport)
				runCases(t, in, version, protocol, transport, app.service, app.url)
			})
		}
	}
}

func long(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("builds the command and runs it with real clients: too long for -short")
	}
}

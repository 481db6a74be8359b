package conformance_test

import "testing"

// TestClientsCompress runs every case over WebSockets that compress, which Node and the
// browser offer by themselves.
func TestClientsCompress(t *testing.T) {
	long(t)
	installClients(t)
	node := runtime{script: "main.js"}
	browser := runtime{"browser.js", chromium(t)}
	for _, tt := range []struct {
		name     string
		in       runtime
		version  string
		protocol string
	}{
		{"10.0.11/json", node, "10.0.11", "json"},
		{"10.0.11/messagepack", node, "10.0.11", "messagepack"},
		{"3.1.31/json", node, "3.1.31", "json"},
		{"chromium/json", browser, inChromium, "json"},
		{"chromium/messagepack", browser, inChromium, "messagepack"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			svc := startService(t, engines[0], "--deflate-from-bytes", "64", notResumed)
			runCases(t, tt.in, tt.version, tt.protocol, "WebSockets", svc, startApp(t, svc, "deflate").url)
			from, to := svc.samples(t, "switchboard_deflated_bytes_total")[""], svc.samples(t, "switchboard_deflated_to_bytes_total")[""]
			if t.Logf("%v bytes of messages became %v", from, to); from < 100_000 || to > from/2 {
				t.Errorf("%v bytes of messages became %v, want 100,000 at least, and less than half of them", from, to)
			}
		})
	}
}

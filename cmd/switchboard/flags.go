package main

import (
	"strings"

	"github.com/knadh/koanf/providers/posflag"
	"github.com/knadh/koanf/v2"
	"github.com/spf13/pflag"
)

// usages are the words about each setting in the help.
var usages = map[string]string{
	"listen":                        "`host:port` to listen on; without host on all addresses, port 0 takes a free one",
	"log.level":                     "least `level` that is logged: debug, info, warn or error",
	"log.format":                    "`format` of the log: text, json, or auto (text on a terminal)",
	"tls.cert-file":                 "`file` with the certificate chain in PEM; with it the service speaks HTTPS",
	"tls.key-file":                  "`file` with the private key in PEM",
	"metrics-listen":                "`host:port` for Prometheus, at /metrics; empty for none",
	"shutdown-timeout":              "longest `duration` of a shutdown in good order",
	"access-keys":                   "`key` that signs tokens; repeat it for more keys, all are valid",
	"mode":                          "`who` answers clients: default, serverless or classic",
	"endpoint":                      "`URL` under which clients and app servers reach the service (default from --listen)",
	"instance-id":                   "`name` of this instance for app servers (default random)",
	"engine":                        "what serves the sockets of clients: auto or goroutines",
	"deflate-from-bytes":            "size of the smallest WebSocket message to compress, such as 1KiB (default no compression)",
	"lost-clients":                  "what becomes of clients whose server connection is lost: close or move",
	"aspnet.errors":                 "when clients of ASP.NET SignalR are told why they are disconnected: detailed or always",
	"aspnet.connect":                "longest time from negotiate to connect of such a client",
	"aspnet.transport":              "such clients wait so long for a transport to come up",
	"aspnet.keep-alive":             "longest time between two messages to such a client",
	"aspnet.disconnect":             "such clients try to reconnect for so long",
	"aspnet.poll":                   "longest poll of such a client",
	"aspnet.message-bytes":          "largest message from such a client",
	"load-balancing.clients":        "clients per server connection above which an app server is asked for another one",
	"load-balancing.queue-bytes":    "bytes that wait for a server connection above which another one is asked for",
	"timeouts.handshake":            "longest wait for a handshake",
	"timeouts.connect":              "longest time from a client's negotiate to its connection",
	"timeouts.ping":                 "time between pings to an app server",
	"timeouts.server-idle":          "a server connection that is silent for so long is ended",
	"timeouts.server-stall":         "a server connection that takes no bytes for so long is ended",
	"timeouts.poll-wait":            "a long-polling client that takes so long to poll again is ended",
	"timeouts.move":                 "a client with calls that run is moved to another app server after so long all the same",
	"timeouts.server-resume":        "a server connection that can be resumed may be without a socket for so long",
	"timeouts.resume":               "a client with stateful reconnect may be without a socket for so long",
	"timeouts.client-send":          "a client that takes no bytes for so long is closed",
	"limits.client-connections":     "most client connections; more are refused (default no bound)",
	"limits.client-message-bytes":   "largest message from a client (default no bound)",
	"limits.client-inflated-bytes":  "largest compressed message from a client, before and after",
	"limits.client-handshake-bytes": "largest handshake request from a client",
	"limits.client-queue-bytes":     "most bytes that wait for a slow client before it is closed",
	"limits.server-message-bytes":   "largest message from an app server",
	"limits.server-queue-bytes":     "most bytes that wait for a slow app server before its clients wait",
	"limits.header-bytes":           "largest request line and headers together",
}

// addConfigFlags adds --config and a flag for each setting.
func addConfigFlags(flags *pflag.FlagSet) {
	flags.SortFlags = false
	flags.String("config", "", "YAML `file` with settings ("+envConfig+")")
	for _, s := range settings() {
		flags.Var(&flagValue{setting: s}, s.flag(), usages[s.key])
	}
}

// configFile returns the path that --config or the environment names.
func configFile(flags *pflag.FlagSet, environ []string) string {
	if f := flags.Lookup("config"); f.Changed {
		return f.Value.String()
	}
	return lookupEnv(environ, envConfig)
}

// loadFlags takes the flags that were given.
func (l *loader) loadFlags(flags *pflag.FlagSet) {
	k := koanf.New(".")
	given := func(f *pflag.Flag) (string, any) {
		v, ok := f.Value.(*flagValue)
		if !ok || !f.Changed {
			return "", nil
		}
		return v.setting.key, v.value()
	}
	if err := k.Load(posflag.ProviderWithFlag(flags, ".", nil, given), nil); err != nil {
		l.mistakes.add("flags: %s", err)
		return
	}
	l.add(k.All(), func(key string) string { return "--" + l.settings[key].flag() })
}

// A flagValue collects what was given for a setting. It accepts everything:
// the loader reports wrong values together with those of the other sources.
type flagValue struct {
	setting setting
	given   []string
}

var _ pflag.Value = (*flagValue)(nil)

func (v *flagValue) Set(text string) error {
	v.given = append(v.given, text)
	return nil
}

func (v *flagValue) value() any {
	if v.setting.kind == kindList {
		return v.given
	}
	return v.given[len(v.given)-1]
}

func (v *flagValue) Type() string { return v.setting.kind.String() }

// String is what the help shows as default.
func (v *flagValue) String() string {
	if len(v.given) > 0 {
		return strings.Join(v.given, ",")
	}
	return v.setting.defaultText()
}

package trial_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"switchboard/internal/loadgen"
	"switchboard/internal/loadgen/trial"
)

// short is a trial that lasts as little as it can.
func short() trial.Config {
	return trial.Config{
		Scenario: loadgen.Echo, Protocol: "json", Clients: 12, Payload: 64, Duration: 100 * time.Millisecond,
		Negotiation: loadgen.NegotiateOwn, ConnectInFlight: 8, Ping: 50 * time.Millisecond,
		ServerConnections: 2, PinService: -1,
	}
}

func TestMistakesNameTheFlag(t *testing.T) {
	for _, c := range []struct {
		flag  string
		wrong func(c *trial.Config)
	}{
		{"scenario", func(c *trial.Config) { c.Scenario = "nothing" }},
		{"protocol", func(c *trial.Config) { c.Protocol = "xml" }},
		{"clients", func(c *trial.Config) { c.Clients = 0 }},
		{"clients", func(c *trial.Config) { c.Clients = 1<<24 + 1 }},
		{"payload", func(c *trial.Config) { c.Payload = loadgen.StampSize - 1 }},
		{"payload", func(c *trial.Config) { c.Payload = 1<<20 + 1 }},
		{"in-flight", func(c *trial.Config) { c.InFlight = -1 }},
		{"in-flight", func(c *trial.Config) { c.Scenario, c.InFlight = loadgen.Connect, 1 }},
		{"rate", func(c *trial.Config) { c.Rate = -1 }},
		{"rate", func(c *trial.Config) { c.Rate = math.NaN() }},
		{"rate", func(c *trial.Config) { c.Rate, c.InFlight = 1, 1 }},
		{"rate", func(c *trial.Config) { c.Rate, c.Scenario = 1, loadgen.Idle }},
		{"duration", func(c *trial.Config) { c.Duration = 0 }},
		{"warmup", func(c *trial.Config) { c.Warmup = -1 }},
		{"groups", func(c *trial.Config) { c.Groups = 2 }},
		{"groups", func(c *trial.Config) { c.Scenario, c.Groups = loadgen.SendToGroup, 13 }},
		{"group-size", func(c *trial.Config) { c.GroupSize = 2 }},
		{"group-size", func(c *trial.Config) { c.Scenario, c.GroupSize = loadgen.SendToGroup, 13 }},
		{"group-size", func(c *trial.Config) { c.Scenario, c.Groups, c.GroupSize = loadgen.SendToGroup, 2, 2 }},
		{"senders", func(c *trial.Config) { c.Senders = 1 }},
		{"senders", func(c *trial.Config) { c.Scenario, c.Senders = loadgen.Broadcast, 13 }},
		{"negotiate", func(c *trial.Config) { c.Negotiation = "never" }},
		{"negotiate", func(c *trial.Config) {
			c.Scenario, c.Negotiation = loadgen.SendToConnection, loadgen.NegotiateSkip
		}},
		{"connect-in-flight", func(c *trial.Config) { c.ConnectInFlight = 0 }},
		{"ping", func(c *trial.Config) { c.Ping = -1 }},
		{"server-connections", func(c *trial.Config) { c.ServerConnections = 0 }},
		{"load-threads", func(c *trial.Config) { c.LoadThreads = 65 }},
		{"load-processes", func(c *trial.Config) { c.LoadProcesses = -1 }},
		{"source-addresses", func(c *trial.Config) { c.Sources = 60001 }},
		{"connection-string", func(c *trial.Config) { c.ConnectionString = "Endpoint=;" }},
		{"hub-url", func(c *trial.Config) { c.HubURL = "localhost:80/hub" }},
		{"hub-url", func(c *trial.Config) {
			c.HubURL, c.ConnectionString = "http://localhost/hub", "Endpoint=http://localhost;AccessKey=x;Version=1.0;"
		}},
		{"tls", func(c *trial.Config) { c.HubURL, c.TLS = "http://localhost/hub", true }},
		{"pin-service", func(c *trial.Config) { c.PinService = -2 }},
		{"pin-service", func(c *trial.Config) { c.PinService = 1 << 20 }},
		{"pin-service", func(c *trial.Config) { c.HubURL, c.PinService = "http://localhost/hub", 0 }},
		{"service-profile", func(c *trial.Config) { c.HubURL, c.ServiceProfile = "http://localhost/hub", "cpu" }},
		{"service-pid", func(c *trial.Config) { c.ServicePID = 1 }},
		{"app-server-pid", func(c *trial.Config) { c.AppPID = 1 }},
	} {
		config := short()
		c.wrong(&config)
		err := config.Check()
		if err == nil || !strings.Contains("\n"+err.Error(), "\n--"+c.flag+": ") || strings.Contains(err.Error(), "\n") {
			t.Errorf("--%s: mistakes = %v, want one that names it", c.flag, err)
		}
	}
	good := short()
	if err := good.Check(); err != nil {
		t.Errorf("mistakes of what is right: %v", err)
	}
}

func TestEveryMistakeIsTold(t *testing.T) {
	config := short()
	config.Protocol, config.Clients, config.Duration = "xml", 0, 0
	err := config.Check()
	if err == nil || strings.Count(err.Error(), "\n") != 2 {
		t.Errorf("mistakes = %v, want three", err)
	}
}

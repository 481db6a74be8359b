package service_test

import (
	"strings"
	"testing"
	"time"

	"switchboard/service"
)

func TestConfigMistakesNameTheirKeys(t *testing.T) {
	_, err := service.New(service.Config{
		AccessKeys: []string{"good", ""},
		Mode:       "half",
		Engine:     "steam",

		DeflateFromBytes: -1, LostClients: "keep", LoadBalancing: service.LoadBalancing{Clients: -1, QueueBytes: -1},
		Endpoint: "localhost",
		Timeouts: service.Timeouts{Connect: -time.Second},
		Limits:   service.Limits{ClientQueueBytes: -1},
	})
	if err == nil {
		t.Fatal("New accepted it")
	}
	for _, want := range []string{
		"access-keys[1]: must not be empty", `mode: "half" is not a mode`, `engine: "steam" is not an engine`, "deflate-from-bytes: must not be negative",
		`endpoint: "localhost" is not`, `lost-clients: "keep" is neither`, "load-balancing.clients: must not be negative", "load-balancing.queue-bytes: must not be negative",
		"timeouts.connect: must not be negative", "limits.client-queue-bytes: must not be negative",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error %q does not say %q", err, want)
		}
	}
}

func TestZeroConfigWorks(t *testing.T) {
	svc, err := service.New(service.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = svc.Shutdown(t.Context()) }()
	cs := svc.ConnectionString()
	if !strings.HasPrefix(cs, "Endpoint=http://localhost;AccessKey=") || strings.Contains(cs, "AccessKey=;") {
		t.Errorf("connection string without a key")
	}
	if other, _ := service.New(service.Config{}); other.ConnectionString() == cs {
		t.Error("two services have the same random key")
	} else {
		_ = other.Shutdown(t.Context())
	}
}

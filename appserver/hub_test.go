package appserver_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"switchboard/appserver"
	"switchboard/hubprotocol"
)

type (
	channelParameter struct{}
	functionDeep     struct{}
	interfaceHub     struct{}
	variadicHub      struct{}
	lateContext      struct{}
	twoContexts      struct{}
	threeResults     struct{}
	errorFirst       struct{}
	channelResult    struct{}
	complexHub       struct{}
	caseHub          struct{}
	badConnect       struct{}
	badDisconnect    struct{}
	mutexHub         struct{ sync.Mutex }
	harmlessEmbed    struct{ settings }
	settings         struct{ Colour string }
	stringHub        string
)

func (*channelParameter) Watch(*appserver.Context, string, chan int) {}
func (*functionDeep) Run(map[string][]func())                        {}
func (*interfaceHub) Read(interface{ Read([]byte) (int, error) })    {}
func (*variadicHub) Sum(*appserver.Context, ...int) int              { return 0 }
func (*lateContext) Send(string, context.Context)                    {}
func (*twoContexts) Send(context.Context, *appserver.Context)        {}
func (*threeResults) Get() (int, string, error)                      { return 0, "", nil }
func (*channelResult) Stream() chan<- int                            { return nil }
func (*complexHub) Add(complex128)                                   {}
func (*caseHub) SendAll()                                            {}
func (*caseHub) Sendall()                                            {}
func (*badConnect) OnConnected(context.Context) error                { return nil }
func (*badDisconnect) OnDisconnected(*appserver.Context)             {}
func (*stringHub) Send()                                             {}

//lint:ignore ST1008 it is refused for that
func (*errorFirst) Get() (error, int) { return nil, 0 }

func TestMapHubRefuses(t *testing.T) {
	text := stringHub("")
	tests := []struct {
		name string
		hub  any
		want string
	}{
		{"nil", nil, "hub is <nil>, not a pointer to a struct"},
		{"struct", echoHub{}, "hub is appserver_test.echoHub, not a pointer to a struct"},
		{"nil pointer", (*echoHub)(nil), "hub is *appserver_test.echoHub, not a pointer to a struct"},
		{"pointer to something else", &text, "hub is *appserver_test.stringHub, not a pointer to a struct"},
		{"channel", &channelParameter{}, "channelParameter.Watch: parameter 3 is a channel, which cannot be encoded"},
		{"function inside", &functionDeep{}, "functionDeep.Run: parameter 1 is a function, which cannot be encoded"},
		{"interface", &interfaceHub{}, "interfaceHub.Read: parameter 1 is the interface interface { Read([]uint8) (int, error) }; only any can be decoded"},
		{"variadic", &variadicHub{}, "variadicHub.Sum: parameter 2 is variadic; take a slice"},
		{"late context", &lateContext{}, "lateContext.Send: parameter 2 is a context; it must be the first"},
		{"two contexts", &twoContexts{}, "twoContexts.Send: parameter 2 is a context; it must be the first"},
		{"three results", &threeResults{}, "threeResults.Get: it has 3 results; a method returns nothing, a value, an error, or a value and an error"},
		{"error first", &errorFirst{}, "errorFirst.Get: it has 2 results; a method returns nothing, a value, an error, or a value and an error"},
		{"channel result", &channelResult{}, "channelResult.Stream: result 1 is a channel, which cannot be encoded"},
		{"complex", &complexHub{}, "complexHub.Add: parameter 1 is complex128, which cannot be encoded"},
		{"case only", &caseHub{}, "caseHub.Sendall: differs from caseHub.SendAll in case only, which clients cannot tell apart"},
		{"OnConnected", &badConnect{}, "badConnect.OnConnected is func(context.Context) error, not func(*appserver.Context) error"},
		{"OnDisconnected", &badDisconnect{}, "badDisconnect.OnDisconnected is func(*appserver.Context), not func(*appserver.Context, error)"},
		{"embedded methods", &mutexHub{}, "mutexHub embeds sync.Mutex, so clients could call its method Lock; give the field a name"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := newApp(t).MapHub("/chat", tt.hub)
			if want := `map hub "/chat": ` + tt.want; err == nil || err.Error() != want {
				t.Errorf("error %v\nwant  %s", err, want)
			}
		})
	}
}

func TestMapHubRefusesSettings(t *testing.T) {
	tests := []struct {
		name, path string
		configure  func(*appserver.HubConfig)
		want       string
	}{
		{"path", "chat", nil, "the path must begin with /"},
		{"name", "/chat", func(c *appserver.HubConfig) { c.Name = "1st" }, `hub name "1st": invalid hub name: `},
		{"negative timeout", "/chat", func(c *appserver.HubConfig) { c.HandshakeTimeout = -1 }, "HandshakeTimeout: must not be negative"},
		{"negative keep-alive", "/chat", func(c *appserver.HubConfig) { c.KeepAliveInterval = -1 }, "KeepAliveInterval: must not be negative"},
		{"negative client timeout", "/chat", func(c *appserver.HubConfig) { c.ClientTimeoutInterval = -1 }, "ClientTimeoutInterval: must not be negative"},
		{"message size", "/chat", func(c *appserver.HubConfig) { c.MaximumReceiveMessageSize = -2 }, "MaximumReceiveMessageSize: must not be less than -1"},
		{"parallel", "/chat", func(c *appserver.HubConfig) { c.MaximumParallelInvocationsPerClient = -1 }, "MaximumParallelInvocationsPerClient: must not be negative"},
		{"pending", "/chat", func(c *appserver.HubConfig) { c.MaximumPendingBytesPerClient = -1 }, "MaximumPendingBytesPerClient: must not be negative"},
		{"transports", "/chat", func(c *appserver.HubConfig) { c.Transports = 8 }, "Transports: a bit is set that stands for no transport"},
		{"poll wait", "/chat", func(c *appserver.HubConfig) { c.LongPollWait = time.Hour }, "LongPollWait: must be whole seconds, from 1 to 300"},
		{"stream buffer", "/chat", func(c *appserver.HubConfig) { c.StreamBufferCapacity = -1 }, "StreamBufferCapacity: must not be negative"},
		{"protocol twice", "/chat", func(c *appserver.HubConfig) {
			c.SupportedProtocols = []hubprotocol.Protocol{hubprotocol.JSON, hubprotocol.JSON}
		}, "SupportedProtocols: json is listed twice"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			configure := tt.configure
			if configure == nil {
				configure = func(*appserver.HubConfig) {}
			}
			_, err := newApp(t).MapHub(tt.path, &echoHub{}, configure)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %s", err, tt.want)
			}
		})
	}
}

func TestMapHubTwice(t *testing.T) {
	a := newApp(t)
	if _, err := a.MapHub("/chat/", &echoHub{}); err != nil {
		t.Fatal(err)
	}
	_, err := a.MapHub("/chat", &echoHub{}, func(c *appserver.HubConfig) { c.Name = "other" })
	if want := `map hub "/chat": the path has a hub already`; err == nil || err.Error() != want {
		t.Errorf("same path: error %v, want %s", err, want)
	}
	_, err = a.MapHub("/other", &echoHub{})
	if want := `map hub "/other": the name "echohub" is taken by the hub at "/chat"`; err == nil || err.Error() != want {
		t.Errorf("same name: error %v, want %s", err, want)
	}
}

func TestMapHubAccepts(t *testing.T) {
	if _, err := newApp(t).MapHub("/", &harmlessEmbed{}); err != nil {
		t.Errorf("embedded struct without methods: %v", err)
	}
}

func TestMapHubWhileRunning(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := start(t, &echoHub{})
		_, err := a.MapHub("/late", &chatHub{})
		if want := `map hub "/late": the app runs already`; err == nil || err.Error() != want {
			t.Errorf("error %v, want %s", err, want)
		}
		if err := a.Run(t.Context()); err == nil {
			t.Error("a second Run = nil, want an error")
		}
	})
}

func newApp(t *testing.T) *appserver.App {
	t.Helper()
	a, err := appserver.New(appserver.Config{ConnectionString: "Endpoint=http://service.test;AccessKey=secret"})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestNewRefuses(t *testing.T) {
	const valid = "Endpoint=http://service.test;AccessKey=secret"
	tests := []struct {
		name   string
		config appserver.Config
		want   []string
	}{
		{"nothing", appserver.Config{}, []string{"ConnectionString: is required unless Endpoints or Service is set"}},
		{"both", appserver.Config{ConnectionString: valid, Service: &fakeService{}}, []string{"ConnectionString, Endpoints, Service: only one"}},
		{"no key", appserver.Config{ConnectionString: "Endpoint=http://x;Version=1.0"}, []string{"ConnectionString: accesskey is required."}},
		{"identity", appserver.Config{ConnectionString: "Endpoint=http://x;AuthType=azure"}, []string{"ConnectionString: only access keys are supported, not AuthType"}},
		{"every mistake", appserver.Config{
			ApplicationName: "a b", ServerConnections: -1, MaxServerConnections: -1, Sticky: "Always", Shutdown: "Now", ShutdownTimeout: -1, TokenLifetime: -1, TokenAlgorithm: "RS256",
			HubDefaults: appserver.HubConfig{KeepAliveInterval: -1},
		}, []string{"ConnectionString: ", "ApplicationName: ", "ServerConnections: ", "MaxServerConnections: ", "Sticky: ", "Shutdown: ", "ShutdownTimeout: ", "TokenLifetime: ", "TokenAlgorithm: ", "HubDefaults.KeepAliveInterval: "}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := appserver.New(tt.config)
			if err == nil {
				t.Fatal("no error")
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q does not say %q", err, want)
				}
			}
			if strings.Contains(err.Error(), "secret") {
				t.Errorf("error %q shows the access key", err)
			}
		})
	}
}

package appserver

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"time"

	"switchboard/accesstoken"
)

// A Config says where the service is and who the clients are. One of
// ConnectionString, Endpoints and Service is required; everything else has a default.
type Config struct {
	// ConnectionString names a service somewhere else and holds its access key:
	// "Endpoint=http://localhost:8888;AccessKey=...;Version=1.0;".
	ConnectionString string

	// Endpoints are several services, each with its own clients, in place of one. At least
	// one must be Primary. See [App.SetEndpoints] for changing them while the app runs.
	Endpoints []ServiceEndpoint

	// MessageRouter chooses the services that a message goes to. Default: all.
	MessageRouter MessageRouter

	// NegotiateRouter chooses the service that a client is sent to. Default: one that is
	// Primary and connected, at random; when all of them tell their capacity, in
	// proportion to what is free of it. Secondary ones are for when there is none.
	NegotiateRouter NegotiateRouter

	// ScaleTimeout bounds how long App.SetEndpoints waits, for other app servers to
	// connect to a service that is added, and for clients to leave one that is removed.
	// Default 5 min.
	ScaleTimeout time.Duration

	// Service is a service in this process. Clients reach it under /client/ on
	// the address of the app.
	Service Service

	// ApplicationName keeps hubs of the same name apart when several apps share
	// a service. Letters, digits and _. Hubs for clients of ASP.NET SignalR need it. Default: none.
	ApplicationName string

	// AspNetPath is where clients of ASP.NET SignalR find the app, and in it the hubs whose
	// HubConfig.Generations has AspNet. Default /signalr, as those clients take it to be.
	AspNetPath string

	// ServerConnections is the number of connections to the service for each
	// hub, and, if there are hubs for clients of ASP.NET SignalR, for the application. More of them spread the load of a busy hub; each client uses one.
	// Default 5.
	ServerConnections int

	// MaxServerConnections bounds the connections of a hub when the service asks for
	// more of them, because it has many clients. Less than ServerConnections means
	// that number. Default: no bound.
	MaxServerConnections int

	// Sticky keeps a client with the app server that answered its negotiate request.
	// Default: StickyDisabled.
	Sticky StickyMode

	// Shutdown says what becomes of the clients when Run's context is done. Default:
	// ShutdownOff.
	Shutdown ShutdownMode

	// ShutdownTimeout bounds what Shutdown asks for; clients that are left then are
	// closed. Default 30 s.
	ShutdownTimeout time.Duration

	// ServerID names this process to the service. Default: the host's name and
	// a random number.
	ServerID string

	// Identify tells who sends a negotiate request, from its cookies or
	// Authorization header. An error refuses the client: an *HTTPError with its
	// status, any other with 500. Default: everybody is let in as nobody.
	Identify func(*http.Request) (Identity, error)

	// TokenLifetime is how long a token is valid, that of a client and that of
	// a server connection. It is looked at when they connect. Default 1 h.
	TokenLifetime time.Duration

	// TokenAlgorithm signs tokens. Default accesstoken.HS256.
	TokenAlgorithm accesstoken.Algorithm

	// HubDefaults is what the configuration of every hub starts from.
	HubDefaults HubConfig

	// HTTPClient dials the service, unless Service is set. It must have no
	// Timeout, since that would end server connections. Default: http.DefaultClient.
	HTTPClient *http.Client

	// Logger gets what operators want to know. Default: nothing is logged.
	Logger *slog.Logger
}

// A StickyMode tells whether a client goes to the app server that answered its
// negotiate request, which may keep something for it.
//
// Source: azure-signalr ServerStickyMode.cs.
type StickyMode string

// The modes of Config.Sticky.
const (
	StickyDisabled  StickyMode = ""                          // the service chooses
	StickyPreferred StickyMode = accesstoken.StickyPreferred // if that app server is connected
	StickyRequired  StickyMode = accesstoken.StickyRequired  // else the client is refused
)

// A Service is a service in this process, such as a *service.Service.
type Service interface {
	http.Handler

	// ConnectionString names the service's endpoint and holds its access key.
	ConnectionString() string
}

// A Claim is one statement about a user. A type may occur more than once.
type Claim = accesstoken.Claim

// An Identity is what an app knows about one of its clients. It travels in the
// client's token, which is limited to 4096 characters.
type Identity struct {
	// UserID is what Clients().User addresses. Empty: the client belongs to nobody.
	UserID string

	// Claims are handed to the hub by [Context.Claims].
	Claims []Claim

	// Expires is when the authentication ends, for
	// HubConfig.CloseOnAuthenticationExpiration. Zero: never.
	Expires time.Time

	// AuthenticationType tells how the user was authenticated, for app servers
	// that ask. Default "Bearer".
	AuthenticationType string
}

// check fills in the defaults and returns every mistake, named by its field.
func (c *Config) check() ([]*endpoint, error) {
	c.setDefaults()
	endpoints, err := c.endpoints()
	mistakes := []error{err}
	if _, err := accesstoken.HubName(c.ApplicationName, "hub"); err != nil {
		mistakes = append(mistakes, fmt.Errorf("ApplicationName: %w", err))
	}
	if path := strings.TrimSuffix(c.AspNetPath, "/"); !strings.HasPrefix(path, "/") {
		mistakes = append(mistakes, fmt.Errorf("%s: %q does not begin with / and have something behind it", "AspNetPath", c.AspNetPath))
	}
	if c.ServerConnections < 0 {
		mistakes = append(mistakes, errors.New("ServerConnections: must not be negative"))
	}
	if c.MaxServerConnections < 0 {
		mistakes = append(mistakes, errors.New("MaxServerConnections: must not be negative"))
	}
	switch c.Sticky {
	case StickyDisabled, StickyPreferred, StickyRequired:
	default:
		mistakes = append(mistakes, fmt.Errorf("%s: %q is neither Preferred nor Required", "Sticky", c.Sticky))
	}
	if c.Shutdown != ShutdownOff && goodbyes[c.Shutdown] == "" {
		mistakes = append(mistakes, fmt.Errorf("%s: %q is neither WaitForClientsClose nor MigrateClients", "Shutdown", c.Shutdown))
	}
	if c.ShutdownTimeout < 0 {
		mistakes = append(mistakes, errors.New("ShutdownTimeout: must not be negative"))
	}
	if c.TokenLifetime < 0 {
		mistakes = append(mistakes, errors.New("TokenLifetime: must not be negative"))
	}
	switch c.TokenAlgorithm {
	case "", accesstoken.HS256, accesstoken.HS512:
	default:
		mistakes = append(mistakes, fmt.Errorf("TokenAlgorithm: %q is neither HS256 nor HS512", c.TokenAlgorithm))
	}
	if err := c.HubDefaults.check(); err != nil {
		mistakes = append(mistakes, fmt.Errorf("HubDefaults.%w", err))
	}
	if c.ScaleTimeout < 0 {
		mistakes = append(mistakes, errors.New("ScaleTimeout: must not be negative"))
	}
	return endpoints, errors.Join(mistakes...)
}

func (c *Config) endpoints() ([]*endpoint, error) {
	given := 0
	for _, is := range []bool{c.ConnectionString != "", c.Service != nil, len(c.Endpoints) > 0} {
		if is {
			given++
		}
	}
	switch {
	case given > 1:
		return nil, errors.New("ConnectionString, Endpoints, Service: only one of them can say where the service is")
	case given == 0:
		return nil, errors.New("ConnectionString: is required unless Endpoints or Service is set")
	case len(c.Endpoints) > 0:
		return parseEndpoints(c.Endpoints, c.HTTPClient)
	}
	one := &endpoint{client: c.HTTPClient}
	text := c.ConnectionString
	if c.Service != nil {
		text = c.Service.ConnectionString()
		one.embedded = newEmbedded(c.Service)
		one.client = one.embedded.client
	}
	address, err := parseEndpoint("ConnectionString", text)
	if err != nil {
		return nil, err
	}
	one.address.Store(address)
	return []*endpoint{one}, nil
}

func (c *Config) setDefaults() {
	setDefault(&c.ServerConnections, 5)
	setDefault(&c.AspNetPath, "/signalr")
	setDefault(&c.ShutdownTimeout, 30*time.Second)
	setDefault(&c.ScaleTimeout, 5*time.Minute)
	setDefault(&c.TokenLifetime, time.Hour)
	setDefault(&c.TokenAlgorithm, accesstoken.HS256)
	setDefault(&c.HTTPClient, http.DefaultClient)
	if c.NegotiateRouter == nil {
		c.NegotiateRouter = ByCapacity{}
	}
	setDefault(&c.Logger, slog.New(slog.DiscardHandler))
	if c.ServerID == "" {
		host, _ := os.Hostname()
		c.ServerID = fmt.Sprintf("%s_%x", host, randomBytes())
	}
	if c.Identify == nil {
		c.Identify = func(*http.Request) (Identity, error) { return Identity{}, nil }
	}
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

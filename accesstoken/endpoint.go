package accesstoken

import (
	"log/slog"
	"net/url"
	"strings"
)

// An Endpoint is a parsed connection string: one service, and the means to be
// let in. It is not changed after parsing and may be used by many at once.
type Endpoint struct {
	Base       *url.URL // where the service is; Port has been applied. Required
	ClientBase *url.URL // where clients reach it, when that differs; else nil
	ServerBase *url.URL // where app servers and REST callers reach it, when that differs; else nil

	AuthType  AuthType
	AccessKey string // secret; set when AuthType is AuthAccessKey
	Identity  Identity
	Version   string // "" or 1.x; of no consequence
}

// String returns a connection string that parses to the same endpoint. It
// holds the access key: logs want Redacted.
func (e *Endpoint) String() string {
	return e.format(func(secret string) string { return secret })
}

// Redacted is String with every secret replaced.
func (e *Endpoint) Redacted() string {
	return e.format(func(string) string { return "***" })
}

// LogValue keeps the secrets out of a log that is handed an endpoint.
func (e *Endpoint) LogValue() slog.Value { return slog.StringValue(e.Redacted()) }

func (e *Endpoint) format(show func(secret string) string) string {
	var b strings.Builder
	write := func(key, value string) {
		if value != "" {
			b.WriteString(key + "=" + value + ";")
		}
	}
	secret := func(key, value string) {
		if value != "" {
			write(key, show(value))
		}
	}
	address := func(key string, u *url.URL) {
		if u != nil {
			write(key, u.String())
		}
	}
	address("Endpoint", e.Base)
	write("AuthType", string(e.AuthType))
	secret("AccessKey", e.AccessKey)
	write("ClientId", e.Identity.ClientID)
	write("TenantId", e.Identity.TenantID)
	secret("ClientSecret", e.Identity.ClientSecret)
	write("ClientCert", e.Identity.ClientCert)
	write("Version", e.Version)
	address("ClientEndpoint", e.ClientBase)
	address("ServerEndpoint", e.ServerBase)
	return b.String()
}

// ServerURL returns the WebSocket URL of a server connection. hub is what
// HubName returns, cid the id of this attempt. A target is appended by the
// caller as "&target=".
//
// Source: azure-signalr DefaultServiceEndpointGenerator.cs, ConnectionFactory.cs.
func (e *Endpoint) ServerURL(hub, cid string) string { return e.serverURL(serverPath, hub, cid) }

func (e *Endpoint) serverURL(path, hub, cid string) string {
	base := e.Base
	if e.ServerBase != nil {
		base = e.ServerBase
	}
	webSocket := "ws" + strings.TrimPrefix(base.String(), "http") // https becomes wss
	return webSocket + path + hubQuery(hub) + "&cid=" + url.QueryEscape(cid)
}

// ServerAudience returns the audience of a server connection's token.
func (e *Endpoint) ServerAudience(hub string) string {
	return e.audienceBase() + serverPath + hubQuery(hub)
}

// ClientURL returns the URL that negotiate sends a client to. The original path
// and query are appended by the caller, each after an "&".
//
// Source: azure-signalr DefaultServiceEndpointGenerator.cs, GetClientEndpoint.
func (e *Endpoint) ClientURL(hub string) string { return e.clientBase() + clientPath + hubQuery(hub) }

func (e *Endpoint) clientBase() string {
	if e.ClientBase != nil {
		return e.ClientBase.String()
	}
	return e.Base.String()
}

// ClientAudience returns the audience of a client's token.
func (e *Endpoint) ClientAudience(hub string) string {
	return e.audienceBase() + clientPath + hubQuery(hub)
}

// AspNetServerURL is ServerURL for app servers of ASP.NET SignalR. hub is what HubName
// returns for a hub, or for the application's name in its place.
//
// Source: azure-signalr AspNet/EndpointProvider/ServiceEndpointProvider.cs, as are those below.
func (e *Endpoint) AspNetServerURL(hub, cid string) string {
	return e.serverURL(aspNetServerPath, hub, cid)
}

// AspNetServerAudience returns the audience of such a server connection's token.
func (e *Endpoint) AspNetServerAudience(hub string) string {
	return e.audienceBase() + aspNetServerPath + hubQuery(hub)
}

// AspNetClientURL is ClientURL for clients of ASP.NET SignalR, which are of no hub.
func (e *Endpoint) AspNetClientURL() string { return e.clientBase() + aspNetClientPath }

// AspNetClientAudience returns the audience of such a client's token.
func (e *Endpoint) AspNetClientAudience() string { return e.audienceBase() + aspNetClientPath }

// The paths are glued to a base as they are, as the SDK does: a base with a
// path of its own needs the slash at its end.
const (
	clientPath = "client/"
	serverPath = "server/"

	aspNetClientPath = "aspnetclient"
	aspNetServerPath = "aspnetserver/"
)

func hubQuery(hub string) string {
	return "?hub=" + url.QueryEscape(strings.ToLower(hub))
}

// audienceBase is scheme and host of Base, whatever the other bases are. It
// never has a port, not even one that the connection string names.
//
// Source: azure-signalr ServiceEndpoint.cs, BuildAudienceBaseUrlEndWithSlash.
func (e *Endpoint) audienceBase() string {
	base := url.URL{Scheme: e.Base.Scheme, Host: e.Base.Host, Path: "/"}
	setPort(&base, "")
	return base.String()
}

// setPort gives u a port, or none when the scheme implies it.
func setPort(u *url.URL, port string) {
	u.Host = strings.ToLower(u.Hostname())
	if strings.Contains(u.Host, ":") {
		u.Host = "[" + u.Host + "]"
	}
	implied := port == "80" && u.Scheme == "http" || port == "443" && u.Scheme == "https"
	if port != "" && !implied {
		u.Host += ":" + port
	}
}

package accesstoken_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"switchboard/accesstoken"
)

// The cases of ConnectionStringParserTests.cs, and what the parser's source
// says beyond them.
func TestParseConnectionString(t *testing.T) {
	tests := []struct {
		name, in             string
		base, client, server string
		version, accessKey   string
		authType             accesstoken.AuthType
		identity             accesstoken.Identity
	}{
		{name: "shortest", in: "endpoint=http://aaa;accesskey=k", base: "http://aaa/", accessKey: "k"},
		{name: "as the portal writes it", in: "Endpoint=https://x.service.signalr.net;AccessKey=aGVsbG8=;Version=1.0;",
			base: "https://x.service.signalr.net/", accessKey: "aGVsbG8=", version: "1.0"},
		{name: "any case and order", in: "VERSION=1.0;accessKEY=k;EndPoint=https://aaa", base: "https://aaa/", accessKey: "k", version: "1.0"},
		{name: "white space around keys and values", in: " Endpoint = https://aaa ; AccessKey =\tk\n", base: "https://aaa/", accessKey: "k"},
		{name: "empty parts and parts without =", in: ";;Endpoint=https://aaa;;note;AccessKey=k;", base: "https://aaa/", accessKey: "k"},
		{name: "unknown key", in: "Endpoint=https://aaa;AccessKey=k;Colour=red", base: "https://aaa/", accessKey: "k"},
		{name: "value with =", in: "Endpoint=https://aaa;AccessKey==a=b==", base: "https://aaa/", accessKey: "=a=b=="},
		{name: "host in capitals, default port", in: "Endpoint=HTTPS://AAA:443;AccessKey=k", base: "https://aaa/", accessKey: "k"},
		{name: "preview version", in: "Endpoint=http://aaa;AccessKey=k;Version=1.1-preview", base: "http://aaa/", accessKey: "k", version: "1.1-preview"},
		{name: "slash at the end", in: "Endpoint=http://aaa/;AccessKey=k", base: "http://aaa/", accessKey: "k"},
		{name: "slash at the end of a path goes", in: "Endpoint=http://aaa/b/;AccessKey=k", base: "http://aaa/b", accessKey: "k"},
		{name: "port of its own", in: "Endpoint=http://aaa:500;AccessKey=k", base: "http://aaa:500/", accessKey: "k"},
		{name: "Port replaces it", in: "Endpoint=http://aaa:500;AccessKey=k;Port=400", base: "http://aaa:400/", accessKey: "k"},
		{name: "Port that the scheme implies", in: "Endpoint=http://aaa:500;AccessKey=k;Port=80", base: "http://aaa/", accessKey: "k"},
		{name: "Port is for Endpoint alone", in: "Endpoint=http://aaa:500;AccessKey=k;Port=400;ClientEndpoint=http://bbb;ServerEndpoint=http://ccc:500",
			base: "http://aaa:400/", client: "http://bbb/", server: "http://ccc:500/", accessKey: "k"},
		{name: "slash at the end of the other endpoints stays", in: "Endpoint=http://aaa;AccessKey=k;ClientEndpoint=https://bbb/c/;ServerEndpoint=https://ddd/e",
			base: "http://aaa/", client: "https://bbb/c/", server: "https://ddd/e", accessKey: "k"},
		{name: "IPv6", in: "Endpoint=http://[::1];AccessKey=k;Port=8888", base: "http://[::1]:8888/", accessKey: "k"},
		{name: "unknown AuthType", in: "Endpoint=http://aaa;AccessKey=k;AuthType=key", base: "http://aaa/", accessKey: "k"},
		{name: "azure", in: "Endpoint=https://aaa;AuthType=Azure;ClientId=x;TenantId=x;ClientSecret=x;AccessKey=x", base: "https://aaa/", authType: accesstoken.AuthAzure},
		{name: "aad alone", in: "Endpoint=https://aaa;AuthType=AAD;", base: "https://aaa/", authType: accesstoken.AuthAAD},
		{name: "aad ignores a tenant without client", in: "Endpoint=https://aaa;AuthType=aad;TenantId=x;ClientSecret=x", base: "https://aaa/", authType: accesstoken.AuthAAD},
		{name: "aad with client", in: "Endpoint=https://aaa;AuthType=aad;ClientId=c", base: "https://aaa/",
			authType: accesstoken.AuthAAD, identity: accesstoken.Identity{ClientID: "c"}},
		{name: "aad with secret", in: "Endpoint=https://aaa;AuthType=aad;ClientId=c;TenantId=t;ClientSecret=s;ClientCert=f", base: "https://aaa/",
			authType: accesstoken.AuthAAD, identity: accesstoken.Identity{ClientID: "c", TenantID: "t", ClientSecret: "s"}},
		{name: "aad with certificate", in: "Endpoint=https://aaa;AuthType=aad;ClientId=c;TenantId=t;ClientCert=f", base: "https://aaa/",
			authType: accesstoken.AuthAAD, identity: accesstoken.Identity{ClientID: "c", TenantID: "t", ClientCert: "f"}},
		{name: "azure.app with secret", in: "Endpoint=https://aaa;AuthType=azure.app;ClientId=c;TenantId=t;ClientSecret=s", base: "https://aaa/",
			authType: accesstoken.AuthAzureApp, identity: accesstoken.Identity{ClientID: "c", TenantID: "t", ClientSecret: "s"}},
		{name: "azure.app with certificate", in: "Endpoint=https://aaa;AuthType=azure.app;ClientId=c;TenantId=t;ClientCert=f", base: "https://aaa/",
			authType: accesstoken.AuthAzureApp, identity: accesstoken.Identity{ClientID: "c", TenantID: "t", ClientCert: "f"}},
		{name: "azure.msi", in: "Endpoint=https://aaa;AuthType=azure.msi", base: "https://aaa/", authType: accesstoken.AuthAzureMSI},
		{name: "azure.msi with client", in: "Endpoint=https://aaa;AuthType=azure.msi;ClientId=c;TenantId=x", base: "https://aaa/",
			authType: accesstoken.AuthAzureMSI, identity: accesstoken.Identity{ClientID: "c"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e := parse(t, tt.in)
			if got := e.Base.String(); got != tt.base {
				t.Errorf("Base = %q, want %q", got, tt.base)
			}
			if e.ClientBase != nil || tt.client != "" {
				if got := e.ClientBase.String(); got != tt.client {
					t.Errorf("ClientBase = %q, want %q", got, tt.client)
				}
			}
			if e.ServerBase != nil || tt.server != "" {
				if got := e.ServerBase.String(); got != tt.server {
					t.Errorf("ServerBase = %q, want %q", got, tt.server)
				}
			}
			if e.AccessKey != tt.accessKey || e.Version != tt.version {
				t.Errorf("AccessKey, Version = %q, %q; want %q, %q", e.AccessKey, e.Version, tt.accessKey, tt.version)
			}
			if e.AuthType != tt.authType || e.Identity != tt.identity {
				t.Errorf("AuthType, Identity = %q, %+v; want %q, %+v", e.AuthType, e.Identity, tt.authType, tt.identity)
			}
			if again := parse(t, e.String()); !reflect.DeepEqual(again, e) {
				t.Errorf("parsed again from %q: %+v, want %+v", e, again, e)
			}
		})
	}
}

func TestParseConnectionStringErrors(t *testing.T) {
	const (
		noEndpoint  = "Connection string missing required properties endpoint."
		noSecret    = "Connection string missing required properties clientSecret or clientCert."
		badEndpoint = "Invalid value for endpoint property, it must be a valid URI."
		badClient   = "Invalid value for clientEndpoint property, it must be a valid URI."
		badServer   = "ServerEndpoint property in connection string is not a valid URI."
		badPort     = "Invalid value for port property, it must be an positive integer between (0, 65536)"
		noKey       = "accesskey is required."
	)
	tests := []struct{ name, in, property, want string }{
		{"empty", "", "endpoint", noEndpoint},
		{"one part", "Endpoint=https://aaa", "endpoint", noEndpoint},
		{"one part and empty ones", ";;Endpoint=https://aaa;", "endpoint", noEndpoint},
		{"no endpoint", "AccessKey=k;Version=1.0", "endpoint", noEndpoint},
		{"parts without =", "Endpoint;AccessKey", "endpoint", noEndpoint},
		{"duplicate", "Endpoint=https://aaa;AccessKey=k;ACCESSKEY=l", "ACCESSKEY", "Duplicate properties found in connection string: ACCESSKEY."},
		{"duplicate unknown key", "a=1;a=2", "a", "Duplicate properties found in connection string: a."},
		{"endpoint is no URI", "Endpoint=aaa;AccessKey=k", "endpoint", badEndpoint},
		{"endpoint twice in one", "Endpoint=endpoint=aaa;AccessKey=k;", "endpoint", badEndpoint},
		{"endpoint of another scheme", "Endpoint=ftp://aaa;AccessKey=k", "endpoint", badEndpoint},
		{"endpoint without host", "Endpoint=http://;AccessKey=k", "endpoint", badEndpoint},
		{"endpoint with a port and no host", "Endpoint=http://:80;AccessKey=k", "endpoint", badEndpoint},
		{"endpoint with a port out of range", "Endpoint=http://aaa:65536;AccessKey=k", "endpoint", badEndpoint},
		{"endpoint with a password", "Endpoint=http://user:secret@aaa;AccessKey=k", "endpoint", badEndpoint},
		{"version without number", "Endpoint=https://aaa;AccessKey=k;Version=abc", "version", "Version abc is not supported."},
		{"version 1.x", "Endpoint=https://aaa;AccessKey=k;Version=1.x", "version", "Version 1.x is not supported."},
		{"version 2", "Endpoint=https://aaa;AccessKey=k;Version=2.0", "version", "Version 2.0 is not supported."},
		{"version empty", "Endpoint=https://aaa;AccessKey=k;Version=", "version", "Version  is not supported."},
		{"port with a point", "Endpoint=https://aaa;AccessKey=k;Port=2.3", "port", badPort},
		{"port too large", "Endpoint=https://aaa;AccessKey=k;Port=65536", "port", badPort},
		{"port 0", "Endpoint=https://aaa;AccessKey=k;Port=0", "port", badPort},
		{"client endpoint", "Endpoint=https://aaa;ClientEndpoint=aaa;AccessKey=k;", "clientEndpoint", badClient},
		{"client endpoint with =", "Endpoint=https://aaa;ClientEndpoint=endpoint=aaa;AccessKey=k;", "clientEndpoint", badClient},
		{"server endpoint", "Endpoint=https://aaa;ServerEndpoint=aaa;AccessKey=k;", "ServerEndpoint", badServer},
		{"no key", "Endpoint=https://aaa;Version=1.0", "accesskey", noKey},
		{"empty key", "Endpoint=https://aaa;AccessKey=", "accesskey", noKey},
		{"no key, unknown AuthType", "Endpoint=https://aaa;AuthType=azure.cli", "accesskey", noKey},
		{"aad without secret", "Endpoint=https://aaa;AuthType=aad;ClientId=c;TenantId=t", "clientSecret or clientCert", noSecret},
		{"azure.app without secret", "Endpoint=https://aaa;AuthType=azure.app;ClientId=c;TenantId=t", "clientSecret or clientCert", noSecret},
		{"azure.app without client", "Endpoint=https://aaa;AuthType=azure.app;TenantId=t", "clientId", "Connection string missing required properties clientId."},
		{"azure.app without tenant", "Endpoint=https://aaa;AuthType=azure.app;ClientId=c", "tenantId", "Connection string missing required properties tenantId."},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e, err := accesstoken.ParseConnectionString(tt.in)
			wrong, ok := errors.AsType[*accesstoken.ConnectionStringError](err)
			if !ok {
				t.Fatalf("ParseConnectionString(%q) = %v, %v; want a ConnectionStringError", tt.in, e, err)
			}
			if err.Error() != tt.want || wrong.Property != tt.property {
				t.Errorf("error %q about %q, want %q about %q", err, wrong.Property, tt.want, tt.property)
			}
		})
	}
}

func FuzzParseConnectionString(f *testing.F) {
	for _, s := range []string{
		"Endpoint=https://x.service.signalr.net;AccessKey=aGVsbG8=;Version=1.0;",
		"Endpoint=http://localhost;Port=8888;AccessKey=" + accesstoken.DevelopmentKey + ";Version=1.0;",
		"Endpoint=http://[::1]:80/a%3Bb/;AccessKey=k;ClientEndpoint=https://b/c?d=e;ServerEndpoint=http://d",
		"Endpoint=https://aaa;AuthType=aad;ClientId=c;TenantId=t;ClientSecret=s",
		"Endpoint=https://aaa;AuthType=azure.app;ClientId=c;TenantId=t;ClientCert=/f",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		e, err := accesstoken.ParseConnectionString(s)
		if err != nil {
			return
		}
		again, err := accesstoken.ParseConnectionString(e.String())
		if err != nil {
			t.Fatalf("from %q made %q: %v", s, e, err)
		}
		if again.String() != e.String() || again.Redacted() != e.Redacted() {
			t.Errorf("from %q made %q, from that %q", s, e, again)
		}
		if audience := e.ClientAudience("hub"); !strings.HasSuffix(audience, "/client/?hub=hub") {
			t.Errorf("from %q the audience %q", s, audience)
		}
	})
}

func parse(t testing.TB, s string) *accesstoken.Endpoint {
	t.Helper()
	e, err := accesstoken.ParseConnectionString(s)
	if err != nil {
		t.Fatalf("ParseConnectionString(%q): %v", s, err)
	}
	return e
}

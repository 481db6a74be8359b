package accesstoken_test

import (
	"bytes"
	"log/slog"
	"net/url"
	"strings"
	"testing"

	"switchboard/accesstoken"
)

func TestURLsAndAudiences(t *testing.T) {
	tests := []struct {
		name, connection               string
		server, client                 string
		serverAudience, clientAudience string
	}{
		{"plain", "Endpoint=https://aaa;AccessKey=k",
			"wss://aaa/server/?hub=shop_chat&cid=c1", "https://aaa/client/?hub=shop_chat",
			"https://aaa/server/?hub=shop_chat", "https://aaa/client/?hub=shop_chat"},
		{"no port in the audience", "Endpoint=http://localhost;Port=8888;AccessKey=k",
			"ws://localhost:8888/server/?hub=shop_chat&cid=c1", "http://localhost:8888/client/?hub=shop_chat",
			"http://localhost/server/?hub=shop_chat", "http://localhost/client/?hub=shop_chat"},
		{"audience is Endpoint's whatever the others are",
			"Endpoint=http://aaa:81/path;AccessKey=k;ClientEndpoint=https://bbb:444;ServerEndpoint=https://ccc",
			"wss://ccc/server/?hub=shop_chat&cid=c1", "https://bbb:444/client/?hub=shop_chat",
			"http://aaa/server/?hub=shop_chat", "http://aaa/client/?hub=shop_chat"},
		{"a path is glued to, with its slash or without",
			"Endpoint=https://aaa;AccessKey=k;ClientEndpoint=https://x/y;ServerEndpoint=https://x/y/",
			"wss://x/y/server/?hub=shop_chat&cid=c1", "https://x/yclient/?hub=shop_chat",
			"https://aaa/server/?hub=shop_chat", "https://aaa/client/?hub=shop_chat"},
		{"IPv6", "Endpoint=http://[::1]:5000;AccessKey=k",
			"ws://[::1]:5000/server/?hub=shop_chat&cid=c1", "http://[::1]:5000/client/?hub=shop_chat",
			"http://[::1]/server/?hub=shop_chat", "http://[::1]/client/?hub=shop_chat"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e := parse(t, tt.connection)
			for _, c := range []struct{ what, got, want string }{
				{"ServerURL", e.ServerURL("Shop_Chat", "c1"), tt.server},
				{"ClientURL", e.ClientURL("Shop_Chat"), tt.client},
				{"ServerAudience", e.ServerAudience("Shop_Chat"), tt.serverAudience},
				{"ClientAudience", e.ClientAudience("Shop_Chat"), tt.clientAudience},
			} {
				if c.got != c.want {
					t.Errorf("%s = %q, want %q", c.what, c.got, c.want)
				}
			}
		})
	}
}

func TestAspNetURLsAndAudiences(t *testing.T) {
	tests := []struct {
		connection                     string
		server, client                 string
		serverAudience, clientAudience string
	}{
		{"Endpoint=http://localhost;Port=8080;AccessKey=k", "ws://localhost:8080/aspnetserver/?hub=myapp_chat&cid=c1", "http://localhost:8080/aspnetclient",
			"http://localhost/aspnetserver/?hub=myapp_chat", "http://localhost/aspnetclient"},
		{"Endpoint=https://svc.example;AccessKey=k", "wss://svc.example/aspnetserver/?hub=myapp_chat&cid=c1", "https://svc.example/aspnetclient",
			"https://svc.example/aspnetserver/?hub=myapp_chat", "https://svc.example/aspnetclient"},
		{"Endpoint=https://a;AccessKey=k;ClientEndpoint=https://b:444;ServerEndpoint=https://c", "wss://c/aspnetserver/?hub=myapp_chat&cid=c1", "https://b:444/aspnetclient",
			"https://a/aspnetserver/?hub=myapp_chat", "https://a/aspnetclient"},
	}
	for _, tt := range tests {
		e := parse(t, tt.connection)
		for _, c := range []struct{ what, got, want string }{
			{"AspNetServerURL", e.AspNetServerURL("MyApp_Chat", "c1"), tt.server},
			{"AspNetClientURL", e.AspNetClientURL(), tt.client},
			{"AspNetServerAudience", e.AspNetServerAudience("MyApp_Chat"), tt.serverAudience},
			{"AspNetClientAudience", e.AspNetClientAudience(), tt.clientAudience},
		} {
			if c.got != c.want {
				t.Errorf("%s = %q, want %q", c.what, c.got, c.want)
			}
		}
	}
}

func TestConnectionStringIsWrittenAsThePortalDoes(t *testing.T) {
	e := accesstoken.Endpoint{
		Base:      &url.URL{Scheme: "http", Host: "localhost:8888", Path: "/"},
		AccessKey: accesstoken.DevelopmentKey,
		Version:   "1.0",
	}
	want := "Endpoint=http://localhost:8888/;AccessKey=" + accesstoken.DevelopmentKey + ";Version=1.0;"
	if got := e.String(); got != want {
		t.Errorf("String = %q, want %q", got, want)
	}
}

func TestLogsNeverShowSecrets(t *testing.T) {
	tests := []struct{ in, want string }{
		{"Endpoint=https://aaa;AccessKey=SECRET;Version=1.0;ServerEndpoint=https://b",
			"Endpoint=https://aaa/;AccessKey=***;Version=1.0;ServerEndpoint=https://b/;"},
		{"Endpoint=https://aaa;AuthType=aad;ClientId=c;TenantId=t;ClientSecret=SECRET",
			"Endpoint=https://aaa/;AuthType=aad;ClientId=c;TenantId=t;ClientSecret=***;"},
		{"Endpoint=https://aaa;AuthType=azure.msi", "Endpoint=https://aaa/;AuthType=azure.msi;"},
	}
	for _, tt := range tests {
		e := parse(t, tt.in)
		if got := e.Redacted(); got != tt.want {
			t.Errorf("Redacted = %q, want %q", got, tt.want)
		}
		var log bytes.Buffer
		slog.New(slog.NewTextHandler(&log, nil)).Info("connecting", "endpoint", e)
		if got := log.String(); strings.Contains(got, "SECRET") || !strings.Contains(got, tt.want) {
			t.Errorf("logged %q, want it to contain %q", got, tt.want)
		}
	}
}

package accesstoken_test

import (
	"encoding/json"
	"errors"
	"testing"

	"switchboard/accesstoken"
)

func TestAudience(t *testing.T) {
	send := accesstoken.Audience{Path: "/api/hubs/chat/users/a%20b/:send"}
	hosts := []string{"example.com", "chat.example.com"}
	const path, hub, host = accesstoken.ReasonAudiencePath, accesstoken.ReasonAudienceHub, accesstoken.ReasonAudienceHost
	tests := []struct {
		name   string
		want   accesstoken.Audience
		aud    []string
		reason accesstoken.Reason // "" is accepted
	}{
		{"as signed by the SDK", chat, []string{"http://localhost/client/?hub=chat"}, ""},
		{"no slash", chat, []string{"http://localhost/client?hub=chat"}, ""},
		{"slash in the request", accesstoken.Audience{Path: "/client/", Hub: "chat"}, []string{"http://localhost/client?hub=chat"}, ""},
		{"any port and scheme", chat, []string{"wss://localhost:8888/client/?hub=chat"}, ""},
		{"case of the hub", accesstoken.Audience{Path: "/client", Hub: "Chat"}, []string{"http://localhost/client/?hub=cHAT"}, ""},
		{"escaped hub", accesstoken.Audience{Path: "/client", Hub: "a`1"}, []string{"http://localhost/client/?hub=a%601"}, ""},
		{"other parameters", chat, []string{"http://localhost/client/?x=1&hub=chat&y=2#z"}, ""},
		{"one of several", chat, []string{"a", "http://localhost/client/?hub=news", "http://localhost/client/?hub=chat"}, ""},
		{"classic client", accesstoken.Audience{Path: "/aspnetclient"}, []string{"http://localhost/aspnetclient"}, ""},
		{"classic server", accesstoken.Audience{Path: "/aspnetserver/", Hub: "chat"}, []string{"http://localhost/aspnetserver/?hub=chat"}, ""},

		{"case of the path", chat, []string{"http://localhost/Client/?hub=chat"}, path},
		{"two slashes", chat, []string{"http://localhost/client//?hub=chat"}, path},
		{"longer path", chat, []string{"http://localhost/client/negotiate?hub=chat"}, path},
		{"no path", chat, []string{"http://localhost?hub=chat"}, path},
		{"no host", chat, []string{"/client/?hub=chat"}, path},
		{"no URL", chat, []string{"http://local host/client/?hub=chat", "%"}, path},
		{"other hub", chat, []string{"http://localhost/client/?hub=news"}, hub},
		{"no hub", chat, []string{"http://localhost/client/"}, hub},
		{"hub of another application", chat, []string{"http://localhost/client/?hub=shop_chat"}, hub},
		{"a hub where none is wanted", accesstoken.Audience{Path: "/client"}, []string{"http://localhost/client/?hub=chat"}, hub},

		{"REST, form A", send, []string{"http://localhost/api/hubs/chat/users/a%20b/:send"}, ""},
		{"REST, form B", send, []string{"http://localhost/api/hubs/chat/users/a%20b/:send?api-version=2022-06-01"}, ""},
		{"REST, form B with application", send, []string{"http://localhost/api/hubs/chat/users/a%20b/:send?application=app&api-version=2022-06-01"}, ""},
		{"REST, form C", accesstoken.Audience{Path: "/api/v1/hubs/Chat"}, []string{"http://localhost/api/v1/hubs/chat"}, ""},
		{"REST, form D", send, []string{"http://localhost:8888/api/hubs/chat/users/a%20b/:send"}, ""},
		{"REST, escaped more than needed", send, []string{"http://localhost/api/hubs/chat/users/%61%20b/%3Asend"}, ""},
		{"REST, case of the hub", send, []string{"http://localhost/api/hubs/CHAT/users/a%20b/:send"}, ""},
		{"REST, a group called hubs", accesstoken.Audience{Path: "/api/hubs/chat/groups/hubs/users/u"}, []string{"http://localhost/api/hubs/Chat/groups/hubs/users/u"}, ""},
		{"REST, case of the user", send, []string{"http://localhost/api/hubs/chat/users/A%20b/:send"}, path},
		{"REST, other user and hub", send, []string{"http://localhost/api/hubs/news/users/b/:send"}, path},
		{"REST, other hub", send, []string{"http://localhost/api/hubs/news/users/a%20b/:send"}, hub},
		{"REST, an escaped slash is none", accesstoken.Audience{Path: "/api/hubs/chat/users/u/groups/g"}, []string{"http://localhost/api/hubs/chat/users/u%2Fgroups%2Fg"}, path},
		{"REST, an escaped slash in both", accesstoken.Audience{Path: "/api/hubs/chat/users/u%2fg"}, []string{"http://localhost/api/hubs/chat/users/u%2Fg"}, ""},

		{"one of the hosts", accesstoken.Audience{Path: "/client", Hub: "chat", Hosts: hosts}, []string{"https://CHAT.example.com:444/client/?hub=chat"}, ""},
		{"other host", accesstoken.Audience{Path: "/client", Hub: "chat", Hosts: hosts}, []string{"https://evil.com/client/?hub=chat"}, host},
		{"host in the user's part", accesstoken.Audience{Path: "/client", Hub: "chat", Hosts: hosts}, []string{"https://example.com@evil.com/client/?hub=chat"}, host},
		{"nearest is told", accesstoken.Audience{Path: "/client", Hub: "chat", Hosts: hosts},
			[]string{"https://evil.com/client/?hub=chat", "https://example.com/client/?hub=news", "https://example.com/"}, host},
	}
	ks := keys(t, primary)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			aud, err := json.Marshal(tt.aud)
			if err != nil {
				t.Fatal(err)
			}
			got, err := ks.Check(hs256(`{"aud":`+string(aud)+`,"exp":4102444800}`), now, tt.want)
			if tt.reason == "" {
				if err != nil || got.Audience != tt.aud[len(tt.aud)-1] {
					t.Errorf("Check = %+v, %v; want the audience %q accepted", got, err, tt.aud[len(tt.aud)-1])
				}
				return
			}
			if refusal, ok := errors.AsType[*accesstoken.CheckError](err); !ok || refusal.Reason != tt.reason {
				t.Errorf("Check = %+v, %v; want it refused with %q", got, err, tt.reason)
			}
		})
	}
}

func TestAudienceErrorNamesEveryHost(t *testing.T) {
	want := accesstoken.Audience{Path: "/client/", Hub: "Chat", Hosts: []string{"a.com", "b.com"}}
	_, err := keys(t, primary).Check(hs256(`{"aud":["x","y"],"exp":4102444800}`), now, want)
	if text := audienceError("a.com/client/?hub=chat, b.com/client/?hub=chat", "x, y"); err == nil || err.Error() != text {
		t.Errorf("error %v, want %q", err, text)
	}
}

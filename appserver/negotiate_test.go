package appserver_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"switchboard/accesstoken"
	"switchboard/appserver"
	"switchboard/negotiate"
	"switchboard/serviceprotocol"
)

// checkToken returns what the service reads in a client's token.
func checkToken(t *testing.T, token string) *accesstoken.Token {
	t.Helper()
	keys, err := accesstoken.NewKeys("secret")
	if err != nil {
		t.Fatal(err)
	}
	checked, err := keys.Check(token, time.Now(), accesstoken.Audience{Path: "/client", Hub: "shop_eventhub", Hosts: []string{"service.test"}})
	if err != nil {
		t.Fatal(err)
	}
	return checked
}

func TestNegotiateTellsTheServiceOfOptions(t *testing.T) {
	bubble(t, func(t *testing.T) {
		expires := time.Now().Add(time.Minute)
		a := startWith(t, newFakeService(t), appserver.Config{
			ApplicationName: "Shop",
			Identify:        func(*http.Request) (appserver.Identity, error) { return appserver.Identity{Expires: expires}, nil },
		}, newEventHub(), func(c *appserver.HubConfig) {
			c.Transports = negotiate.WebSockets | negotiate.LongPolling
			c.LongPollWait = 20 * time.Second
			c.CloseOnAuthenticationExpiration = true
		})
		answer, err := negotiate.ParseAnswer(a.negotiate("/chat/negotiate").Body.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		token := checkToken(t, answer.AccessToken)
		for name, want := range map[string]string{
			"asrs.s.htt": "5", "asrs.s.ttl": "20", "asrs.s.coae": "true", "asrs.s.aeo": strconv.FormatInt(expires.Unix(), 10),
		} {
			if got, _ := token.Claim(name); got != want {
				t.Errorf("claim %s is %q, want %q", name, got, want)
			}
		}
	})
}

// What depends on the request goes to the service in the token.
func TestNegotiateByRequest(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := startWith(t, newFakeService(t), appserver.Config{ApplicationName: "Shop"}, newEventHub(), func(c *appserver.HubConfig) {
			c.Transports = negotiate.WebSockets | negotiate.LongPolling
			c.TransportDetector = func(r *http.Request) negotiate.Transport {
				n, _ := strconv.Atoi(r.URL.Query().Get("transports"))
				return negotiate.Transport(n)
			}
			c.DiagnosticClientFilter = func(r *http.Request) bool { return r.URL.Query().Has("trace") }
		})
		for query, want := range map[string]string{
			"": "5 ", "transports=4": "4 ", "transports=6": "4 ", "transports=2": "5 ", "transports=255&trace": "5 true",
		} {
			answer, err := negotiate.ParseAnswer(a.negotiate("/chat/negotiate?" + query).Body.Bytes())
			if err != nil {
				t.Fatal(err)
			}
			token := checkToken(t, answer.AccessToken)
			transports, _ := token.Claim("asrs.s.htt")
			traced, _ := token.Claim("asrs.s.dc")
			if got := transports + " " + traced; got != want {
				t.Errorf("%q: %q, want %q", query, got, want)
			}
		}
	})
}

func TestDiagnosticClient(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newMoveHub()
		a := start(t, h)
		for id, want := range map[string]string{"c1": "true", "c2": "false"} {
			c := a.conn.open(t, &serviceprotocol.OpenConnection{ConnectionID: id, Headers: serviceprotocol.Headers{{Name: "Asrs-Is-Diagnostic-Client", Values: []string{want}}}})
			c.want(t, "{}")
			c.send(t, invoke("1", "Hi", ""))
			c.want(t, `{"type":3,"invocationId":"1","result":"hi"}`)
			a.conn.send(t, &serviceprotocol.CloseConnection{ConnectionID: id})
			<-h.events
			<-h.events
		}
		log := a.log.String()
		for _, want := range []string{
			`msg="diagnostic client connects" hub=movehub connection_id=c1`,
			`msg="diagnostic client called" hub=movehub connection_id=c1 method=moveHub.Hi took=0s`,
			`msg="diagnostic client ended" hub=movehub connection_id=c1`,
		} {
			if !strings.Contains(log, want) {
				t.Errorf("the log lacks %s:\n%s", want, log)
			}
		}
		if strings.Count(log, "diagnostic client") != 3 {
			t.Error("a client that is none is logged as diagnostic")
		}
	})
}

func TestNegotiate(t *testing.T) {
	bubble(t, func(t *testing.T) {
		identity := appserver.Identity{
			UserID:             "ann",
			AuthenticationType: "Cookies",
			Claims: []appserver.Claim{
				{Type: microsoftClaims + "role", Value: "admin"}, {Type: "role", Value: "owner"},
				{Type: "sub", Value: "1"}, {Type: "sub", Value: "2"},
				{Type: "aud", Value: "x"}, {Type: "asrs.s.uid", Value: "forged"},
			},
		}
		a := startWith(t, newFakeService(t), appserver.Config{
			ApplicationName: "Shop",
			Identify:        func(*http.Request) (appserver.Identity, error) { return identity, nil },
			HubDefaults:     appserver.HubConfig{EnableDetailedErrors: true, HandshakeTimeout: 5 * time.Second},
		}, newEventHub())
		w := a.negotiate("/chat/negotiate?negotiateVersion=1&room=a%20b")
		if w.Code != 200 || w.Header().Get("Content-Type") != "application/json" {
			t.Fatalf("answer %d %s", w.Code, w.Header())
		}
		answer, err := negotiate.ParseAnswer(w.Body.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		const prefix = "http://service.test/client/?hub=shop_eventhub&asrs.op=%2Fchat&negotiateVersion=1&room=a%20b&asrs_request_id="
		if !strings.HasPrefix(answer.URL, prefix) {
			t.Errorf("url %s\nwant it to begin with %s", answer.URL, prefix)
		}
		if _, err := url.Parse(answer.URL); err != nil {
			t.Error(err)
		}
		token := checkToken(t, answer.AccessToken)
		want := []appserver.Claim{
			{Type: "asrs.s.uid", Value: "ann"}, {Type: "asrs.s.cht", Value: "5"}, {Type: "asrs.s.aut", Value: "Cookies"}, {Type: "asrs.s.derror", Value: "True"},
			{Type: "role", Value: "admin"}, {Type: "role", Value: "owner"}, {Type: "sub", Value: "1"}, {Type: "asrs.u.sub", Value: "2"},
			{Type: "asrs.u.aud", Value: "x"}, {Type: "asrs.u.asrs.s.uid", Value: "forged"},
		}
		if !slices.Equal(token.Claims, want) {
			t.Errorf("claims %v\nwant   %v", token.Claims, want)
		}
		if token.Audience != "http://service.test/client/?hub=shop_eventhub" {
			t.Errorf("audience %s", token.Audience)
		}
		if lifetime := time.Until(token.Expires); lifetime != time.Hour {
			t.Errorf("lifetime %v, want 1h", lifetime)
		}
	})
}

func TestNegotiateAnonymous(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := startWith(t, newFakeService(t), appserver.Config{ApplicationName: "Shop", TokenLifetime: time.Minute}, newEventHub())
		answer, err := negotiate.ParseAnswer(a.negotiate("/chat/negotiate").Body.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		token := checkToken(t, answer.AccessToken)
		if len(token.Claims) != 0 || time.Until(token.Expires) != time.Minute {
			t.Errorf("claims %v, lifetime %v; want none, 1m", token.Claims, time.Until(token.Expires))
		}
	})
}

func TestNegotiateRefusals(t *testing.T) {
	huge := appserver.Identity{Claims: []appserver.Claim{{Type: "x", Value: strings.Repeat("x", 5000)}}}
	tests := []struct {
		name, method, url string
		identity          appserver.Identity
		err               error
		code              int
		body              string
	}{
		{"other path", "POST", "/chat", appserver.Identity{}, nil, 404, "404 page not found"},
		{"other hub", "POST", "/nope/negotiate", appserver.Identity{}, nil, 404, "404 page not found"},
		{"no service in this process", "POST", "/client/negotiate", appserver.Identity{}, nil, 404, "404 page not found"},
		{"method", "GET", "/chat/negotiate", appserver.Identity{}, nil, 405, ""},
		{"refused", "POST", "/chat/negotiate", appserver.Identity{}, &appserver.HTTPError{Status: 401, Text: "who are you?"}, 401, "who are you?"},
		{"hook fails", "POST", "/chat/negotiate", appserver.Identity{}, errPlain, 500, "Internal Server Error"},
		{"token too long", "POST", "/chat/negotiate", huge, nil, 413, "AccessToken must not be longer than 4K."},
	}
	bubble(t, func(t *testing.T) {
		var identity appserver.Identity
		var refusal error
		a := startWith(t, newFakeService(t), appserver.Config{
			Identify: func(*http.Request) (appserver.Identity, error) { return identity, refusal },
		}, &echoHub{})
		for _, tt := range tests {
			identity, refusal = tt.identity, tt.err
			w := httptest.NewRecorder()
			a.ServeHTTP(w, httptest.NewRequest(tt.method, tt.url, nil))
			if body := strings.TrimSpace(w.Body.String()); w.Code != tt.code || body != tt.body {
				t.Errorf("%s: %d %q, want %d %q", tt.name, w.Code, body, tt.code, tt.body)
			}
		}
	})
}

// Trap T12: with a body, the client's error would not be "Unauthorized".
func TestTrapT12NegotiateRefusalWithoutBody(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := prepare(t, newFakeService(t), appserver.Config{
			Identify: func(*http.Request) (appserver.Identity, error) {
				return appserver.Identity{}, &appserver.HTTPError{Status: http.StatusUnauthorized}
			},
		}, &echoHub{})
		if w := a.negotiate("/chat/negotiate"); w.Code != 401 || w.Body.Len() != 0 {
			t.Errorf("%d %q, want 401 and no body", w.Code, w.Body)
		}
	})
}

func TestNegotiateWhileDisconnected(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := prepare(t, newFakeService(t), appserver.Config{}, &echoHub{})
		w := a.negotiate("/chat/negotiate")
		const want = "Azure SignalR Service is not connected yet, please try again later."
		if body := strings.TrimSpace(w.Body.String()); w.Code != 500 || body != want {
			t.Errorf("%d %q, want 500 %q", w.Code, body, want)
		}
	})
}

func TestHTTPErrorText(t *testing.T) {
	err := error(&appserver.HTTPError{Status: 403, Text: "no"})
	if got, want := err.Error(), "HTTP status 403: no"; got != want {
		t.Errorf("error %q, want %q", got, want)
	}
	if _, ok := errors.AsType[*appserver.HTTPError](err); !ok {
		t.Error("not an *HTTPError")
	}
}

package bearer_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"switchboard/accesstoken"
	"switchboard/internal/bearer"
)

func TestTokenIsFound(t *testing.T) {
	tests := []struct {
		name, authorization, query string
		header, either             string // FromHeader, FromHeaderOrQuery
	}{
		{"none", "", "", "", ""},
		{"header", "Bearer a.b.c", "", "a.b.c", "a.b.c"},
		{"scheme in any case, more space", "bEARER   a.b.c ", "", "a.b.c", "a.b.c"},
		{"query", "", "?access_token=a.b.c", "", "a.b.c"},
		{"query, escaped", "", "?x=1&access_token=a%2Bb", "", "a+b"},
		{"header before query", "Bearer header", "?access_token=query", "header", "header"},
		{"another scheme", "Basic a.b.c", "?access_token=query", "", "query"},
		{"scheme alone", "Bearer", "", "", ""},
		{"scheme without a token", "Bearer ", "", "", ""},
		{"token without a scheme", "a.b.c", "", "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequest("GET", "/client/"+tt.query, nil)
			if tt.authorization != "" {
				r.Header.Set("Authorization", tt.authorization)
			}
			if got := bearer.FromHeader(r); got != tt.header {
				t.Errorf("FromHeader = %q, want %q", got, tt.header)
			}
			if got := bearer.FromHeaderOrQuery(r, r.URL.Query()); got != tt.either {
				t.Errorf("FromHeaderOrQuery = %q, want %q", got, tt.either)
			}
		})
	}
}

// refusal returns why the service refuses a token.
func refusal(t *testing.T, token string) error {
	t.Helper()
	keys, err := accesstoken.NewKeys("a key of the service")
	if err != nil {
		t.Fatal(err)
	}
	_, err = keys.Check(token, time.Now(), accesstoken.Audience{Path: "/client", Hub: "chat"})
	if err == nil {
		t.Fatal("the token is not refused")
	}
	return err
}

func signed(t *testing.T, audience string) string {
	t.Helper()
	token, err := accesstoken.Sign("a key of the service", accesstoken.HS256, accesstoken.Token{Audience: audience, Expires: time.Now().Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func TestRefuse(t *testing.T) {
	tests := []struct {
		name   string
		err    error
		status int
		text   string // part of error_description
	}{
		{"no token", refusal(t, ""), http.StatusUnauthorized, "Access token refused: "},
		{"no JSON Web Token", refusal(t, "abc"), http.StatusUnauthorized, "it is not a JSON Web Token"},
		{"too long", refusal(t, strings.Repeat("x", 100_000)), http.StatusRequestEntityTooLarge, "Access token refused: "},
		{"another path", refusal(t, signed(t, "http://localhost/server/?hub=chat")), http.StatusUnauthorized, "Audience"},
		{"an error of another kind is not shown", errors.New("secret"), http.StatusUnauthorized, "The access token is refused."},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := httptest.NewRecorder()
			new(bearer.Refusals).Refuse(w, tt.err)
			if w.Code != tt.status {
				t.Errorf("status %d, want %d", w.Code, tt.status)
			}
			got := w.Header().Get("WWW-Authenticate")
			if !strings.HasPrefix(got, `Bearer error="invalid_token", error_description="`) || !strings.Contains(got, tt.text) {
				t.Errorf("WWW-Authenticate: %s, want a description with %q", got, tt.text)
			}
			if w.Body.Len() != 0 || w.Header().Get("Content-Type") != "text/plain" {
				t.Errorf("body %q of type %q, want an empty one of text/plain", w.Body, w.Header().Get("Content-Type"))
			}
		})
	}
}

// What a token says comes back in a header, so it must not end the quotes.
func TestDescriptionStaysInItsQuotes(t *testing.T) {
	w := httptest.NewRecorder()
	new(bearer.Refusals).Refuse(w, refusal(t, signed(t, "http://x/\"\\\r\nSet-Cookie: a=b\u00e9")))
	got := w.Header().Get("WWW-Authenticate")
	if strings.ContainsAny(got, "\\\r\n") || strings.Count(got, `"`) != 4 || strings.Contains(got, "\u00e9") {
		t.Errorf("WWW-Authenticate: %q holds characters that may not be quoted", got)
	}
}

func TestRefusalsAreCounted(t *testing.T) {
	var refusals bearer.Refusals
	if got := refusals.Counts(); len(got) != 0 {
		t.Errorf("counts = %v, want none", got)
	}
	for _, token := range []string{"abc", "def", strings.Repeat("x", 100_000)} {
		refusals.Refuse(httptest.NewRecorder(), refusal(t, token))
	}
	if got := refusals.Counts(); len(got) != 2 || got["malformed"] != 2 || got["too_long"] != 1 {
		t.Errorf("counts = %v, want malformed twice and too_long once", got)
	}
}

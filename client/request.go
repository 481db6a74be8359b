package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"switchboard/negotiate"
)

const (
	userAgent = "Switchboard.Client/0.1"

	// requestTimeout bounds a request, and an attempt to connect.
	//
	// Source: npm @microsoft/signalr HttpConnection.ts, timeout.
	requestTimeout = 100 * time.Second

	maxRedirects   = 100
	maxAnswerBytes = 1 << 20 // of a negotiate answer
	maxErrorBytes  = 512     // of a refusal that is shown
)

// A requester sends the requests of one attempt to connect, and of the connection
// that comes of it.
type requester struct {
	config   *Config
	redirect bool // the token is that of a redirect, which the user cannot renew; fixed once negotiated

	mu    sync.Mutex
	token string // guarded by mu
}

func (r *requester) setToken(token string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.token = token
}

func (r *requester) renewToken(ctx context.Context) error {
	if r.config.Token == nil || r.redirect {
		return nil
	}
	token, err := r.config.Token(ctx)
	if err != nil {
		return fmt.Errorf("get access token: %w", err)
	}
	r.setToken(token)
	return nil
}

// header is that of every request.
func (r *requester) header() http.Header {
	h := http.Header{"User-Agent": {userAgent}, "X-Requested-With": {"XMLHttpRequest"}}
	r.mu.Lock()
	if r.token != "" {
		h.Set("Authorization", "Bearer "+r.token)
	}
	r.mu.Unlock()
	for name, values := range r.config.Header {
		h[http.CanonicalHeaderKey(name)] = values
	}
	return h
}

// do sends a request, and once more with a new token when the answer is 401. An answer
// that is not good is an *HTTPError. The caller closes the body.
func (r *requester) do(ctx context.Context, method string, u *url.URL, header http.Header, body []byte, good ...int) (*http.Response, error) {
	for again := true; ; again = false {
		answer, err := r.once(ctx, method, u, header, body)
		if err != nil {
			return nil, err
		}
		for _, status := range good {
			if answer.StatusCode == status {
				return answer, nil
			}
		}
		err = httpError(answer)
		if !again || answer.StatusCode != http.StatusUnauthorized || r.config.Token == nil || r.redirect {
			return nil, err
		}
		if err := r.renewToken(ctx); err != nil {
			return nil, err
		}
	}
}

func (r *requester) once(ctx context.Context, method string, u *url.URL, header http.Header, body []byte) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, method, u.String(), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header = r.header()
	for name, values := range header {
		request.Header[name] = values
	}
	answer, err := r.config.HTTPClient.Do(request)
	if failure, ok := errors.AsType[*url.Error](err); ok {
		return nil, fmt.Errorf("%s: %w", method, failure.Err) // without the URL, which has secrets
	}
	return answer, err
}

func httpError(answer *http.Response) error {
	defer answer.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(answer.Body, maxErrorBytes))
	e := &HTTPError{Status: answer.StatusCode, Text: strings.TrimSpace(string(text))}
	if e.Text == "" {
		e.Text = http.StatusText(e.Status)
	}
	return e
}

// negotiate follows redirects until a server takes the client in, and returns its
// answer and URL.
func (r *requester) negotiate(ctx context.Context, u *url.URL) (*negotiate.Response, *url.URL, error) {
	if err := r.renewToken(ctx); err != nil {
		return nil, nil, err
	}
	for range maxRedirects {
		answer, err := r.negotiateOnce(ctx, u)
		switch {
		case err != nil:
			return nil, nil, err
		case answer.Error != "":
			return nil, nil, &NegotiateError{answer.Error}
		case answer.URL == "":
			return answer, u, nil
		}
		if u, err = parseURL(answer.URL); err != nil {
			return nil, nil, fmt.Errorf("follow redirect: %w", err)
		}
		if answer.AccessToken != "" {
			r.redirect = true
			r.setToken(answer.AccessToken)
		}
	}
	return nil, nil, errTooManyRedirects
}

//lint:ignore ST1005 the text is that of the official clients
var errTooManyRedirects = errors.New("Negotiate redirection limit exceeded.")

func (r *requester) negotiateOnce(ctx context.Context, u *url.URL) (*negotiate.Response, error) {
	at := *u
	at.Path, at.RawPath = negotiate.Path(u.Path), ""
	query := u.RawQuery
	if !u.Query().Has("negotiateVersion") {
		query = withParameter(query, "negotiateVersion", "1")
	}
	if r.config.StatefulReconnect && !u.Query().Has("useStatefulReconnect") {
		query = withParameter(query, "useStatefulReconnect", "true")
	}
	at.RawQuery = query
	answer, err := r.do(ctx, http.MethodPost, &at, nil, nil, http.StatusOK)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswerBytes))
	if err != nil {
		return nil, err
	}
	return negotiate.ParseAnswer(body)
}

// withParameter keeps the query as it stands, which the server may have signed.
func withParameter(query, name, value string) string {
	if query != "" {
		query += "&"
	}
	return query + name + "=" + url.QueryEscape(value)
}

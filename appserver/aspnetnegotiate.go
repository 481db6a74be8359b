package appserver

import (
	"encoding/base64"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"switchboard/accesstoken"
	"switchboard/aspnetprotocol"
)

// serveHTTP answers what is below the path of the application: negotiate, wherever the client puts it,
// and the script with the hubs' proxies. It is false for any other path.
//
// Source: azure-signalr AspNet/Middleware/NegotiateMiddleware.cs.
func (app *application) serveHTTP(w http.ResponseWriter, r *http.Request) bool {
	if !strings.HasPrefix(r.URL.Path, app.path+"/") {
		return false
	}
	path := strings.ToLower(r.URL.Path)
	script := strings.TrimRight(path, "/")
	switch {
	case strings.HasSuffix(path, "/negotiate"):
		app.negotiate(w, r)
	case strings.HasSuffix(script, "/hubs"), strings.HasSuffix(script, "/js"):
		app.serveScript(w, r)
	default:
		answer(w, http.StatusNotFound, "NotFound")
	}
	return true
}

// negotiate sends the client to the service.
func (app *application) negotiate(w http.ResponseWriter, r *http.Request) {
	if r.URL.Query().Has("callback") {
		answer(w, http.StatusBadRequest, "JSONP is no longer supported.")
		return
	}
	identity, err := app.app.config.Identify(r)
	if err != nil {
		app.refuse(w, err)
		return
	}
	hubs, err := app.listened(r.URL.Query().Get("connectionData"))
	if err != nil {
		app.log.Info("client refused", "error", err)
		answer(w, http.StatusInternalServerError, "")
		return
	}
	for _, h := range hubs {
		if err := h.authorize(r, identity); err != nil {
			app.refuse(w, err)
			return
		}
	}
	to, err := app.negotiateEndpoint(r)
	if err != nil {
		app.refuse(w, err)
		return
	}
	token, err := app.clientToken(to.endpoint.address.Load(), r, identity, hubs)
	if err != nil {
		app.refuse(w, err)
		return
	}
	id := randomBytes()
	path := strings.TrimRight(r.URL.Path[:strings.LastIndexByte(r.URL.Path, '/')], "/")
	url := to.endpoint.aspNetBase(r) + aspnetprotocol.RedirectQuery(path, r.URL.RawQuery, base64.RawURLEncoding.EncodeToString(id[:8]))
	body := aspnetprotocol.AppendRedirect(nil, url, token)
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = w.Write(body)
}

// aspNetBase returns where clients of ASP.NET SignalR find the service. One in this process is
// reached on the address that the client has just used.
func (e *endpoint) aspNetBase(r *http.Request) string {
	if e.embedded == nil {
		return e.address.Load().AspNetClientURL()
	}
	return requestBase(r) + "/aspnetclient"
}

func (app *application) refuse(w http.ResponseWriter, err error) {
	refusal, ok := errors.AsType[*HTTPError](err)
	switch {
	case ok:
		answer(w, refusal.Status, refusal.Text)
	case errors.Is(err, accesstoken.ErrTooLong):
		answer(w, http.StatusRequestEntityTooLarge, err.Error())
	default:
		app.log.Error("negotiate failed", "error", err)
		answer(w, http.StatusInternalServerError, http.StatusText(http.StatusInternalServerError))
	}
}

// clientToken returns the token that the client shows to the service. It tells which of the hubs
// that do not let everybody in the client may use, and whether all that it listens to let it see details.
func (app *application) clientToken(service *accesstoken.Endpoint, r *http.Request, identity Identity, listened []*hub) (string, error) {
	c := &app.app.config
	claims := []Claim{{Type: accesstoken.ClaimApplication, Value: c.ApplicationName}, {Type: accesstoken.ClaimVersion, Value: "1.0.0.0"}}
	add := func(name, value string) { claims = append(claims, Claim{Type: name, Value: value}) }
	claims = append(claims, app.app.ownClaims(identity, len(app.endpoints()), 0)...)
	var guarded bool
	var open []string
	secretive := slices.ContainsFunc(listened, func(h *hub) bool { return !h.config.EnableDetailedErrors })
	for _, h := range app.sorted() {
		if f := h.config.DiagnosticClientFilter; f != nil && f(r) {
			add(accesstoken.ClaimDiagnostic, "true")
		}
		if h.config.LongPollWait > 0 {
			add(accesstoken.ClaimPollWait, strconv.Itoa(int(h.config.LongPollWait/time.Second)))
		}
		guarded = guarded || h.config.Authorize != nil
		if h.authorize(r, identity) == nil {
			open = append(open, h.config.Name)
		}
	}
	if len(listened) > 0 && !secretive {
		add(accesstoken.ClaimDetailedErrors, "True")
	}
	if guarded {
		add(accesstoken.ClaimAspNetHubs, strings.Join(open, " "))
	}
	now := time.Now()
	return accesstoken.Sign(service.AccessKey, c.TokenAlgorithm, accesstoken.Token{
		Audience:  service.AspNetClientAudience(),
		IssuedAt:  now,
		NotBefore: now,
		Expires:   now.Add(c.TokenLifetime),
		Claims:    append(claims, escapedClaims(identity.Claims)...),
	})
}

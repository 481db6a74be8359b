package appserver

import (
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"switchboard/accesstoken"
	"switchboard/negotiate"
)

// Query parameters that negotiate adds for the service and for the hub.
const (
	parameterPath      = "asrs.op"         // the hub's path on the app
	parameterRequestID = "asrs_request_id" // ties log lines together
)

// negotiate sends the client to the service.
//
// Source: azure-signalr NegotiateHandler.cs, ServiceRouteHelper.cs.
func (h *hub) negotiate(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		w.Header().Set("Content-Type", "text/plain")
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	identity, err := h.app.config.Identify(r)
	if err != nil {
		h.refuse(w, err)
		return
	}
	if err := h.authorize(r, identity); err != nil {
		h.refuse(w, err)
		return
	}
	to, err := h.negotiateEndpoint(r)
	if err != nil {
		h.refuse(w, err)
		return
	}
	token, err := h.clientToken(to.endpoint.address.Load(), r, identity)
	if err != nil {
		h.refuse(w, err)
		return
	}
	// Not json.Marshal, which would escape the & of the URL once more.
	body, err := negotiate.Redirect{URL: h.clientURL(to, r), AccessToken: token}.MarshalJSON()
	if err != nil {
		h.refuse(w, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = w.Write(body)
}

// authorize gives an error of the hub's rule a status.
func (h *hub) authorize(r *http.Request, identity Identity) error {
	if h.config.Authorize == nil {
		return nil
	}
	err := h.config.Authorize(r, identity)
	if _, ok := errors.AsType[*HTTPError](err); err == nil || ok {
		return err
	}
	h.log.Info("client not authorized", "error", err)
	return &HTTPError{Status: http.StatusForbidden}
}

func (h *hub) refuse(w http.ResponseWriter, err error) {
	if refusal, ok := errors.AsType[*HTTPError](err); ok {
		answer(w, refusal.Status, refusal.Text)
		return
	}
	if errors.Is(err, accesstoken.ErrTooLong) {
		answer(w, http.StatusRequestEntityTooLarge, err.Error())
		return
	}
	h.log.Error("negotiate failed", "error", err)
	answer(w, http.StatusInternalServerError, http.StatusText(http.StatusInternalServerError))
}

// answer refuses a client with exactly this text, which JavaScript clients show:
// http.Error would add a line end.
func answer(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text)
}

// clientURL returns where the client shall go: the service, with the hub's path
// and the client's own query, which the hub gets to see again.
func (h *hub) clientURL(e *HubEndpoint, r *http.Request) string {
	var b strings.Builder
	b.WriteString(e.endpoint.clientBase(r, h.name))
	if path := h.path; path != "" {
		b.WriteString("&" + parameterPath + "=" + url.QueryEscape(path))
	}
	if r.URL.RawQuery != "" {
		b.WriteString("&" + r.URL.RawQuery)
	}
	id := randomBytes()
	b.WriteString("&" + parameterRequestID + "=" + base64.RawURLEncoding.EncodeToString(id[:8]))
	return b.String()
}

// clientBase returns the hub's URL at the service. A service in this process is
// reached on the address that the client has just used.
func (e *endpoint) clientBase(r *http.Request, hub string) string {
	target := e.address.Load().ClientURL(hub)
	if e.embedded == nil {
		return target
	}
	_, query, _ := strings.Cut(target, "?")
	return requestBase(r) + "/client/?" + query
}

// requestBase returns the address that a client has used.
func requestBase(r *http.Request) string {
	if r.TLS != nil {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}

// clientToken returns the token that the client shows to the service. The claims
// that are for the service come first.
//
// Source: azure-signalr ClaimsUtility.cs, BuildJwtClaims.
func (h *hub) clientToken(service *accesstoken.Endpoint, r *http.Request, identity Identity) (string, error) {
	var claims []Claim
	add := func(name, value string) { claims = append(claims, Claim{Type: name, Value: value}) }
	claims = append(claims, h.app.ownClaims(identity, len(h.endpoints()), h.config.HandshakeTimeout)...)
	if t := h.transports(r); t != negotiate.All {
		add(accesstoken.ClaimTransports, strconv.Itoa(int(t)))
	}
	if f := h.config.DiagnosticClientFilter; f != nil && f(r) {
		add(accesstoken.ClaimDiagnostic, "true")
	}
	if h.config.LongPollWait > 0 {
		add(accesstoken.ClaimPollWait, strconv.Itoa(int(h.config.LongPollWait/time.Second)))
	}
	if h.config.CloseOnAuthenticationExpiration && !identity.Expires.IsZero() {
		add(accesstoken.ClaimCloseOnExpiry, "true")
		add(accesstoken.ClaimExpiry, strconv.FormatInt(identity.Expires.Unix(), 10))
	}
	if h.config.EnableDetailedErrors {
		add(accesstoken.ClaimDetailedErrors, "True")
	}
	now := time.Now()
	return accesstoken.Sign(service.AccessKey, h.app.config.TokenAlgorithm, accesstoken.Token{
		Audience:  service.ClientAudience(h.name),
		IssuedAt:  now,
		NotBefore: now,
		Expires:   now.Add(h.app.config.TokenLifetime),
		Claims:    append(claims, escapedClaims(identity.Claims)...),
	})
}

// ownClaims returns the claims for the service that the tokens of both generations have.
func (a *App) ownClaims(identity Identity, endpoints int, handshake time.Duration) (claims []Claim) {
	add := func(name, value string) { claims = append(claims, Claim{Type: name, Value: value}) }
	if identity.UserID != "" {
		add(accesstoken.ClaimUserID, identity.UserID)
	}
	if a.config.Sticky != StickyDisabled {
		add(accesstoken.ClaimServerName, a.config.ServerID)
		add(accesstoken.ClaimSticky, string(a.config.Sticky))
	}
	if s := int(handshake / time.Second); s != 15 && s >= 1 && s <= 30 {
		add(accesstoken.ClaimHandshakeWait, strconv.Itoa(s))
	}
	if t := identity.AuthenticationType; t != "" && t != "Bearer" {
		add(accesstoken.ClaimAuthentication, t)
	}
	if endpoints > 1 {
		add(accesstoken.ClaimEndpointCount, strconv.Itoa(endpoints))
	}
	return claims
}

// transports returns those that the client may use.
func (h *hub) transports(r *http.Request) negotiate.Transport {
	if f := h.config.TransportDetector; f != nil {
		if some := f(r) & h.config.Transports; some != 0 {
			return some
		}
	}
	return h.config.Transports
}

// escapedClaims gives a prefix to claims of the user that the token itself, or
// the service, would otherwise take for its own. The hub sees them without it.
func escapedClaims(all []Claim) []Claim {
	var claims []Claim
	subjects := 0
	for _, c := range all {
		name := accesstoken.ShortName(c.Type)
		if name == "sub" {
			subjects++
		}
		if ofToken(name) || strings.HasPrefix(name, "asrs.") || name == "sub" && subjects > 1 {
			name = accesstoken.UserPrefix + name
		}
		claims = append(claims, Claim{Type: name, Value: c.Value})
	}
	return claims
}

func ofToken(name string) bool {
	switch name {
	case "aud", "exp", "iat", "nbf", "iss", "actort", "acr", "azp", "c_hash", "jti", "nonce":
		return true
	}
	return false
}

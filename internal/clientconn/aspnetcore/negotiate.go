package aspnetcore

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"switchboard/internal/clientconn"
	"switchboard/internal/clientconn/requests"
	"switchboard/negotiate"
)

// negotiate answers with a new connection id, and the token that opens it.
func (h *Handler) negotiate(w http.ResponseWriter, r *http.Request, query url.Values) {
	token, hub := h.admit(w, r, query)
	if hub == nil {
		return
	}
	version, err := negotiate.ParseVersion(query)
	if refusal, ok := errors.AsType[*negotiate.VersionError](err); ok {
		writeJSON(w, negotiate.Refusal{Error: refusal.Reason}) // with status 200, as clients expect
		return
	}
	resumes := negotiate.WantsStatefulReconnect(query) && version > 0 && allowed(token)&negotiate.WebSockets != 0 && hub.AllowsResume()
	e := &entry{hub: hub.Name(), resumes: resumes, traced: requests.Diagnostic(token)}
	if err := h.table.negotiate(e, version, time.Now()); err != nil {
		h.refuseConnection(w, err)
		return
	}
	writeJSON(w, negotiate.Answer{Version: version, ConnectionID: e.id, ConnectionToken: e.token, Transports: allowed(token), UseStatefulReconnect: resumes})
}

// writeJSON calls MarshalJSON itself, since json.Marshal would escape what it returns.
func writeJSON(w http.ResponseWriter, answer json.Marshaler) {
	body, err := answer.MarshalJSON()
	if err != nil {
		http.Error(w, "The answer could not be written.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = w.Write(body)
}

// refuseConnection answers a request for a connection that cannot be had.
func (h *Handler) refuseConnection(w http.ResponseWriter, err error) {
	switch {
	case errors.Is(err, errUnknown):
		requests.Refuse(w, http.StatusNotFound, "No Connection with that ID")
	case errors.Is(err, errTransport):
		requests.Refuse(w, http.StatusBadRequest, err.Error())
	case errors.Is(err, errBusy):
		w.WriteHeader(http.StatusConflict)
	case errors.Is(err, clientconn.ErrNoPlace):
		requests.Refuse(w, http.StatusTooManyRequests, err.Error())
	default:
		w.Header().Set("Retry-After", "1")
		requests.Refuse(w, http.StatusServiceUnavailable, "Service reloading, please reconnect.")
	}
}

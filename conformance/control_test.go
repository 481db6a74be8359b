package conformance_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"switchboard/accesstoken"
	"switchboard/appserver"
)

// handler serves the hubs and what the cases order.
func (a *app) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/", a.serveHubs)
	mux.HandleFunc("POST /control/restart", answer(func(*http.Request) (any, error) { return done, a.restart() }))
	mux.HandleFunc("POST /control/cut", answer(func(*http.Request) (any, error) { a.links.cut(); return done, nil }))
	mux.HandleFunc("POST /control/broadcast", answer(a.broadcast))
	mux.HandleFunc("POST /control/ask/{id}", answer(a.ask))
	mux.HandleFunc("POST /control/token", answer(a.directAccess))
	mux.HandleFunc("GET /control/disconnected/{id}", answer(a.endings.disconnected))
	return shared(mux)
}

// shared lets pages of every origin in, with their cookies.
func shared(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if origin := r.Header.Get("Origin"); origin != "" {
			w.Header().Set("Access-Control-Allow-Origin", origin)
			w.Header().Set("Access-Control-Allow-Credentials", "true")
			w.Header().Set("Access-Control-Allow-Headers", r.Header.Get("Access-Control-Request-Headers"))
		}
		if r.Method != http.MethodOptions {
			next.ServeHTTP(w, r)
		}
	})
}

// serveHubs gives every client a cookie, as a load balancer would.
func (a *app) serveHubs(w http.ResponseWriter, r *http.Request) {
	i := a.running()
	if i == nil {
		http.Error(w, "restarting", http.StatusServiceUnavailable)
		return
	}
	http.SetCookie(w, &http.Cookie{Name: "affinity", Value: "conformance", Path: "/"})
	i.ServeHTTP(w, r)
}

// done is the answer of what has nothing to tell.
var done = struct{}{}

// answer makes a handler that writes JSON.
func answer(f func(r *http.Request) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		value, err := f(r)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		_ = json.NewEncoder(w).Encode(value) // the client may be gone
	}
}

// broadcast sends to everybody from outside of a call.
func (a *app) broadcast(r *http.Request) (any, error) {
	return done, a.running().hub.Clients().All().Send(r.Context(), "Receive", r.FormValue("text"))
}

// ask wants a result of a client from outside of a call.
func (a *app) ask(r *http.Request) (any, error) {
	client := a.running().hub.Clients().Client(r.PathValue("id"))
	text, err := appserver.Invoke[string](r.Context(), client, "Ask", "outside")
	return map[string]string{"answer": text}, err
}

// directAccess tells how a client gets to the service without the app server.
func (a *app) directAccess(r *http.Request) (any, error) {
	hub, err := accesstoken.HubName(a.name, cmp.Or(r.FormValue("hub"), "hub"))
	if err != nil {
		return nil, err
	}
	token, err := a.service.token(hub, r.FormValue("user"))
	return map[string]string{"url": a.service.clientURL(hub), "token": token}, err
}

// disconnected waits for OnDisconnected of a client.
func (e *endings) disconnected(r *http.Request) (any, error) {
	o := e.of(r.PathValue("id"))
	select {
	case <-o.told:
	case <-time.After(wait):
		return nil, fmt.Errorf("OnDisconnected was not called within %v", wait)
	}
	text := ""
	if o.err != nil {
		text = o.err.Error()
	}
	return map[string]string{"error": text}, nil
}

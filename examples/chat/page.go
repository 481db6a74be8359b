package main

import (
	"embed"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
)

//go:embed web
var web embed.FS

// signalr is the official browser client, as npm installs it.
const signalr = "node_modules/@microsoft/signalr/dist/browser/signalr.min.js"

// page returns what serves the page and the official client for it.
func page() (http.Handler, error) {
	client, err := signalrFile()
	if err != nil {
		return nil, err
	}
	files, err := fs.Sub(web, "web")
	if err != nil {
		return nil, err
	}
	routes := http.NewServeMux()
	routes.Handle("/", http.FileServerFS(files))
	routes.HandleFunc("/signalr.min.js", func(w http.ResponseWriter, r *http.Request) {
		http.ServeFile(w, r, client)
	})
	return guarded(routes), nil
}

// signalrFile finds the client from the root of the tree and from this folder.
func signalrFile() (string, error) {
	for _, folder := range []string{"examples/chat", "."} {
		file := filepath.Join(folder, signalr)
		if _, err := os.Stat(file); err == nil {
			return file, nil
		}
	}
	return "", errors.New("the SignalR client for the page is missing: run \"npm ci\" in examples/chat, " +
		"or \"make chat\", which does it, from the root of the tree")
}

// guarded lets the page run its own scripts only, and connect anywhere, since
// the service may be anywhere.
func guarded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", "default-src 'self'; connect-src *; frame-ancestors 'none'")
		w.Header().Set("Cache-Control", "no-cache")
		next.ServeHTTP(w, r)
	})
}

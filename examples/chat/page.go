package main

import (
	"embed"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
)

//go:embed web
var web embed.FS

// scripts are the official browser clients, and what the classic one needs, as npm installs them.
var scripts = map[string]string{
	"/signalr.min.js":        "@microsoft/signalr/dist/browser/signalr.min.js",
	"/jquery.min.js":         "jquery/dist/jquery.min.js",
	"/jquery.signalR.min.js": "signalr/jquery.signalR.min.js",
}

// page returns what serves the page and the official clients for it: / with the client of
// ASP.NET Core SignalR, /classic with that of ASP.NET SignalR.
func page() (http.Handler, error) {
	modules, err := modulesFolder()
	if err != nil {
		return nil, err
	}
	files, err := fs.Sub(web, "web")
	if err != nil {
		return nil, err
	}
	routes := http.NewServeMux()
	routes.Handle("/", http.FileServerFS(files))
	for path, file := range scripts {
		routes.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			http.ServeFile(w, r, filepath.Join(modules, file))
		})
	}
	index, err := fs.ReadFile(files, "index.html")
	if err != nil {
		return nil, err
	}
	modern := pageWith(index, "/classic", "Use the client of ASP.NET SignalR", "signalr.min.js")
	routes.HandleFunc("/{$}", modern)
	routes.HandleFunc("/classic", pageWith(index, "/", "Use the client of ASP.NET Core SignalR", "jquery.min.js", "jquery.signalR.min.js"))
	return guarded(routes), nil
}

// pageWith returns the page with the scripts of a client, and a link to the page with the other one.
func pageWith(index []byte, other, text string, scripts ...string) http.HandlerFunc {
	var elements strings.Builder
	for _, script := range scripts {
		elements.WriteString(`<script src="` + script + `" defer></script>` + "\n  ")
	}
	page := strings.Replace(string(index), "<!-- client -->\n  ", elements.String(), 1)
	page = strings.Replace(page, `<p class="other"></p>`, `<p class="other"><a href="`+other+`">`+text+`</a></p>`, 1)
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write([]byte(page))
	}
}

// modulesFolder finds the packages from the root of the tree and from this folder.
func modulesFolder() (string, error) {
next:
	for _, folder := range []string{"examples/chat/node_modules", "node_modules"} {
		for _, file := range scripts {
			if _, err := os.Stat(filepath.Join(folder, file)); err != nil {
				continue next
			}
		}
		return folder, nil
	}
	return "", errors.New("the SignalR clients for the page are missing: run \"npm ci\" in examples/chat, " +
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

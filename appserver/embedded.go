package appserver

import (
	"context"
	"net"
	"net/http"
	"strings"
	"time"

	"switchboard/internal/memnet"
)

// embedded is the way to a service in this process: the same requests as to one
// elsewhere, over a network that is memory.
type embedded struct {
	listener *memnet.Listener
	server   *http.Server
	client   *http.Client
}

func newEmbedded(handler http.Handler) *embedded {
	listener := memnet.Listen()
	return &embedded{
		listener: listener,
		server:   &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second},
		client: &http.Client{Transport: &http.Transport{
			DialContext: listener.DialContext,
			// An https endpoint is for clients; in here there is nobody to hide from.
			DialTLSContext: func(ctx context.Context, network, address string) (net.Conn, error) {
				return listener.DialContext(ctx, network, address)
			},
			DisableKeepAlives: true, // every request becomes a WebSocket
		}},
	}
}

// serve returns once close was called.
func (e *embedded) serve() { _ = e.server.Serve(e.listener) }

func (e *embedded) close() {
	_ = e.server.Close()
	_ = e.listener.Close()
}

// isClientPath tells whether a request is for the service in this process.
func isClientPath(path string) bool {
	return path == "/client" || strings.HasPrefix(path, "/client/") || path == "/aspnetclient" || strings.HasPrefix(path, "/aspnetclient/")
}

// Package gwsserver is a WebSocket server made with the library gws: a goroutine
// for each connection, and its own way to broadcast. It knows no SignalR: each
// frame goes back as it is.
package gwsserver

import (
	"fmt"
	"net"
	"sync"

	"github.com/lxzan/gws"
)

// A Server sends each frame back, to the one who sent it or to everybody.
type Server struct {
	gws.BuiltinEventHandler
	broadcast bool

	mu   sync.RWMutex
	open map[*gws.Conn]struct{} // guarded by mu
}

// Listen opens a port of 127.0.0.1 and serves it until the process ends.
func Listen(broadcast bool) (port int, err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("open port: %w", err)
	}
	s := &Server{broadcast: broadcast, open: map[*gws.Conn]struct{}{}}
	go gws.NewServer(s, nil).RunListener(l) // it has no end
	return l.Addr().(*net.TCPAddr).Port, nil
}

// OnOpen is called when a client has connected.
func (s *Server) OnOpen(c *gws.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open[c] = struct{}{}
}

// OnClose is called when a connection has ended.
func (s *Server) OnClose(c *gws.Conn, _ error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, c)
}

// OnMessage is called for each message. A connection that fails is reported to
// OnClose, so that errors are of no interest here.
func (s *Server) OnMessage(c *gws.Conn, m *gws.Message) {
	defer m.Close()
	if !s.broadcast {
		_ = c.WriteMessage(m.Opcode, m.Bytes())
		return
	}
	b := gws.NewBroadcaster(m.Opcode, m.Bytes())
	defer b.Close()
	s.mu.RLock()
	defer s.mu.RUnlock()
	for to := range s.open {
		_ = b.Broadcast(to)
	}
}

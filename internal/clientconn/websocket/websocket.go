// Package websocket carries client connections over WebSockets. Two engines do
// the same: on Linux the sockets of TCP connections are served by event loops,
// and with TLS on top if it stands on a Listener; all other connections are
// served by a goroutine each.
package websocket

import (
	"net"
	"net/http"
	"sync/atomic"

	"switchboard/internal/clientconn"
	"switchboard/internal/eventloop"
	"switchboard/internal/pairing"
	"switchboard/internal/wsdeflate"
	"switchboard/internal/wsframe"
)

// A Server makes WebSockets of HTTP requests.
type Server struct {
	// Loops serve the sockets; nil has a goroutine serve each.
	Loops *eventloop.Loops
	// DeflateFrom is the size in bytes from which messages are compressed for a client
	// that offers permessage-deflate; 0: that is not agreed on.
	DeflateFrom int

	deflatedFrom, deflatedTo atomic.Int64 // bytes
}

// Deflated returns how many bytes of messages were sent compressed since the start, and
// how many they were then. What went to several clients counts for each.
func (s *Server) Deflated() (from, to int64) { return s.deflatedFrom.Load(), s.deflatedTo.Load() }

// A Conn is the client connection that a WebSocket carries. Receive is called by one
// goroutine at a time, and so is Take.
type Conn interface {
	// Receive takes a piece of a message, at least one for each, as the network cut it;
	// fin marks the last one. It may change p, and p may be changed once it returns. It
	// returns a *wsframe.ProtocolError when the WebSocket shall end, with that code;
	// other errors mean that the connection closes, which it tells by Wake.
	Receive(p []byte, text, fin bool) error
	// Congested tells whether nothing should be read at present; r is resumed after that.
	Congested(r pairing.Resumer) bool
	// Take hands over what waits for the client: about max bytes.
	Take(buffer []*pairing.Shared, max int) clientconn.Out
	// Close ends the connection after what is queued.
	Close(reason *pairing.Reason, detail string)
	// Closing tells whether the connection has been closed, by either side.
	Closing() bool
	// Leave is called when the WebSocket is woken and cannot send.
	Leave()
	// Lost is called when the WebSocket has failed, before it is finished.
	Lost(reason *pairing.Reason)
	// Finish is called once, when the WebSocket has ended.
	Finish(reason *pairing.Reason)
	Limits() *clientconn.Limits
}

// A carrier is the transport of one connection, by one engine or the other.
type carrier interface {
	clientconn.Transport
	// start serves conn, whose client has sent early already.
	start(conn net.Conn, early []byte) error
	core() *core
}

// Serve upgrades a request and carries the connection that open returns for the
// transport. An error of open has been answered by it; so are requests that are
// not for a WebSocket. Serve may return long before the connection has ended.
func (s *Server) Serve(w http.ResponseWriter, r *http.Request, open func(clientconn.Transport) (Conn, error)) {
	extension := ""
	if s.DeflateFrom > 0 && wsdeflate.Offered(r.Header["Sec-Websocket-Extensions"]) {
		extension = wsdeflate.Answer
	}
	answer, err := wsframe.Accept(r, extension)
	if refusal, ok := err.(*wsframe.UpgradeError); ok {
		refuse(w, refusal)
		return
	}
	carrier := s.carrier(r)
	conn, err := open(carrier)
	if err != nil {
		return
	}
	c := carrier.core()
	c.conn = conn
	if extension != "" {
		c.deflate = &deflate{server: s}
		c.frames.Options |= wsframe.MayCompress
	}
	if err := upgrade(w, carrier, answer); err != nil {
		c.conn.Finish(pairing.TransportLost)
	}
}

// carrier chooses the engine. Whether a socket can be had shows only when the
// connection is taken over, so the choice is by what the request came over.
func (s *Server) carrier(r *http.Request) carrier {
	if s.Loops != nil && servable(r) {
		return newLooped(s.Loops.Next())
	}
	return newThreaded()
}

// servable tells whether a loop can serve what the request came over, by its
// address: a TCP socket, below TLS only if it is a line.
func servable(r *http.Request) bool {
	switch r.Context().Value(http.LocalAddrContextKey).(type) {
	case lineAddr:
		return true
	case *net.TCPAddr:
		return r.TLS == nil
	}
	return false
}

func refuse(w http.ResponseWriter, refusal *wsframe.UpgradeError) {
	for name, values := range refusal.Header {
		w.Header()[name] = values
	}
	http.Error(w, refusal.Reason, refusal.Status)
}

// upgrade takes the connection out of the HTTP server, answers, and starts.
func upgrade(w http.ResponseWriter, c carrier, answer []byte) error {
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		http.Error(w, "This connection cannot become a WebSocket.", http.StatusInternalServerError)
		return err
	}
	early, err := buffered.Reader.Peek(buffered.Reader.Buffered())
	if err == nil {
		_, err = conn.Write(answer)
	}
	if err == nil {
		err = c.start(conn, early)
	}
	if err != nil {
		_ = conn.Close()
	}
	return err
}

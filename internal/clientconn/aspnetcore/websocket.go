package aspnetcore

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/coder/websocket"

	"switchboard/internal/clientconn"
	"switchboard/internal/pairing"
)

const (
	readBuffer  = 16 << 10 // borrowed while a message comes in
	joinedBytes = 16 << 10 // messages are joined into WebSocket messages of about this size
)

var readBuffers = sync.Pool{New: func() any { return new([readBuffer]byte) }}

func isWebSocket(r *http.Request) bool {
	return strings.EqualFold(r.Header.Get("Upgrade"), "websocket")
}

// serveWebSocket carries a connection over a WebSocket until either side ends it.
func serveWebSocket(w http.ResponseWriter, r *http.Request, conn *clientconn.Conn) {
	ws, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true}) // the token, not the origin, decides
	if err != nil {
		conn.Finish(pairing.TransportLost)
		return
	}
	defer ws.CloseNow()
	ws.SetReadLimit(-1) // the connection's limits hold; a message is never held whole

	var writer sync.WaitGroup
	writer.Go(func() { writeWebSocket(ws, conn) })
	reason := readWebSocket(ws, conn)
	conn.Close(reason, "")
	writer.Wait()
	conn.Finish(reason)
}

// readWebSocket passes bytes on as they come, whatever the frames, and returns
// how the client ended.
func readWebSocket(ws *websocket.Conn, conn *clientconn.Conn) *pairing.Reason {
	for {
		_, message, err := ws.Reader(conn.Context())
		if err != nil {
			return readReason(err)
		}
		if err := receive(message, conn); err != nil {
			return readReason(err)
		}
	}
}

func receive(message io.Reader, conn *clientconn.Conn) error {
	buffer := readBuffers.Get().(*[readBuffer]byte)
	defer readBuffers.Put(buffer)
	for {
		n, err := message.Read(buffer[:])
		if n > 0 {
			if err := conn.Receive(buffer[:n]); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// readReason tells a client that left in good order. Browsers close without a
// status or with 1001 when the page goes away.
func readReason(err error) *pairing.Reason {
	switch websocket.CloseStatus(err) {
	case websocket.StatusNormalClosure, websocket.StatusGoingAway, websocket.StatusNoStatusRcvd:
		return pairing.ClosedByClient
	}
	return pairing.TransportLost
}

// writeWebSocket sends what is queued until the queue ends, then closes with 1000.
func writeWebSocket(ws *websocket.Conn, conn *clientconn.Conn) {
	var scratch []byte
	for {
		batch, err := conn.Next(conn.Context())
		if errors.Is(err, io.EOF) {
			_ = ws.Close(websocket.StatusNormalClosure, "")
			return
		}
		if err == nil {
			scratch, err = writeBatch(ws, conn, batch, scratch)
		}
		if err != nil {
			reason := pairing.TransportLost
			if errors.Is(err, context.DeadlineExceeded) {
				reason = pairing.SlowClient
			}
			conn.Close(reason, "")
			return
		}
	}
}

// writeBatch joins messages so that a burst costs few writes. A hub message
// never crosses the boundary of a WebSocket message.
func writeBatch(ws *websocket.Conn, conn *clientconn.Conn, batch [][]byte, scratch []byte) ([]byte, error) {
	kind := websocket.MessageText
	if conn.Binary() {
		kind = websocket.MessageBinary
	}
	for len(batch) > 0 {
		message := batch[0]
		batch = batch[1:]
		if len(batch) > 0 && len(message)+len(batch[0]) <= joinedBytes && conn.Joinable() {
			scratch = append(scratch[:0], message...)
			for len(batch) > 0 && len(scratch)+len(batch[0]) <= joinedBytes {
				scratch = append(scratch, batch[0]...)
				batch = batch[1:]
			}
			message = scratch
		}
		if err := write(ws, conn, kind, message); err != nil {
			return scratch, err
		}
	}
	return scratch, nil
}

func write(ws *websocket.Conn, conn *clientconn.Conn, kind websocket.MessageType, message []byte) error {
	ctx, cancel := context.WithTimeout(conn.Context(), conn.Limits().SendTimeout)
	defer cancel()
	if err := ws.Write(ctx, kind, message); err != nil {
		return errors.Join(err, ctx.Err())
	}
	return nil
}

package aspnetcore

import (
	"bytes"
	"errors"
	"net/http"
	"os"
	"time"

	"switchboard/internal/clientconn"
	"switchboard/internal/pairing"
)

// stream is the one GET of Server-Sent Events. It answers until the connection
// ends.
//
// Source: dotnet/aspnetcore ServerSentEventsServerTransport.cs.
func (x *exchange) stream(w http.ResponseWriter, r *http.Request) {
	defer x.finish()
	header := w.Header()
	header.Set("Content-Type", "text/event-stream")
	header.Set("Cache-Control", "no-cache,no-store")
	header.Set("Pragma", "no-cache")
	header.Set("Content-Encoding", "identity")
	header.Set("X-Accel-Buffering", "no") // else nginx keeps events back
	out := events{x: x, w: w, control: http.NewResponseController(w)}
	defer out.control.SetWriteDeadline(time.Time{})
	if err := out.write([]byte(":\r\n")); err != nil { // browsers wait for the first bytes
		x.lost(err)
		return
	}
	for {
		more, err := out.flush()
		if err != nil {
			x.lost(err)
			return
		}
		if !more {
			return
		}
		select {
		case <-x.awake:
		case <-x.gone:
			return
		case <-r.Context().Done():
			return
		}
	}
}

// lost closes a connection whose client could not be sent something.
func (x *exchange) lost(err error) {
	reason := pairing.TransportLost
	if errors.Is(err, os.ErrDeadlineExceeded) {
		reason = pairing.SlowClient
	}
	x.conn.Close(reason, "")
}

// events writes to a stream.
type events struct {
	x       *exchange
	w       http.ResponseWriter
	control *http.ResponseController
	queue   []*pairing.Shared
	event   []byte
}

// flush sends what waits. It is false when the connection has ended.
func (e *events) flush() (more bool, err error) {
	for {
		out := e.x.conn.Take(e.queue[:0], batchBytes)
		e.queue = out.Messages
		if len(out.Messages) > 0 {
			e.event = appendEvent(e.event[:0], out)
			release(out.Messages)
			if err := e.write(e.event); err != nil {
				return false, err
			}
		}
		if out.Ended {
			return false, nil
		}
		if len(out.Messages) == 0 {
			return true, nil
		}
	}
}

func (e *events) write(b []byte) error {
	_ = e.control.SetWriteDeadline(time.Now().Add(e.x.conn.Limits().SendTimeout))
	if _, err := e.w.Write(b); err != nil {
		return err
	}
	return e.control.Flush()
}

// appendEvent makes an event of whole hub messages, which no event cuts. Each
// line of the payload is a line of data.
func appendEvent(b []byte, out clientconn.Out) []byte {
	var payload []byte
	for _, message := range out.Messages {
		payload = append(payload, message.Bytes()...)
	}
	for line := range bytes.SplitSeq(payload, []byte{'\n'}) {
		b = append(b, "data: "...)
		b = append(b, bytes.TrimSuffix(line, []byte{'\r'})...)
		b = append(b, "\r\n"...)
	}
	return append(b, "\r\n"...)
}

// release gives up messages that were written.
func release(messages []*pairing.Shared) {
	for i, message := range messages {
		message.Release()
		messages[i] = nil
	}
}

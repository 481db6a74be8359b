package mux

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/coder/websocket"
)

// WebSocket makes a Stream of a WebSocket. Messages of both types are read as
// bytes; what is written goes out in binary messages.
func WebSocket(conn *websocket.Conn) Stream {
	conn.SetReadLimit(-1) // the bound is on service messages, which may span WebSocket messages
	return &webSocket{conn: conn}
}

// always is the context of reads and writes: one that can end has the library
// allocate in each of them. Abort ends them.
var always = context.Background()

type webSocket struct {
	conn    *websocket.Conn
	message io.Reader // the message that is being read; owned by the reader
}

func (s *webSocket) Read(p []byte) (int, error) {
	for {
		if s.message == nil {
			_, message, err := s.conn.Reader(always)
			if err != nil {
				return 0, readError(err)
			}
			s.message = message
		}
		n, err := s.message.Read(p)
		if errors.Is(err, io.EOF) {
			s.message, err = nil, nil
		}
		if n > 0 || err != nil {
			return n, err
		}
	}
}

// readError tells a close in good order, which is io.EOF, from a loss.
func readError(err error) error {
	switch {
	case websocket.CloseStatus(err) == websocket.StatusNormalClosure:
		return io.EOF
	case errors.Is(err, io.EOF): // of the connection below, without a word
		return fmt.Errorf("%v: %w", err, io.ErrUnexpectedEOF) // it must not match io.EOF
	}
	return err
}

func (s *webSocket) Write(p []byte) (int, error) {
	if err := s.conn.Write(always, websocket.MessageBinary, p); err != nil {
		return 0, err
	}
	return len(p), nil
}

func (s *webSocket) Close() error { return s.conn.Close(websocket.StatusNormalClosure, "") }
func (s *webSocket) Abort() error { return s.conn.CloseNow() }

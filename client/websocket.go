package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/coder/websocket"
)

// webSocket is the transport of most connections.
type webSocket struct {
	conn *websocket.Conn
}

func dialWebSocket(ctx context.Context, r *requester, u *url.URL) (transport, error) {
	options := websocket.DialOptions{HTTPClient: r.config.HTTPClient, HTTPHeader: r.header()}
	if r.config.Compression {
		options.CompressionMode = websocket.CompressionNoContextTakeover
	}
	conn, answer, err := websocket.Dial(ctx, u.String(), &options)
	if err != nil {
		if answer != nil && answer.StatusCode != http.StatusSwitchingProtocols {
			return nil, httpError(answer)
		}
		if failure, ok := errors.AsType[*url.Error](err); ok {
			err = failure.Err // without the URL, which has secrets
		}
		return nil, fmt.Errorf("open WebSocket: %w", err)
	}
	conn.SetReadLimit(-1) // messages have a limit, which may come in pieces or several at once
	return &webSocket{conn}, nil
}

func (w *webSocket) send(ctx context.Context, b []byte, binary bool) error {
	kind := websocket.MessageText
	if binary {
		kind = websocket.MessageBinary
	}
	return w.conn.Write(ctx, kind, b)
}

func (w *webSocket) receive(ctx context.Context) ([]byte, error) {
	_, b, err := w.conn.Read(ctx)
	if closed, ok := errors.AsType[websocket.CloseError](err); ok {
		if closed.Code == websocket.StatusNormalClosure || closed.Code == websocket.StatusNoStatusRcvd {
			return nil, io.EOF
		}
		return nil, fmt.Errorf("WebSocket closed with status code: %d (%s).", closed.Code, closed.Reason) //lint:ignore ST1005 the text is that of the official clients
	}
	return b, err
}

// close says goodbye, and does not wait for the answer longer than ctx.
func (w *webSocket) close(ctx context.Context) {
	if ctx.Err() != nil {
		_ = w.conn.CloseNow()
		return
	}
	defer context.AfterFunc(ctx, func() { _ = w.conn.CloseNow() })()
	_ = w.conn.Close(websocket.StatusNormalClosure, "")
}

//go:build linux

package floor_test

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"switchboard/bench/compare/floor"
)

func serve(t *testing.T, c floor.Config) (url string) {
	t.Helper()
	s, err := floor.Listen(c)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- s.Run() }()
	t.Cleanup(func() {
		s.Stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return fmt.Sprintf("ws://127.0.0.1:%d/", s.Port())
}

func dial(t *testing.T, ctx context.Context, url string) *websocket.Conn {
	t.Helper()
	c, _, err := websocket.Dial(ctx, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	c.SetReadLimit(-1)
	t.Cleanup(func() { c.CloseNow() })
	return c
}

// sizes are around the borders of the length in a frame, and more than a read.
var sizes = []int{0, 1, 7, 8, 125, 126, 65535, 65536, 1 << 20}

func TestEcho(t *testing.T) {
	for _, joined := range []bool{false, true} {
		t.Run(fmt.Sprintf("joined=%t", joined), func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			c := dial(t, ctx, serve(t, floor.Config{Joined: joined}))
			for _, size := range sizes {
				expect(t, ctx, c, c, strings.Repeat("échange ", size/8+1)[:size])
			}
			if err := c.Close(websocket.StatusNormalClosure, ""); err != nil {
				t.Errorf("Close() = %v, want an answer", err)
			}
		})
	}
}

func TestBroadcast(t *testing.T) {
	for _, joined := range []bool{false, true} {
		t.Run(fmt.Sprintf("joined=%t", joined), func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			url := serve(t, floor.Config{Broadcast: true, Joined: joined})
			one, other := dial(t, ctx, url), dial(t, ctx, url)
			gone := dial(t, ctx, url)
			gone.CloseNow()
			for _, size := range sizes {
				text := strings.Repeat("x", size)
				expect(t, ctx, one, other, text)
				expect(t, ctx, nil, one, text)
			}
		})
	}
}

// expect sends text, if there is someone to send it, and receives it.
func expect(t *testing.T, ctx context.Context, from, to *websocket.Conn, text string) {
	t.Helper()
	if from != nil {
		if err := from.Write(ctx, websocket.MessageBinary, []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	_, got, err := to.Read(ctx)
	if err != nil || !bytes.Equal(got, []byte(text)) {
		t.Fatalf("received %d bytes, %v; want %d", len(got), err, len(text))
	}
}

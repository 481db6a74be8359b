package wsframe_test

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/coder/websocket"

	ws "switchboard/internal/wsframe"
)

// The messages that go to the other implementation and back.
var echoed = []string{"", "Hello", "κόσμε", strings.Repeat("x", 1000), strings.Repeat("ü", 100_000)}

// An echo sends the data that it is given back in a frame of the same message.
type echo struct {
	w    io.Writer
	data []byte
}

func (h *echo) Data(p []byte, text, first, fin bool) error {
	if h.data = append(h.data, p...); !fin {
		return nil
	}
	_, err := h.w.Write(ws.AppendFrame(nil, ws.OpText, h.data))
	h.data = h.data[:0]
	return err
}

func (h *echo) Control(op ws.Opcode, p []byte) error {
	b := ws.AppendFrame(nil, ws.OpPong, p)
	if op == ws.OpClose {
		b = ws.AppendClose(nil, ws.CloseNormal, "bye")
	}
	_, err := h.w.Write(b)
	return err
}

func TestAnotherClientUnderstandsOurServer(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer, err := ws.Accept(r, "")
		if err != nil {
			t.Error(err)
			return
		}
		conn, buffered, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		_, _ = conn.Write(answer)
		readAll(t, buffered, &ws.Reader{}, &echo{w: conn})
	}))
	defer server.Close()

	c, _, err := websocket.Dial(t.Context(), server.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	c.SetReadLimit(-1)
	for _, s := range echoed {
		if err := c.Write(t.Context(), websocket.MessageText, []byte(s)); err != nil {
			t.Fatal(err)
		}
		if _, got, err := c.Read(t.Context()); err != nil || string(got) != s {
			t.Fatalf("echo of %d bytes: %d bytes, %v", len(s), len(got), err)
		}
	}
	if err := c.Close(websocket.StatusNormalClosure, ""); err != nil {
		t.Error(err)
	}
}

// readAll feeds r until the connection ends.
func readAll(t *testing.T, conn io.Reader, r *ws.Reader, h ws.Handler) {
	b := make([]byte, 4096)
	for {
		n, err := conn.Read(b)
		if wrong := r.Feed(b[:n], h); wrong != nil {
			t.Error(wrong)
			return
		}
		if err != nil {
			return
		}
	}
}

func TestAnotherServerUnderstandsOurClient(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, nil)
		if err != nil {
			t.Error(err)
			return
		}
		c.SetReadLimit(-1)
		for {
			kind, b, err := c.Read(r.Context())
			if err != nil {
				return
			}
			if err := c.Write(r.Context(), kind, b); err != nil {
				t.Error(err)
			}
		}
	}))
	defer server.Close()

	var writer sync.WaitGroup
	defer writer.Wait()
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	request := ws.AppendRequest(nil, "example.org", "/", nil, nonce)
	for _, s := range echoed {
		request = ws.AppendMasked(request, ws.OpText, []byte(s), [4]byte{1, 2, 3, 4})
	}
	bye := ws.AppendCloseBody(nil, ws.CloseNormal, "")
	writer.Go(func() { _, _ = conn.Write(ws.AppendMasked(request, ws.OpClose, bye, [4]byte{5, 6, 7, 8})) })
	checkEchoes(t, conn)
}

func checkEchoes(t *testing.T, conn net.Conn) {
	all, err := io.ReadAll(conn)
	if err != nil {
		t.Fatal(err)
	}
	n, err := ws.CheckResponse(all, nonce)
	if err != nil || n == 0 {
		t.Fatalf("CheckResponse = %d, %v", n, err)
	}
	h := &recorder{t: t}
	r := ws.Reader{Options: ws.FromServer}
	if err := r.Feed(bytes.Clone(all[n:]), h); err != nil {
		t.Fatal(err)
	}
	want := ""
	for _, s := range echoed {
		want += "text " + s + "\n"
	}
	if got := strings.Join(h.events, "\n"); got != want+"close 1000 " {
		t.Errorf("got %s, want the echoes and a close", shorten(h.events))
	}
}

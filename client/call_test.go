package client_test

import (
	"context"
	"errors"
	"iter"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"switchboard/client"
	"switchboard/service"
)

func TestInvoke(t *testing.T) {
	each(t, func(t *testing.T, s *site, config client.Config) {
		c := s.connect(t, "/hub", config)
		ctx := t.Context()
		if n := must[int](t)(client.Invoke[int](ctx, c, "add", 40, 2)); n != 42 {
			t.Errorf("Add = %d, want 42", n)
		}
		if text := must[string](t)(client.Invoke[string](ctx, c, "Echo", "J\u00f6rg \U0001f44b")); text != "J\u00f6rg \U0001f44b" {
			t.Errorf("Echo = %q", text)
		}
		large := strings.Repeat("x", 30_000)
		if text := must[string](t)(client.Invoke[string](ctx, c, "Echo", large)); text != large {
			t.Errorf("Echo of a large text has %d bytes", len(text))
		}
		if id := must[string](t)(client.Invoke[string](ctx, c, "ID")); id != c.ConnectionID() {
			t.Errorf("the hub says %q, the client %q", id, c.ConnectionID())
		}
		must[struct{}](t)(client.Invoke[struct{}](ctx, c, "Send", "nobody listens", 1))
		_, err := client.Invoke[int](ctx, c, "Fail")
		if failure, ok := errors.AsType[*client.HubError](err); !ok || !strings.HasSuffix(failure.Message, "HubException: no way") {
			t.Errorf("Fail: %v", err)
		}
		if _, err := client.Invoke[int](ctx, c, "Echo", "text"); err == nil {
			t.Error("a text for an int: no error")
		}
		if _, err := client.Invoke[int](ctx, c, "Echo", func() {}); err == nil || !strings.Contains(err.Error(), "argument 1") {
			t.Errorf("a function for an argument: %v", err)
		}
	})
}

func TestStreams(t *testing.T) {
	each(t, func(t *testing.T, s *site, config client.Config) {
		notes := make(chan string, 10)
		c := s.connect(t, "/hub", config, func(c *client.Conn) { c.On("note", func(text string) { notes <- text }) })
		ctx := t.Context()
		if all := must[[]int](t)(collect(client.Stream[int](ctx, c, "Count", 100))); len(all) != 100 || all[99] != 99 {
			t.Errorf("Count: %v", all)
		}
		all, err := collect(client.Stream[int](ctx, c, "Broken"))
		if failure, ok := errors.AsType[*client.HubError](err); !ok || !strings.HasSuffix(failure.Message, "out of numbers") || !slices.Equal(all, []int{1}) {
			t.Errorf("Broken: %v, %v", all, err)
		}
		for n, err := range client.Stream[int](ctx, c, "Forever") {
			if err != nil {
				t.Fatal(err)
			}
			if n == 5 {
				break
			}
		}
		if text := receive(t, notes, "note"); text != "cancelled" {
			t.Errorf("the hub says %q", text)
		}
		short, cancel := context.WithCancel(ctx)
		for n, err := range client.Stream[int](short, c, "Forever") {
			if n == 5 {
				cancel()
			}
			if err != nil && !errors.Is(err, context.Canceled) {
				t.Fatal(err)
			}
		}
		cancel()
		receive(t, notes, "note")
	})
}

func TestUploads(t *testing.T) {
	each(t, func(t *testing.T, s *site, config client.Config) {
		c := s.connect(t, "/hub", config)
		ctx := t.Context()
		if sum := must[int](t)(client.Invoke[int](ctx, c, "Sum", slices.Values([]int{40, 2}))); sum != 42 {
			t.Errorf("Sum = %d, want 42", sum)
		}
		a, b := make(chan string, 3), make(chan string, 3)
		a <- "x"
		b <- "y"
		close(a)
		close(b)
		if text := must[string](t)(client.Invoke[string](ctx, c, "Join", (<-chan string)(a), (<-chan string)(b))); text != "xy" {
			t.Errorf("Join = %q, want xy", text)
		}
		var failing iter.Seq2[int, error] = func(yield func(int, error) bool) { _ = yield(1, nil) && yield(0, errors.New("out of ink")) }
		if _, err := client.Invoke[int](ctx, c, "Sum", failing); err == nil || !strings.HasSuffix(err.Error(), "HubException: out of ink") {
			t.Errorf("Sum of a stream that fails: %v", err)
		}
		all := must[[]int](t)(collect(client.Stream[int](ctx, c, "Double", slices.Values([]int{1, 2, 3}))))
		if !slices.Equal(all, []int{2, 4, 6}) {
			t.Errorf("Double: %v", all)
		}
	})
}

func TestHandlers(t *testing.T) {
	each(t, func(t *testing.T, s *site, config client.Config) {
		notes := make(chan string, 10)
		unhandled := make(chan string, 10)
		config.OnUnhandled = func(target string, arguments []client.Value) {
			var text string
			if err := arguments[0].Decode(&text); err != nil {
				t.Error(err)
			}
			unhandled <- target + " " + text
		}
		c := s.connect(t, "/hub", config)
		remove := c.On("Note", func(ctx context.Context, text string) { notes <- text })
		c.On("Question", func(ctx context.Context, question string) (string, error) {
			switch question {
			case "why?":
				return "", errors.New("do not ask")
			case "sum?":
				_, err := client.Invoke[int](ctx, c, "Add", 1, 2) // a handler may call the hub
				return "three", err
			}
			panic("no idea")
		})
		ctx := t.Context()
		if err := c.Send(ctx, "Send", "note", "hello"); err != nil {
			t.Fatal(err)
		}
		if text := receive(t, notes, "note"); text != "hello" {
			t.Errorf("note %q, want hello", text)
		}
		if text := must[string](t)(client.Invoke[string](ctx, c, "Ask", "sum?")); text != "three" {
			t.Errorf("answer %q, want three", text)
		}
		for question, want := range map[string]string{"why?": "do not ask", "?": "panic: no idea"} {
			if _, err := client.Invoke[string](ctx, c, "Ask", question); err == nil || !strings.HasSuffix(err.Error(), "HubException: "+want) {
				t.Errorf("%s: %v, want %s", question, err, want)
			}
		}
		remove()
		if err := c.Send(ctx, "Send", "Note", "nobody"); err != nil {
			t.Fatal(err)
		}
		if text := receive(t, unhandled, "call without handler"); text != "Note nobody" {
			t.Errorf("unhandled %q", text)
		}
		c.On("Question", func() {}) // takes other arguments
		if _, err := client.Invoke[string](ctx, c, "Ask", "sum?"); err == nil || !strings.HasSuffix(err.Error(), "the hub sent 1 argument(s), the handler takes 0") {
			t.Errorf("wrong arguments: %v", err)
		}
	})
}

func TestResultsOfHandlers(t *testing.T) {
	s := start(t)
	c := s.connect(t, "/hub", client.Config{})
	ask := func(want string) {
		t.Helper()
		if _, err := client.Invoke[string](t.Context(), c, "Ask", "?"); err == nil || !strings.HasSuffix(err.Error(), "HubException: "+want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	ask("Client didn't provide a result.")
	c.On("Question", func(string) {})
	ask("Client didn't provide a result.")
	c.On("Question", func(string) string { return "one" })
	if text := must[string](t)(client.Invoke[string](t.Context(), c, "Ask", "?")); text != "one" {
		t.Errorf("answer %q, want one", text)
	}
	c.On("Question", func(string) string { return "two" })
	ask("Client provided multiple results.")
}

func TestHandlerMistakes(t *testing.T) {
	c, err := client.New("http://localhost/hub", client.Config{})
	if err != nil {
		t.Fatal(err)
	}
	for _, function := range []any{nil, 1, (func())(nil), func(...int) {}, func() (int, int) { return 0, 0 }} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("On(%T): no panic", function)
				}
			}()
			c.On("x", function)
		}()
	}
}

func TestInvokeIsGivenUp(t *testing.T) {
	s := start(t)
	c := s.connect(t, "/hub", client.Config{})
	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := client.Invoke[int](short, c, "Until"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want the context's error", err)
	}
	if n := must[int](t)(client.Invoke[int](t.Context(), c, "Add", 1, 2)); n != 3 { // the hub's call is cancelled, too
		t.Errorf("Add = %d, want 3", n)
	}
}

func TestCallsWhenThereIsNoConnection(t *testing.T) {
	s := start(t)
	c := s.connect(t, "/hub", client.Config{})
	outcome := make(chan error, 2)
	go func() {
		_, err := client.Invoke[int](context.Background(), c, "Until")
		outcome <- err
	}()
	go func() {
		_, err := collect(client.Stream[int](context.Background(), c, "Double", make(<-chan int)))
		outcome <- err
	}()
	receive(t, s.hub.until, "call of Until")
	stop(t, c)
	for range 2 {
		if err := receive(t, outcome, "end of a call"); !errors.Is(err, net.ErrClosed) {
			t.Errorf("got %v, want net.ErrClosed", err)
		}
	}
	if _, err := client.Invoke[int](t.Context(), c, "Add", 1, 2); !errors.Is(err, client.ErrNotConnected) || !errors.Is(err, net.ErrClosed) {
		t.Errorf("after Stop: %v, want ErrNotConnected", err)
	}
	if err := c.Send(t.Context(), "Add", 1, 2); !errors.Is(err, client.ErrNotConnected) {
		t.Errorf("after Stop: %v, want ErrNotConnected", err)
	}
}

func TestStreamThatIsNotTaken(t *testing.T) {
	s := start(t)
	c := s.connect(t, "/hub", client.Config{StreamBuffer: 10})
	_, err := func() (int, error) {
		for _, err := range client.Stream[int](t.Context(), c, "Count", 1000) {
			if err != nil {
				return 0, err
			}
			time.Sleep(time.Millisecond) // slower than the hub
		}
		return 0, nil
	}()
	if !errors.Is(err, client.ErrSlowConsumer) {
		t.Errorf("got %v, want ErrSlowConsumer", err)
	}
	if n := must[int](t)(client.Invoke[int](t.Context(), c, "Add", 1, 2)); n != 3 {
		t.Errorf("Add = %d, want 3", n)
	}
}

// What a connection with Compression sends and gets is the same, and smaller.
func TestCompression(t *testing.T) {
	s := startWith(t, service.Config{DeflateFromBytes: 100})
	text := strings.Repeat("switchboard ", 2000)
	for _, compression := range []bool{false, true} {
		before := s.service.Stats().DeflatedFrom
		c := s.connect(t, "/plain", client.Config{Transports: client.WebSockets, Compression: compression})
		if got := must[string](t)(client.Invoke[string](t.Context(), c, "Echo", text)); got != text {
			t.Errorf("Echo gave %d bytes, want %d", len(got), len(text))
		}
		after := s.service.Stats()
		from, to := after.DeflatedFrom-before, after.DeflatedTo
		if compressed := from >= int64(len(text)) && to < from/10; compressed != compression {
			t.Errorf("Compression %v: %d bytes of messages became %d", compression, from, to)
		}
	}
}

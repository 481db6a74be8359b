package appserver_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"testing"
	"testing/synctest"

	"switchboard/appserver"
	"switchboard/hubprotocol"
	"switchboard/serviceprotocol"
)

// A streamHub has streams of each kind, and notes what it is told.
type streamHub struct {
	told  chan string
	stuck chan int // a stream that brings nothing
}

func newStreamHub() *streamHub { return &streamHub{make(chan string, 10), make(chan int)} }

func (h *streamHub) OnDisconnected(*appserver.Context, error) { h.told <- "disconnected" }

func (h *streamHub) Count(n int) <-chan int {
	items := make(chan int, n)
	for i := range n {
		items <- i
	}
	close(items)
	return items
}

func (h *streamHub) Words(words []string) (iter.Seq[string], error) {
	if len(words) == 0 {
		return nil, appserver.Errorf("no words")
	}
	return slices.Values(words), nil
}

// Failing brings some items and then an error.
func (h *streamHub) Failing(n int, text string) iter.Seq2[int, error] {
	return func(yield func(int, error) bool) {
		for i := range n {
			if !yield(i, nil) {
				return
			}
		}
		yield(0, errors.New(text))
		h.told <- "went on" // nothing is asked of it any more
	}
}

func (h *streamHub) Refusing() iter.Seq2[int, error] {
	return func(yield func(int, error) bool) { yield(0, appserver.Errorf("not today")) }
}

func (h *streamHub) Panicking() iter.Seq[int] { return func(func(int) bool) { panic("at the disco") } }
func (h *streamHub) Nothing() <-chan int      { return nil }

func (h *streamHub) Unencodable() iter.Seq[any] {
	return slices.Values([]any{1, func() {}})
}

// Stuck brings what is put into stuck, and tells when its context is done.
func (h *streamHub) Stuck(ctx context.Context) <-chan int {
	context.AfterFunc(ctx, func() { h.told <- "context done" })
	return h.stuck
}

// Endless brings numbers until it is no longer asked for them.
func (h *streamHub) Endless() iter.Seq[int] {
	return func(yield func(int) bool) {
		for i := 0; yield(i); i++ {
		}
		h.told <- "iterator left"
	}
}

func (h *streamHub) Add(a, b int) int { return a + b }

func streamCall(id, target, arguments string) string {
	return fmt.Sprintf(`{"type":4,"invocationId":"%s","target":"%s","arguments":[%s]}`, id, target, arguments)
}

func item(id, value string) string {
	return fmt.Sprintf(`{"type":2,"invocationId":"%s","item":%s}`, id, value)
}

func streamEnd(id string) string { return fmt.Sprintf(`{"type":3,"invocationId":"%s"}`, id) }

func streamError(text string) string {
	return `{"type":3,"invocationId":"1","error":"` + text + `"}`
}

func TestStreams(t *testing.T) {
	const (
		streaming  = "An error occurred on the server while streaming results."
		unexpected = "An unexpected error occurred invoking '%s' on the server."
	)
	tests := []struct {
		name, send string
		want       []string
		detail     string // of the error at the end, when details are shown
	}{
		{"channel", streamCall("1", "count", "3"), []string{item("1", "0"), item("1", "1"), item("1", "2"), streamEnd("1")}, ""},
		{"empty", streamCall("1", "Count", "0"), []string{streamEnd("1")}, ""},
		{"sequence", streamCall("1", "Words", `["a","b"]`), []string{item("1", `"a"`), item("1", `"b"`), streamEnd("1")}, ""},
		{"error before the stream", streamCall("1", "Words", "[]"), []string{streamError(fmt.Sprintf(unexpected, "Words") + " HubException: no words")}, ""},
		{"error after items", streamCall("1", "Failing", `2,"broken"`), []string{item("1", "0"), item("1", "1"), streamError(streaming)}, " Error: broken"},
		{"hub error", streamCall("1", "Refusing", ""), []string{streamError(streaming + " HubException: not today")}, ""},
		{"panic", streamCall("1", "Panicking", ""), []string{streamError(streaming)}, " Panic: at the disco"},
		{"nil", streamCall("1", "Nothing", ""), []string{streamError("The value returned by the streaming method 'Nothing' is not a ChannelReader<> or IAsyncEnumerable<>.")}, ""},
		{"item that cannot be encoded", streamCall("1", "Unencodable", ""), []string{item("1", "1"), streamError(streaming)},
			" Error: item: encode JSON value: json: unsupported type: func()"},
		{"called as a plain method", invoke("1", "Count", "1"),
			[]string{streamError("The client attempted to invoke the streaming 'Count' method with a non-streaming invocation.")}, ""},
		{"wrong argument", streamCall("1", "Count", `"x"`), []string{streamError("Failed to invoke 'Count' due to an error on the server.")},
			" InvalidDataException: Error binding arguments. Make sure that the types of the provided values match the types of the hub method being invoked."},
	}
	for _, tt := range tests {
		for _, details := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, detailed %v", tt.name, details), func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					want := slices.Clone(tt.want)
					if last := len(want) - 1; details && tt.detail != "" {
						want[last] = want[last][:len(want[last])-2] + tt.detail + `"}`
					}
					c := start(t, newStreamHub(), func(c *appserver.HubConfig) { c.EnableDetailedErrors = details }).conn.connect(t, "c1")
					c.send(t, tt.send)
					for _, message := range want {
						c.want(t, message)
					}
				})
			})
		}
	}
}

func TestStreamsInMessagePack(t *testing.T) {
	bubble(t, func(t *testing.T) {
		p := hubprotocol.MessagePack
		conn := start(t, newStreamHub()).conn
		c := conn.open(t, &serviceprotocol.OpenConnection{ConnectionID: "c1", Protocol: "messagepack"})
		c.want(t, "{}")
		c.sendBytes(t, encode(p, &hubprotocol.StreamInvocation{InvocationID: "1", Target: "Count", Arguments: [][]byte{value(p, 1)}}))
		for _, want := range []hubprotocol.Message{
			&hubprotocol.StreamItem{InvocationID: "1", Item: value(p, 0)},
			&hubprotocol.Completion{InvocationID: "1"},
		} {
			if got := conn.next(t).(*serviceprotocol.ConnectionData); string(got.Payload) != string(encode(p, want)) {
				t.Errorf("client got %x, want %x", got.Payload, encode(p, want))
			}
		}
	})
}

// A stream takes no slot: calls, other streams and cancels go on beside it.
func TestStreamRunsBesideCalls(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newStreamHub()
		c := start(t, h).conn.connect(t, "c1")
		c.send(t, streamCall("1", "Stuck", ""), invoke("2", "Add", "1,2"))
		c.want(t, `{"type":3,"invocationId":"2","result":3}`)
		c.send(t, streamCall("3", "Count", "1"))
		c.want(t, item("3", "0"))
		c.want(t, streamEnd("3"))
		h.stuck <- 7
		c.want(t, item("1", "7"))
		c.send(t, streamCall("1", "Count", "1"))
		c.want(t, streamError("Invocation ID '1' is already in use."))

		c.send(t, `{"type":5,"invocationId":"unknown"}`, `{"type":5,"invocationId":"1"}`)
		c.want(t, streamEnd("1"))
		if got := receive(t, h.told, "word of the hub"); got != "context done" {
			t.Errorf("the hub was told %q", got)
		}
		c.send(t, `{"type":5,"invocationId":"1"}`, streamCall("1", "Count", "0"))
		c.want(t, streamEnd("1")) // the id is free again
	})
}

// A client that goes ends its streams, and is gone for the hub after them.
func TestStreamOfAClientThatGoes(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newStreamHub()
		a := start(t, h)
		c := a.conn.connect(t, "c1")
		c.send(t, streamCall("1", "Stuck", ""))
		synctest.Wait()
		a.conn.send(t, &serviceprotocol.CloseConnection{ConnectionID: "c1"})
		told := []string{receive(t, h.told, "word of the hub"), receive(t, h.told, "word of the hub")}
		slices.Sort(told) // the context is done before, but is not waited for
		if want := []string{"context done", "disconnected"}; !slices.Equal(told, want) {
			t.Errorf("the hub was told %q, want %q", told, want)
		}
	})
}

// The end of a stream is noticed between two items, however fast they come.
func TestEndlessStreamIsCancelled(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newStreamHub()
		a := start(t, h)
		c := a.conn.connect(t, "c1")
		c.send(t, streamCall("1", "Endless", ""))
		c.want(t, item("1", "0"))
		c.send(t, `{"type":5,"invocationId":"1"}`)
		for i := 1; ; i++ {
			if len(c.unread) == 0 {
				c.unread = a.conn.next(t).(*serviceprotocol.ConnectionData).Payload
			}
			if string(c.unread) == streamEnd("1")+"\x1e" {
				break
			}
			c.want(t, item("1", fmt.Sprint(i)))
		}
		if got := receive(t, h.told, "word of the hub"); got != "iterator left" {
			t.Errorf("the hub was told %q", got)
		}
	})
}

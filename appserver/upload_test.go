package appserver_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net"
	"testing"
	"testing/synctest"

	"switchboard/appserver"
	"switchboard/hubprotocol"
	"switchboard/serviceprotocol"
)

// An uploadHub takes streams of each kind, and notes what it is told.
type uploadHub struct {
	told chan any
	take chan int // an item is taken for each
}

func newUploadHub() *uploadHub { return &uploadHub{make(chan any, 100), make(chan int, 100)} }

func (h *uploadHub) Sum(numbers <-chan int) int {
	sum := 0
	for n := range numbers {
		sum += n
	}
	return sum
}

func (h *uploadHub) Join(separator string, words iter.Seq[string], numbers <-chan int) string {
	text := ""
	for w := range words {
		text += w + separator
	}
	for n := range numbers {
		text += fmt.Sprint(n) + separator
	}
	return text
}

// Watch tells of each item and of the error.
func (h *uploadHub) Watch(numbers iter.Seq2[int, error]) error {
	for n, err := range numbers {
		if err != nil {
			h.told <- err
			return err
		}
		h.told <- n
	}
	return nil
}

// First is done with the first item.
func (h *uploadHub) First(numbers iter.Seq2[int, error]) (int, error) {
	for n, err := range numbers {
		return n, err
	}
	return 0, nil
}

// Double streams back what it gets.
func (h *uploadHub) Double(numbers <-chan int) iter.Seq[int] {
	return func(yield func(int) bool) {
		for n := range numbers {
			if !yield(2 * n) {
				return
			}
		}
	}
}

// Slowly takes an item when the test wants it.
func (h *uploadHub) Slowly(numbers <-chan int) {
	for range h.take {
		n, ok := <-numbers
		if !ok {
			return
		}
		h.told <- n
	}
}

func (h *uploadHub) UntilCancelled(ctx context.Context, numbers <-chan int) { <-ctx.Done() }
func (h *uploadHub) Add(a, b int) int                                       { return a + b }

func upload(id, target, arguments, streams string) string {
	return fmt.Sprintf(`{"arguments":[%s],"invocationId":"%s","streamIds":[%s],"target":"%s","type":1}`, arguments, id, streams, target)
}

func answered(id, value string) string {
	return fmt.Sprintf(`{"type":3,"invocationId":"%s","result":%s}`, id, value)
}

func failedWith(id, text string) string {
	return fmt.Sprintf(`{"type":3,"invocationId":"%s","error":"%s"}`, id, text)
}

func TestUploads(t *testing.T) {
	const unexpected = "An unexpected error occurred invoking '%s' on the server."
	tests := []struct {
		name string
		send []string
		want []string
	}{
		{"channel", []string{upload("1", "Sum", "", `"2"`), item("2", "40"), item("2", "2"), streamEnd("2")}, []string{answered("1", "42")}},
		{"several", []string{upload("1", "Join", `"-"`, `"2","3"`), item("3", "7"), streamEnd("3"), item("2", `"a"`), item("2", `"b"`), streamEnd("2")},
			[]string{answered("1", `"a-b-7-"`)}},
		{"empty", []string{upload("1", "Sum", "", `"2"`), streamEnd("2")}, []string{answered("1", "0")}},
		{"both ways", []string{`{"arguments":[],"invocationId":"1","streamIds":["2"],"target":"double","type":4}`, item("2", "3"), streamEnd("2")},
			[]string{item("1", "6"), streamEnd("1")}},
		{"call returns early", []string{upload("1", "First", "", `"2"`), item("2", "9"), invoke("3", "Add", "1,2")},
			[]string{answered("1", "9"), answered("3", "3")}},
		{"error that the method sees", []string{upload("1", "Watch", "", `"2"`), failedWith("2", "out of ink")},
			[]string{failedWith("1", fmt.Sprintf(unexpected, "Watch")+" HubException: out of ink")}},
		{"error that the method cannot see", []string{upload("1", "Sum", "", `"2"`), item("2", "1"), failedWith("2", "out of ink")},
			[]string{failedWith("1", fmt.Sprintf(unexpected, "Sum")+" HubException: out of ink")}},
		{"error while streaming back", []string{`{"arguments":[],"invocationId":"1","streamIds":["2"],"target":"Double","type":4}`, item("2", "3"), failedWith("2", "no more")},
			[]string{item("1", "6"), failedWith("1", "An error occurred on the server while streaming results. HubException: no more")}},
		{"item that does not suit", []string{upload("1", "Watch", "", `"2"`), item("2", `"x"`)},
			[]string{failedWith("1", fmt.Sprintf(unexpected, "Watch")+" HubException: Failed to bind Stream message.")}},
		{"too few streams", []string{upload("1", "Join", `"-"`, `"2"`)},
			[]string{failedWith("1", fmt.Sprintf(unexpected, "Join")+" HubException: Client sent 1 stream(s), Hub method expects 2.")}},
		{"no stream", []string{invoke("1", "Sum", "")},
			[]string{failedWith("1", fmt.Sprintf(unexpected, "Sum")+" HubException: Client sent 0 stream(s), Hub method expects 1.")}},
		{"stream as an argument", []string{upload("1", "Sum", "1", `"2"`)}, []string{failedWith("1", "Failed to invoke 'Sum' due to an error on the server.")}},
		{"id twice in a call", []string{upload("1", "Join", `"-"`, `"2","2"`)},
			[]string{failedWith("1", fmt.Sprintf(unexpected, "Join")+" HubException: Stream ID '2' is already in use.")}},
		{"items of an unknown stream", []string{item("7", "1"), streamEnd("7"), invoke("3", "Add", "1,2")}, []string{answered("3", "3")}},
		{"without an answer", []string{`{"type":1,"target":"Sum","arguments":[],"streamIds":["2"]}`, item("2", "40"), streamEnd("2"), invoke("3", "Add", "1,2")},
			[]string{answered("3", "3")}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				c := start(t, newUploadHub()).conn.connect(t, "c1")
				for _, message := range tt.send {
					c.send(t, message)
					synctest.Wait() // calls with streams run beside others, and may overtake them
				}
				for _, want := range tt.want {
					c.want(t, want)
				}
			})
		})
	}
}

func TestUploadInMessagePack(t *testing.T) {
	bubble(t, func(t *testing.T) {
		p := hubprotocol.MessagePack
		conn := start(t, newUploadHub()).conn
		c := conn.open(t, &serviceprotocol.OpenConnection{ConnectionID: "c1", Protocol: "messagepack"})
		c.want(t, "{}")
		for _, m := range []hubprotocol.Message{
			&hubprotocol.Invocation{InvocationID: "1", Target: "Sum", StreamIDs: []string{"2"}},
			&hubprotocol.StreamItem{InvocationID: "2", Item: value(p, 42)},
			&hubprotocol.Completion{InvocationID: "2"},
		} {
			c.sendBytes(t, encode(p, m))
		}
		want := encode(p, &hubprotocol.Completion{InvocationID: "1", Result: value(p, 42), HasResult: true})
		if got := conn.next(t).(*serviceprotocol.ConnectionData); string(got.Payload) != string(want) {
			t.Errorf("client got %x, want %x", got.Payload, want)
		}
	})
}

// A call that does not take its items holds up its own client, and goes on when it
// takes them.
func TestUploadOfAFullBuffer(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newUploadHub()
		c := start(t, h, func(c *appserver.HubConfig) { c.StreamBufferCapacity = 3 }).conn.connect(t, "c1")
		c.send(t, upload("1", "Slowly", "", `"2"`))
		for i := range 4 {
			c.send(t, item("2", fmt.Sprint(i)))
		}
		c.send(t, streamEnd("2"), invoke("3", "Add", "1,2"))
		c.conn.quiet(t)
		h.take <- 1
		c.want(t, answered("3", "3"))
		for range 4 {
			h.take <- 1
		}
		c.want(t, answered("1", "null"))
		for i := range 4 {
			if got := receive(t, h.told, "item"); got != i {
				t.Errorf("the hub got %v, want %d", got, i)
			}
		}
	})
}

// Items that wait for a call which has returned wait no more.
func TestUploadThatNobodyTakes(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c := start(t, newUploadHub(), func(c *appserver.HubConfig) { c.StreamBufferCapacity = 1 }).conn.connect(t, "c1")
		c.send(t, upload("1", "UntilCancelled", "", `"2"`), item("2", "1"), item("2", "2"))
		c.conn.quiet(t)
		c.send(t, `{"type":5,"invocationId":"1"}`) // is behind the item that waits
		c.conn.quiet(t)
		c.conn.send(t, &serviceprotocol.CloseConnection{ConnectionID: "c1"})
		c.conn.quiet(t)
	})
}

func TestUploadOfAClientThatGoes(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newUploadHub()
		a := start(t, h)
		c := a.conn.connect(t, "c1")
		c.send(t, upload("1", "Watch", "", `"2"`), item("2", "5"))
		a.conn.send(t, &serviceprotocol.CloseConnection{ConnectionID: "c1"})
		if got := receive(t, h.told, "item"); got != 5 {
			t.Errorf("the hub got %v, want 5", got)
		}
		err, _ := receive(t, h.told, "error").(error)
		if !errors.Is(err, net.ErrClosed) || err.Error() != "The underlying connection was closed." {
			t.Errorf("the upload ended with %v", err)
		}
	})
}

func TestUploadCallIsCancelled(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c := start(t, newUploadHub()).conn.connect(t, "c1")
		c.send(t, upload("1", "UntilCancelled", "", `"2"`), `{"type":5,"invocationId":"1"}`)
		c.want(t, answered("1", "null"))
	})
}

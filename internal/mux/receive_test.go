package mux_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"testing"
	"testing/synctest"

	"switchboard/internal/mux"
	"switchboard/serviceprotocol"
)

func TestMessagesArriveWhateverTheCuts(t *testing.T) {
	messages := []serviceprotocol.Message{
		&serviceprotocol.Ping{}, data(0), data(200),
		&serviceprotocol.BroadcastData{Payloads: serviceprotocol.Payloads{{Protocol: "json", Data: []byte("{}\x1e")}}},
		data(100_000), data(33_000), &serviceprotocol.JoinGroup{ConnectionID: "c", Group: "g"}, &serviceprotocol.Unknown{Number: 99},
	}
	wire, want := frames(messages...), bodies(messages...)
	for _, size := range []int{1, 2, 3, 127, 32<<10 - 1, 32 << 10, 32<<10 + 1, len(wire)} {
		t.Run(fmt.Sprintf("%d bytes at a time", size), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, _, peer := link(t, mux.Options{})
				var got collector
				served := serve(t.Context(), c, got.handle)
				for piece := range slices.Chunk(wire, size) {
					if _, err := peer.Write(piece); err != nil {
						t.Fatal(err)
					}
				}
				peer.Close()
				if err := <-served; !errors.Is(err, io.EOF) {
					t.Errorf("Serve: %v, want io.EOF", err)
				}
				if !slices.Equal(got.all(), want) {
					t.Errorf("got %d messages, want the %d sent, byte for byte", len(got.all()), len(want))
				}
				if in := c.Stats().BytesIn; in != int64(len(wire)) {
					t.Errorf("Stats().BytesIn = %d, want %d", in, len(wire))
				}
			})
		})
	}
}

func TestMessageThatIsCutByTheEndIsNotHandled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _, peer := link(t, mux.Options{})
		var got collector
		served := serve(t.Context(), c, got.handle)
		wire := frames(data(10))
		peer.Write(wire[:len(wire)-1])
		peer.Close()
		if err := <-served; !errors.Is(err, io.EOF) || len(got.all()) != 0 {
			t.Errorf("Serve: %v, %d messages; want io.EOF and none", err, len(got.all()))
		}
	})
}

func TestMalformedFramesAreSkippedAndReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var reports []error
		c, _, peer := link(t, mux.Options{Malformed: func(err error) { reports = append(reports, err) }})
		var got collector
		served := serve(t.Context(), c, got.handle)
		peer.Write(frames(data(1)))
		peer.Write([]byte{0})                // no body
		peer.Write([]byte{1, 0xc1})          // no MessagePack
		peer.Write([]byte{2, 0x91, 6})       // a ConnectionData without its items
		peer.Write([]byte{3, 0x92, 3, 0xc3}) // a Ping whose text is a boolean
		peer.Write(frames(data(2)))
		peer.Close()
		<-served
		if want := bodies(data(1), data(2)); !slices.Equal(got.all(), want) {
			t.Errorf("handled %q, want %q", got.all(), want)
		}
		if len(reports) != 4 {
			t.Errorf("reports %v, want 4", reports)
		}
		for _, err := range reports {
			if _, ok := errors.AsType[*serviceprotocol.ParseError](err); !ok {
				t.Errorf("report %v, want a *ParseError", err)
			}
		}
	})
}

func TestFramesThatEndTheConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s, peer := link(t, mux.Options{MaxMessageBytes: 1000})
		var got collector
		served := serve(t.Context(), c, got.handle)
		peer.Write(frames(data(900)))
		peer.Write(binary.AppendUvarint(nil, 1001)) // its length alone is enough
		err := <-served
		size, ok := errors.AsType[*serviceprotocol.FrameSizeError](err)
		if !ok || size.Size != 1001 || size.Limit != 1000 {
			t.Errorf("Serve: %v, want a FrameSizeError of 1001 over 1000", err)
		}
		if len(got.all()) != 1 || s.end() != "abort" {
			t.Errorf("%d messages handled, stream %s; want 1, abort", len(got.all()), s.end())
		}
	})
	synctest.Test(t, func(t *testing.T) {
		c, s, peer := link(t, mux.Options{})
		served := serve(t.Context(), c, ignore)
		peer.Write([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0x01})
		if err := <-served; !errors.Is(err, serviceprotocol.ErrPrefix) || s.end() != "abort" {
			t.Errorf("Serve: %v, stream %s; want ErrPrefix, abort", err, s.end())
		}
	})
}

// The buffer grows with what came, not with what is announced.
func TestGiantLengthPrefixTakesNoMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _, peer := link(t, mux.Options{MaxMessageBytes: 1<<31 - 1})
		served := serve(t.Context(), c, ignore)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		peer.Write(binary.AppendUvarint(nil, 1<<31-1))
		for range 4 {
			peer.Write(make([]byte, 1000))
		}
		synctest.Wait()
		runtime.ReadMemStats(&after)
		if got := after.TotalAlloc - before.TotalAlloc; got > 1<<20 {
			t.Errorf("a length prefix of 2 GB and 4000 bytes made it allocate %d bytes", got)
		}
		peer.Close()
		<-served
	})
}

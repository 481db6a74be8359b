package resume_test

import (
	"errors"
	"slices"
	"testing"

	"switchboard/hubprotocol"
	"switchboard/internal/resume"
)

func TestCounts(t *testing.T) {
	for typ, want := range map[hubprotocol.Type]bool{
		hubprotocol.TypeInvocation: true, hubprotocol.TypeStreamItem: true, hubprotocol.TypeCompletion: true,
		hubprotocol.TypeStreamInvocation: true, hubprotocol.TypeCancelInvocation: true,
		hubprotocol.TypePing: false, hubprotocol.TypeClose: false, hubprotocol.TypeAck: false,
		hubprotocol.TypeSequence: false, 10: false, 0: false,
	} {
		if got := resume.Counts(typ); got != want {
			t.Errorf("Counts(%v) = %v, want %v", typ, got, want)
		}
	}
}

func TestSentKeepsUntilAcknowledged(t *testing.T) {
	var s resume.Sent[string]
	for _, text := range []string{"a", "bb", "ccc"} {
		s.Add(text, len(text))
	}
	var dropped []string
	if err := s.Ack(2, func(text string) { dropped = append(dropped, text) }); err != nil {
		t.Fatal(err)
	}
	if want := []string{"a", "bb"}; !slices.Equal(dropped, want) {
		t.Errorf("dropped %q, want %q", dropped, want)
	}
	if got := slices.Collect(s.All); !slices.Equal(got, []string{"ccc"}) {
		t.Errorf("kept %q, want ccc", got)
	}
	if s.Bytes() != 3 || s.Len() != 1 || s.First() != 3 {
		t.Errorf("Bytes, Len, First = %d, %d, %d, want 3, 1, 3", s.Bytes(), s.Len(), s.First())
	}
	if err := s.Ack(1, nil); err != nil || s.Len() != 1 {
		t.Errorf("an old acknowledgement: %v, %d kept, want no error and 1", err, s.Len())
	}
	if err := s.Ack(4, nil); err == nil {
		t.Error("Ack(4) of 3 messages: no error")
	}
	s.Drop(nil)
	if s.Bytes() != 0 || s.Len() != 0 || s.First() != 4 {
		t.Errorf("after Drop: Bytes, Len, First = %d, %d, %d, want 0, 0, 4", s.Bytes(), s.Len(), s.First())
	}
}

// The conversation that was seen between the JavaScript client and ASP.NET Core:
// aspnetcore-signalr, "Stateful reconnect".
func TestReceivedDropsWhatComesTwice(t *testing.T) {
	var r resume.Received
	take := func(want ...bool) {
		t.Helper()
		for i, w := range want {
			if got := r.Take(); got != w {
				t.Errorf("message %d: Take() = %v, want %v", i+1, got, w)
			}
		}
	}
	take(true, true)
	if err := r.Sequence(1); err != nil {
		t.Fatal(err)
	}
	take(false, false, true)
	if r.Highest() != 3 {
		t.Errorf("Highest() = %d, want 3", r.Highest())
	}
	if err := r.Sequence(4); err != nil {
		t.Errorf("Sequence(4) after 3 messages: %v", err)
	}
	if err := r.Sequence(5); !errors.Is(err, resume.ErrGap) {
		t.Errorf("Sequence(5) after 3 messages: %v, want ErrGap", err)
	}
	if err := r.Sequence(0); !errors.Is(err, resume.ErrSequence) {
		t.Errorf("Sequence(0): %v, want ErrSequence", err)
	}
}

// Both sides are cut at every point of a long conversation, with acknowledgements
// now and then: everything arrives once and in order.
func TestCutAnywhere(t *testing.T) {
	const messages = 50
	for every := 1; every <= messages; every++ {
		var sent resume.Sent[int]
		var received resume.Received
		var got []int
		for i := range messages {
			sent.Add(i, 1)
			if i%every == every/2 { // the socket is lost together with this message
				if err := received.Sequence(sent.First()); err != nil {
					t.Fatal(err)
				}
				for value := range sent.All {
					if received.Take() {
						got = append(got, value)
					}
				}
			} else if received.Take() {
				got = append(got, i)
			}
			if i%7 == 0 {
				if err := sent.Ack(received.Highest(), nil); err != nil {
					t.Fatal(err)
				}
			}
		}
		if len(got) != messages || !slices.IsSorted(got) {
			t.Fatalf("cut every %d: got %v", every, got)
		}
	}
}

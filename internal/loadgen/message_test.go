package loadgen

import (
	"bytes"
	"errors"
	"testing"

	"switchboard/hubprotocol"
)

var protocols = []string{"json", "messagepack"}

func wordingOf(t testing.TB, protocol string, payload int) *wording {
	t.Helper()
	w, err := newWording(protocol, payload)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *wording) receive(s stamp) []byte {
	return append(s.append(bytes.Clone(w.head)), w.tail...)
}

func TestMessageReadsBack(t *testing.T) {
	want := stamp{run: 11, at: 12, stream: 13, seq: 14}
	for _, protocol := range protocols {
		for _, payload := range []int{StampSize, 128, 100_000} {
			w := wordingOf(t, protocol, payload)
			got, err := w.read(w.receive(want))
			if err != nil || !got.stamped || got.stamp != want {
				t.Errorf("%s, %d bytes: read = %+v, %v, want %+v", protocol, payload, got, err, want)
			}
		}
	}
}

// What clients send is what package hubprotocol, and so any hub, understands.
func TestCallIsAnInvocation(t *testing.T) {
	s := stamp{run: 1, at: 2, stream: 3, seq: 4}
	for _, protocol := range protocols {
		w := wordingOf(t, protocol, 100)
		head, tail, err := w.invocation(TargetSendToGroup, "g7")
		if err != nil {
			t.Fatal(err)
		}
		m, err := w.Parse(append(s.append(head), tail...))
		call, ok := m.(*hubprotocol.Invocation)
		if err != nil || !ok || call.Target != TargetSendToGroup || call.InvocationID != "" || len(call.Arguments) != 2 {
			t.Fatalf("%s: the hub reads %+v, %v", protocol, m, err)
		}
		var group, payload string
		if err := errors.Join(w.ParseValue(call.Arguments[0], &group), w.ParseValue(call.Arguments[1], &payload)); err != nil {
			t.Fatal(err)
		}
		if got, ok := parseStamp([]byte(payload)); group != "g7" || len(payload) != 100 || !ok || got != s {
			t.Errorf("%s: the hub reads group %q and payload %q", protocol, group, payload)
		}
	}
}

// Another hub may word its messages in another way.
func TestOtherWordsAreUnderstood(t *testing.T) {
	s := stamp{run: 1, at: 2, stream: 3, seq: 4}
	w := wordingOf(t, "json", 30)
	text := string(s.append(nil)) + string(w.filler)
	for name, message := range map[string]string{
		"order and spaces": `{ "arguments": ["` + text + `"], "target": "Receive", "type": 1 }` + "\x1e",
		"headers":          `{"type":1,"headers":{},"target":"Receive","arguments":["` + text + `"]}` + "\x1e",
	} {
		if got, err := w.read([]byte(message)); err != nil || !got.stamped || got.stamp != s {
			t.Errorf("%s: read = %+v, %v", name, got, err)
		}
	}
}

func TestWhatReadTellsOfOtherMessages(t *testing.T) {
	w := wordingOf(t, "json", 30)
	whole := w.receive(stamp{run: 1})
	changed := bytes.Replace(whole, w.filler, []byte("!23456"), 1)
	for name, c := range map[string]struct {
		message string
		answer  bool
		failed  bool
	}{
		"ping":              {`{"type":6}`, false, false},
		"other method":      {`{"type":1,"target":"Other","arguments":["x"]}`, false, false},
		"no stamp":          {`{"type":1,"target":"Receive","arguments":["~~~~~~~~~~~~~~~~~~~~~~~~"]}`, false, false},
		"answer":            {`{"type":3,"invocationId":"1"}`, true, false},
		"refusal":           {`{"type":3,"invocationId":"1","error":"no"}`, false, true},
		"close":             {`{"type":7,"error":"bye"}`, false, true},
		"not JSON":          {`{"type":`, false, true},
		"changed, in words": {string(bytes.TrimSuffix(changed, []byte{0x1e})), false, true},
	} {
		got, err := w.read([]byte(c.message + "\x1e"))
		if got.stamped || got.answer != c.answer || (err != nil) != c.failed {
			t.Errorf("%s: read = %+v, %v", name, got, err)
		}
	}
}

func TestEveryChangeOfAMessageIsNoticed(t *testing.T) {
	for _, protocol := range protocols {
		w := wordingOf(t, protocol, 40)
		whole := w.receive(stamp{run: 1, at: 2, stream: 3, seq: 4})
		from := len(w.head) + StampSize
		for i := from; i < from+len(w.filler); i++ {
			bad := bytes.Clone(whole)
			bad[i] ^= 1
			if _, err := w.read(bad); !errors.Is(err, errPayload) {
				t.Errorf("%s: read with byte %d changed: %v, want %v", protocol, i, err, errPayload)
			}
		}
	}
}

func TestReadAllocatesNothing(t *testing.T) {
	for _, protocol := range protocols {
		w := wordingOf(t, protocol, 128)
		message := w.receive(stamp{run: 1, at: 2, stream: 3, seq: 4})
		if n := testing.AllocsPerRun(100, func() { _, _ = w.read(message) }); n != 0 {
			t.Errorf("%s: read allocates %v times", protocol, n)
		}
	}
}

func TestUnknownProtocol(t *testing.T) {
	if _, err := newWording("xml", 100); err == nil {
		t.Error("newWording takes xml")
	}
}

func FuzzRead(f *testing.F) {
	words := []*wording{wordingOf(f, "json", 40), wordingOf(f, "messagepack", 40)}
	for i, w := range words {
		f.Add(i == 1, w.receive(stamp{run: 1, at: 2, stream: 3, seq: 4}))
		join, err := w.join("g1")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(i == 1, join)
		f.Add(i == 1, w.ping)
	}
	f.Fuzz(func(t *testing.T, binary bool, b []byte) {
		w := words[0]
		if binary {
			w = words[1]
		}
		n, err := w.framing.Next(b)
		if err != nil || n == 0 {
			return
		}
		got, err := w.read(b[:n])
		if err != nil || !got.stamped {
			return
		}
		again, err := w.read(w.receive(got.stamp))
		if err != nil || again.stamp != got.stamp || !again.stamped {
			t.Errorf("read = %+v, and again %+v, %v", got, again, err)
		}
	})
}

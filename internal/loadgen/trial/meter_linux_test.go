package trial

import (
	"math"
	"os"
	"strings"
	"testing"
)

func TestMeterOfThisProcess(t *testing.T) {
	m := meter{os.Getpid()}
	before, err := m.read()
	if err != nil {
		t.Fatal(err)
	}
	kept := make([]byte, 8<<20)
	for i := range kept {
		kept[i] = byte(i)
	}
	after, err := m.read()
	if err != nil {
		t.Fatal(err)
	}
	if after.cpu <= before.cpu || before.rss <= 0 || after.anonymous < before.anonymous || after.rss < after.anonymous {
		t.Errorf("before %+v, after %+v and %d bytes", before, after, len(kept))
	}
}

func TestMeterOfNoProcess(t *testing.T) {
	if r, err := (meter{math.MaxInt32 >> 3}).read(); err == nil {
		t.Errorf("a process that does not exist has used %+v", r)
	}
}

func TestBusyCore(t *testing.T) {
	for _, core := range allowedCores() {
		if busy, err := coreBusy(core); err != nil || busy <= 0 {
			t.Errorf("core %d was busy for %v, %v", core, busy, err)
		}
	}
	if _, err := coreBusy(100_000); err == nil {
		t.Error("there is a core 100,000")
	}
}

// A child that writes without end does not fill this process.
func TestTailKeepsTheEnd(t *testing.T) {
	var w tail
	for range 1000 {
		if _, err := w.Write([]byte("some line\n")); err != nil {
			t.Fatal(err)
		}
	}
	_, _ = w.Write([]byte("the end\n"))
	text := w.explain()
	if !strings.HasSuffix(text, "some line\nthe end") || len(text) > tailBytes+50 {
		t.Errorf("%d bytes are kept: …%q", len(text), text[max(0, len(text)-40):])
	}
	if again := w.explain(); again != "" {
		t.Errorf("it is told twice: %q", again)
	}
}

package loadgen

import (
	"crypto/tls"
	"net/url"
	"slices"
	"testing"
	"time"

	"switchboard/internal/wsframe"
)

// testLoop returns a loop that no thread runs: the test does what comes.
func testLoop(t *testing.T, c Config) *loop {
	t.Helper()
	c.Protocol, c.Payload, c.Run, c.Share, c.Threads = "json", 40, 5, Share{Count: c.Clients}, 1
	c.GroupSize, c.Senders = max(c.GroupSize, 1), max(c.Senders, 1)
	l, err := newLoop(&c, wordingOf(t, c.Protocol, c.Payload), target{&url.URL{}, &tls.Config{}, map[string]*endpoint{}}, c.Share)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.closeDescriptors)
	l.now = 1000
	l.to = 1 << 60
	return l
}

func TestAccountOfDeliveries(t *testing.T) {
	type counts struct{ received, repeated, misdirected, foreign uint64 }
	for name, c := range map[string]struct {
		stamps []stamp
		want   counts
	}{
		"in order":         {[]stamp{{5, 0, 0, 0}, {5, 0, 0, 1}, {5, 0, 0, 2}}, counts{received: 3}},
		"one is lost":      {[]stamp{{5, 0, 0, 0}, {5, 0, 0, 2}}, counts{received: 2}},
		"one comes twice":  {[]stamp{{5, 0, 0, 0}, {5, 0, 0, 0}}, counts{received: 1, repeated: 1}},
		"one overtakes":    {[]stamp{{5, 0, 0, 1}, {5, 0, 0, 0}}, counts{received: 1, repeated: 1}},
		"of a neighbour":   {[]stamp{{5, 0, 1, 0}}, counts{misdirected: 1}},
		"of nobody":        {[]stamp{{5, 0, 77, 0}}, counts{misdirected: 1}},
		"of another trial": {[]stamp{{6, 0, 0, 0}, {6, 0, 0, 0}}, counts{foreign: 2}},
	} {
		l := testLoop(t, Config{Scenario: Echo, Clients: 2, Rate: 1})
		for _, s := range c.stamps {
			l.clients[0].deliver(s)
		}
		s := &l.seen
		if got := (counts{s.Received, s.Repeated, s.Misdirected, s.Foreign}); got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}

func TestLatencyIsOfTheWindow(t *testing.T) {
	l := testLoop(t, Config{Scenario: Echo, Clients: 1, Rate: 1})
	l.from, l.to = 100, 200
	for seq, at := range []int64{99, 100, 199, 200} {
		l.clients[0].deliver(stamp{run: 5, at: at, seq: uint64(seq)})
	}
	if got := l.latency.Count(); got != 2 {
		t.Errorf("%d latencies count, want the 2 that were due in the window", got)
	}
	if got, want := l.latency.Max(), time.Duration(l.now-100); got != want {
		t.Errorf("longest = %v, want %v", got, want)
	}
}

// sentBy returns how many messages each stream has sent. The clients have no
// socket: what they write is kept.
func sentBy(l *loop) (counts []int) {
	for _, s := range l.sending.streams {
		counts = append(counts, int(s.sent))
	}
	return counts
}

// openAll has the clients of a loop appear to be connected to sockets that take
// nothing.
func openAll(l *loop) {
	for i := range l.clients {
		l.clients[i].state = open
		l.clients[i].socket = socket{loop: l, out: []byte{0}}
	}
}

func TestInFlightIsABound(t *testing.T) {
	l := testLoop(t, Config{Scenario: Broadcast, Clients: 4, Senders: 2, InFlight: 3})
	openAll(l)
	l.sending.start(l, 1<<60)
	if got, want := sentBy(l), []int{2, 1}; !slices.Equal(got, want) {
		t.Fatalf("sent = %v, want %v", got, want)
	}
	for i := range l.clients { // the first message comes to all but the last client
		if i == 3 {
			break
		}
		l.clients[i].deliver(stamp{run: 5, stream: 0, seq: 0})
	}
	if got := l.seen.Sent; got != 3 {
		t.Errorf("%d were sent while one client has not got the first, want 3", got)
	}
	l.clients[3].deliver(stamp{run: 5, stream: 0, seq: 0})
	if got := l.seen.Sent; got != 4 {
		t.Errorf("%d were sent when all have got the first, want 4", got)
	}
	if got, want := l.seen.Expected, uint64(4*4); got != want {
		t.Errorf("expected = %d, want %d", got, want)
	}
}

// One message in flight of the whole trial is one, however many loops there are.
func TestInFlightIsSharedOut(t *testing.T) {
	c := Config{Scenario: Echo, Clients: 12, InFlight: 1, Protocol: "json", Payload: 40, GroupSize: 1, Senders: 1}
	total := 0
	for _, share := range (Share{Count: 12}).Split(3) {
		l, err := newLoop(&c, wordingOf(t, "json", 40), target{}, share)
		if err != nil {
			t.Fatal(err)
		}
		openAll(l)
		l.now = 1
		l.sending.start(l, 1<<60)
		total += int(l.seen.Sent)
		l.closeDescriptors()
	}
	if total != 1 {
		t.Errorf("%d messages are on their way, want 1", total)
	}
}

func TestRateSendsWhatIsDue(t *testing.T) {
	l := testLoop(t, Config{Scenario: Echo, Clients: 2, Rate: 1000})
	openAll(l)
	second := int64(time.Second)
	l.now = second
	l.sending.start(l, 2*second)
	l.now = second + second/10
	l.sending.turn(l)
	if got := l.seen.Sent; got != 101 {
		t.Errorf("%d were sent after 100 ms at 1,000 per second, want 101", got)
	}
	if got := l.seen.Behind; got != 100*time.Millisecond {
		t.Errorf("behind by %v, want 100 ms", got)
	}
	l.now = 2 * second // and now there is no time for the rest
	for l.sending.active {
		l.sending.turn(l)
	}
	if got := l.seen.Sent + l.seen.Unsent; got != 1000 {
		t.Errorf("%d were sent and %d not, want 1,000 together", l.seen.Sent, l.seen.Unsent)
	}
}

func TestUnsentIsCounted(t *testing.T) {
	l := testLoop(t, Config{Scenario: Echo, Clients: 1, Rate: 1e6})
	openAll(l)
	second := int64(time.Second)
	l.now = second
	l.sending.start(l, 2*second)
	l.now = 3 * second
	l.sending.turn(l)
	if l.sending.active || l.seen.Sent != batch || l.seen.Sent+l.seen.Unsent != 1e6 {
		t.Errorf("%d were sent and %d not, want %d and the rest of a million", l.seen.Sent, l.seen.Unsent, batch)
	}
	l.clients[0].socket.out = make([]byte, maxUnsent+1)
	if l.sending.pick() != nil {
		t.Error("a client is to send whose socket is full")
	}
}

// However the service cuts what it sends, the client finds every message.
func TestMessagesInPieces(t *testing.T) {
	l := testLoop(t, Config{Scenario: Echo, Clients: 1, Rate: 1})
	var stream []byte
	for seq := range 3 {
		stream = append(stream, l.words.(*wording).receive(stamp{run: 5, seq: uint64(seq)})...)
	}
	for cut := range len(stream) {
		l.seen, l.clients[0].expected[0] = Snapshot{}, 0
		c := &l.clients[0]
		c.state = open
		c.reader = wsframe.Reader{Options: wsframe.FromServer | wsframe.TrustText}
		wire := wsframe.AppendFrame(nil, wsframe.OpText, stream[:cut])
		wire = wsframe.AppendFrame(wire, wsframe.OpText, stream[cut:])
		if err := c.handle(wire); err != nil {
			t.Fatalf("cut after %d: %v", cut, err)
		}
		if l.seen.Received != 3 || c.held != nil {
			t.Fatalf("cut after %d: %d messages, and %d bytes are held", cut, l.seen.Received, len(c.held))
		}
	}
}

func TestEndlessMessageEndsTheClient(t *testing.T) {
	l := testLoop(t, Config{Scenario: Echo, Clients: 1, Rate: 1})
	c := &l.clients[0]
	c.state = open
	piece := make([]byte, 1<<20)
	var err error
	for range 6 {
		if err = c.Data(piece, true, false, false); err != nil {
			break
		}
	}
	if err == nil || len(c.held) > maxHeld+len(piece) {
		t.Errorf("a client holds %d bytes: %v", len(c.held), err)
	}
}

func FuzzClient(f *testing.F) {
	f.Add(byte(handshaking), wsframe.AppendFrame(nil, wsframe.OpText, []byte("{}\x1e{\"type\":6}\x1e")))
	f.Add(byte(open), wsframe.AppendClose(nil, 1000, "bye"))
	f.Add(byte(open), wsframe.AppendFrame(nil, wsframe.OpPing, []byte("x")))
	f.Add(byte(upgrading), []byte("HTTP/1.1 101 Switching Protocols\r\n\r\n"))
	c := Config{Scenario: Echo, Clients: 1, Rate: 1, Protocol: "json", Payload: 40, Run: 5, GroupSize: 1, Senders: 1}
	words := wordingOf(f, "json", 40)
	f.Fuzz(func(t *testing.T, in byte, b []byte) {
		l := &loop{config: &c, plan: c.plan(), words: words, key: 1, clients: make([]client, 1)}
		l.clients[0] = client{loop: l}
		l.share.Count = 1
		l.planStreams()
		one := &l.clients[0]
		one.state = state(in % byte(leaving+1))
		if one.state == closed {
			one.state = open
		}
		one.worker = &worker{loop: l}
		one.reader = wsframe.Reader{Options: wsframe.FromServer | wsframe.TrustText}
		one.socket = socket{loop: l, out: []byte{0}}
		_ = one.handle(b) // an error ends the client; a panic would end the trial
	})
}

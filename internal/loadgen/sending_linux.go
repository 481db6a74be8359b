package loadgen

import (
	"math"
	"time"
)

// A stream is the messages of one client of this loop to one audience.
type stream struct {
	id       int
	sender   *client
	head     []byte // of its messages, up to the stamp
	tail     []byte
	sent     uint32
	audience int      // receivers
	local    int      // receivers in this loop
	pending  []uint32 // for each message on its way, by its number modulo the length: local receivers that have not got it
}

// batch is how many messages are sent before the loop looks at its sockets.
const batch = 1024

// sending is what a loop sends.
type sending struct {
	streams []stream        // their ids are in a row
	index   map[int]*stream // by id
	active  bool
	until   int64 // when sending ends
	turnOf  int   // index of the next stream to send

	inFlight int // with a bound: messages that may be on their way
	onTheWay int
	rate     float64 // with a rate: messages per second
	begun    int64
	due      int64 // when the next message is due
	count    int   // messages that were due
}

// planStreams makes the streams whose senders are in this loop.
func (l *loop) planStreams() {
	l.sending.index = map[int]*stream{}
	for id := range l.plan.streams() {
		sender := l.plan.sender(id) - l.share.First
		if sender < 0 || sender >= len(l.clients) {
			continue
		}
		first, n := l.plan.audience(id)
		from, to := max(first, l.share.First), min(first+n, l.share.First+l.share.Count)
		l.sending.streams = append(l.sending.streams, stream{id: id, sender: &l.clients[sender], audience: n, local: to - from})
	}
	for i := range l.sending.streams {
		s := &l.sending.streams[i]
		l.sending.index[s.id] = s
	}
	slab := 0
	for i := range l.clients {
		_, n := l.plan.received(l.clients[i].number)
		slab += n
	}
	expected := make([]uint32, slab)
	for i := range l.clients {
		c := &l.clients[i]
		var n int
		c.first, n = l.plan.received(c.number)
		c.expected, expected = expected[:n:n], expected[n:]
	}
}

// prepare words the messages, which needs connection ids.
func (l *loop) prepare() error {
	for i := range l.sending.streams {
		s := &l.sending.streams[i]
		partner := ""
		if l.plan.scenario == SendToConnection {
			partner = l.clients[l.plan.partner(s.id)-l.share.First].id
		}
		var err error
		if s.head, s.tail, err = l.words.call(l.plan, s.id, partner); err != nil {
			return err
		}
	}
	return nil
}

// start begins to send, until the time until.
func (s *sending) start(l *loop, until int64) {
	if len(s.streams) == 0 {
		return
	}
	all := l.plan.streams()
	s.active, s.until = true, until
	if l.config.Rate > 0 {
		s.rate, s.begun, s.count = l.config.Rate*float64(len(s.streams))/float64(all), l.now, 0
		s.due = l.now
		return
	}
	s.inFlight = Share{s.streams[0].id, len(s.streams)}.part(l.config.InFlight, all)
	size := 1
	for size < s.inFlight+1 {
		size *= 2
	}
	for i := range s.streams {
		if s.streams[i].local > 1 {
			s.streams[i].pending = make([]uint32, size)
		}
	}
	s.refill(l)
}

func (s *sending) stop() { s.active, s.due = false, 0 }

// next returns when something is due, 0 if nothing is.
func (s *sending) next() int64 {
	if !s.active {
		return 0
	}
	if s.rate > 0 {
		return min(s.due, s.until)
	}
	return s.until
}

// turn sends what is due by the clock.
func (s *sending) turn(l *loop) {
	if !s.active {
		return
	}
	if s.rate <= 0 {
		s.refill(l)
	} else {
		s.sendDue(l)
	}
	if l.now >= s.until {
		l.seen.Unsent += s.overdue()
		s.stop()
	}
}

// overdue returns how many messages were due before the end and have not been
// sent. There is no time for them any more.
func (s *sending) overdue() uint64 {
	all := int(math.Ceil(float64(s.until-s.begun) / 1e9 * s.rate))
	if s.rate <= 0 || s.due >= s.until || all <= s.count {
		return 0
	}
	return uint64(all - s.count)
}

func (s *sending) sendDue(l *loop) {
	for n := 0; n < batch && s.due <= l.now && s.due < s.until; n++ {
		l.seen.Behind = max(l.seen.Behind, time.Duration(l.now-s.due))
		if next := s.pick(); next != nil {
			l.sendMessage(next, s.due)
		} else {
			l.seen.Unsent++
		}
		s.count++
		s.due = s.begun + int64(float64(s.count)/s.rate*1e9)
	}
}

// refill sends as many messages as may be on their way.
func (s *sending) refill(l *loop) {
	for s.active && s.onTheWay < s.inFlight && l.now < s.until {
		next := s.pick()
		if next == nil {
			return
		}
		s.onTheWay++
		l.sendMessage(next, l.now)
	}
}

// pick returns the next stream whose client can send, nil if there is none.
func (s *sending) pick() *stream {
	for range s.streams {
		next := &s.streams[s.turnOf]
		if s.turnOf++; s.turnOf == len(s.streams) {
			s.turnOf = 0
		}
		if next.sender.state == open && !next.sender.socket.full() {
			return next
		}
	}
	return nil
}

func (l *loop) sendMessage(s *stream, due int64) {
	c := s.sender
	b := append(l.scratch[:0], s.head...)
	b = stamp{l.config.Run, due, s.id, uint64(s.sent)}.append(b)
	b = append(b, s.tail...)
	l.scratch = b
	if len(s.pending) > 0 {
		s.pending[int(s.sent)&(len(s.pending)-1)] = uint32(s.local)
	}
	s.sent++
	l.seen.Sent++
	l.seen.Expected += uint64(s.audience)
	if err := c.send(b); err != nil {
		c.end(err)
	}
}

// deliver accounts for a message that came.
func (c *client) deliver(m stamp) {
	l := c.loop
	k := m.stream - c.first
	switch {
	case m.run != l.config.Run:
		l.seen.Foreign++
		return
	case k < 0 || k >= len(c.expected):
		l.seen.Misdirected++
		return
	}
	seq, next := uint32(m.seq), &c.expected[k]
	if seq < *next {
		l.seen.Repeated++
		return
	}
	*next = seq + 1
	l.seen.Received++
	if m.at >= l.from && m.at < l.to {
		l.latency.Record(time.Duration(l.now - m.at))
	}
	if l.sending.rate <= 0 {
		l.sending.arrived(l, m)
	}
}

// arrived makes room for the next message when the last local receiver has this one.
func (s *sending) arrived(l *loop, m stamp) {
	from := s.index[m.stream]
	if from == nil {
		return
	}
	if from.local > 1 {
		left := &from.pending[int(m.seq)&(len(from.pending)-1)]
		if *left--; *left > 0 {
			return
		}
	}
	s.onTheWay--
	s.refill(l)
}

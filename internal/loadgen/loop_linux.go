package loadgen

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

const (
	readBuffer = 256 << 10              // what one read may bring
	eventBatch = 512                    // events taken from the kernel at once
	tickEvery  = 100 * time.Millisecond // pings, timeouts
)

// A loop is one thread with its epoll instance and its share of the clients.
// Everything in it belongs to that thread, save the mailbox.
type loop struct {
	config *Config
	plan   plan
	words  dialect
	target target
	share  Share

	epoll, wake, timer int
	slots              []slot
	free               []int32 // slots that are not in use
	buffer             []byte  // what is read, until it has been handled
	scratch            []byte  // a message in the making
	framed             []byte  // the same in its frame
	now                int64   // monotonic clock, ns; read anew for each event
	nextTick           int64
	armed              int64 // when the timer fires; 0: it does not
	key                uint32
	dialled            int   // sockets that were connected
	started            int64 // when pings began
	pinged             int   // pings that were due

	clients    []client // of the share
	handshakes sync.WaitGroup
	phases     phases
	sending    sending
	seen       Snapshot
	latency    Histogram
	from       int64 // messages that were due in [from, to) count in latency
	to         int64

	mu    sync.Mutex
	mail  []func() // runs in the loop; guarded by mu
	ended bool     // by mail; no more is taken; guarded by mu
}

// A slot is a place for a socket. Its number and generation travel with each
// event, so that an event for a socket that was closed is not taken for one of
// the next socket in its place.
type slot struct {
	owner      owner
	generation int32
}

// An owner handles what happens to its socket.
type owner interface {
	ready(events uint32) // there is something to read, or room to write
	failed(err error)    // it could not be made ready
}

// Events that are not for a slot.
const (
	wakeSlot  = -1
	timerSlot = -2
)

func newLoop(config *Config, words dialect, target target, share Share) (*loop, error) {
	l := &loop{
		config: config, plan: config.plan(), words: words, target: target, share: share,
		buffer: make([]byte, readBuffer), key: config.Run*2654435761 | 1, started: monotonic(),
	}
	if err := l.open(); err != nil {
		l.closeDescriptors()
		return nil, fmt.Errorf("start event loop: %w", err)
	}
	l.clients = make([]client, share.Count)
	for i := range l.clients {
		l.clients[i] = client{loop: l, number: share.First + i}
	}
	l.planStreams()
	return l, nil
}

func (l *loop) open() (err error) {
	l.wake, l.timer = -1, -1
	if l.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		l.epoll = -1
		return err
	}
	if l.wake, err = unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC); err != nil {
		return err
	}
	if l.timer, err = unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC); err != nil {
		return err
	}
	for fd, number := range map[int]int32{l.wake: wakeSlot, l.timer: timerSlot} {
		event := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLET, Fd: number}
		if err := unix.EpollCtl(l.epoll, unix.EPOLL_CTL_ADD, fd, &event); err != nil {
			return err
		}
	}
	return nil
}

func (l *loop) closeDescriptors() {
	for _, fd := range []int{l.epoll, l.wake, l.timer} {
		if fd >= 0 {
			_ = unix.Close(fd)
		}
	}
}

// run handles events until mail ends it. It has the thread for itself.
func (l *loop) run() {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer l.closeDescriptors()
	events := make([]unix.EpollEvent, eventBatch)
	for l.takeMail() {
		l.arm()
		n, err := unix.EpollWait(l.epoll, events, -1)
		if err != nil && !errors.Is(err, unix.EINTR) {
			panic("loadgen: epoll_wait: " + err.Error()) // only a mistake in this file can cause it
		}
		l.now = monotonic()
		for _, e := range events[:max(n, 0)] {
			l.dispatch(e)
		}
		l.turn()
	}
	for i := range l.clients {
		l.clients[i].socket.close(true)
	}
	for _, w := range l.phases.workers {
		w.fetch.socket.close(true)
	}
	if p := l.phases.current; p != nil {
		close(p.done)
	}
	l.handshakes.Wait()
}

func (l *loop) dispatch(e unix.EpollEvent) {
	switch {
	case e.Fd == wakeSlot:
		var counter [8]byte
		_, _ = unix.Read(l.wake, counter[:])
	case e.Fd == timerSlot:
		l.armed = 0
	case l.slots[e.Fd].generation == e.Pad && l.slots[e.Fd].owner != nil:
		l.slots[e.Fd].owner.ready(e.Events)
	}
}

// turn does what is due by the clock.
func (l *loop) turn() {
	l.sending.turn(l)
	if l.phases.nextStart(len(l.clients)) > 0 {
		l.pump()
	}
	if l.now >= l.nextTick {
		l.nextTick = l.now + int64(tickEvery)
		l.phases.tick(l)
		l.ping()
	}
}

// arm sets the timer to the next thing that is due.
func (l *loop) arm() {
	next := l.nextTick
	for _, due := range [...]int64{l.sending.next(), l.phases.nextStart(len(l.clients))} {
		if due > 0 {
			next = min(next, due)
		}
	}
	if next == l.armed {
		return
	}
	l.armed = next
	at := unix.ItimerSpec{Value: unix.NsecToTimespec(max(next, 1))}
	if err := unix.TimerfdSettime(l.timer, unix.TFD_TIMER_ABSTIME, &at, nil); err != nil {
		panic("loadgen: timerfd_settime: " + err.Error()) // only a mistake in this file can cause it
	}
}

// post has f run in the loop. It tells whether it will.
func (l *loop) post(f func()) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended {
		return false
	}
	if l.mail = append(l.mail, f); len(l.mail) == 1 {
		_, _ = unix.Write(l.wake, []byte{1, 0, 0, 0, 0, 0, 0, 0}) // the counter cannot be full
	}
	return true
}

// takeMail runs what was posted, and tells whether the loop goes on.
func (l *loop) takeMail() bool {
	l.mu.Lock()
	mail, ended := l.mail, l.ended
	l.mail = nil
	l.mu.Unlock()
	l.now = monotonic()
	for _, f := range mail {
		f()
	}
	return !ended || len(mail) > 0
}

// end has the loop end.
func (l *loop) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended = true
	_, _ = unix.Write(l.wake, []byte{1, 0, 0, 0, 0, 0, 0, 0})
}

// add puts a socket under the watch of the loop.
func (l *loop) add(fd int, o owner) (number int32, err error) {
	if n := len(l.free); n > 0 {
		number, l.free = l.free[n-1], l.free[:n-1]
	} else {
		number, l.slots = int32(len(l.slots)), append(l.slots, slot{})
	}
	s := &l.slots[number]
	s.owner = o
	s.generation++
	event := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLOUT | unix.EPOLLRDHUP | unix.EPOLLET, Fd: number, Pad: s.generation}
	if err := unix.EpollCtl(l.epoll, unix.EPOLL_CTL_ADD, fd, &event); err != nil {
		l.remove(number)
		return 0, fmt.Errorf("watch socket: %w", err)
	}
	return number, nil
}

// remove forgets a socket, which the caller closes.
func (l *loop) remove(number int32) {
	l.slots[number].owner = nil
	l.free = append(l.free, number)
}

// fail notes what went wrong; the first errors are kept.
func (l *loop) fail(err error) {
	if len(l.seen.Errors) < maxErrors {
		l.seen.Errors = append(l.seen.Errors, err.Error())
	}
}

// mask returns a key for the next frame.
func (l *loop) mask() [4]byte {
	l.key ^= l.key << 13
	l.key ^= l.key >> 17
	l.key ^= l.key << 5
	return [4]byte{byte(l.key), byte(l.key >> 8), byte(l.key >> 16), byte(l.key >> 24)}
}

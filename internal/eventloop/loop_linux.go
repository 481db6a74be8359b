package eventloop

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	maxEvents = 256
	tick      = time.Second
)

// Loops are the loops of a service. Sockets are dealt out in turn.
type Loops struct {
	all  []*Loop
	next atomic.Uint32
	done sync.WaitGroup
}

// Start starts n loops.
func Start(n int) (*Loops, error) { return StartOn(kernel{}, n) }

// StartOn starts n loops whose sockets are those of system.
func StartOn(system System, n int) (*Loops, error) {
	l := &Loops{}
	for range n {
		loop, err := newLoop(system)
		if err != nil {
			l.Stop()
			return nil, fmt.Errorf("start event loop: %w", err)
		}
		l.all = append(l.all, loop)
		l.done.Go(loop.run)
	}
	return l, nil
}

// Stop aborts what is left of the sockets and waits until all loops have ended.
// Nil Loops have nothing to stop.
func (l *Loops) Stop() {
	if l == nil {
		return
	}
	for _, loop := range l.all {
		loop.post(nil, true)
	}
	l.done.Wait()
}

// Next returns the loop for the next socket.
func (l *Loops) Next() *Loop { return l.all[l.next.Add(1)%uint32(len(l.all))] }

// A Loop serves its sockets in one goroutine.
type Loop struct {
	system System
	epoll  *os.File // waited for through the runtime's poller
	raw    syscall.RawConn
	peek   func(fd uintptr)      // takes the events that there are; made once, as is wake
	wake   func(fd uintptr) bool // the same, and tells whether there are any
	alarm  int                   // eventfd that ends the waiting

	// Scratch is for handlers, while one of their methods runs.
	Scratch Scratch

	sockets []*Socket // by descriptor; owned by run, as is all to the empty line
	open    int
	watched map[*Socket]struct{}
	buffer  []byte
	events  [maxEvents]unix.EpollEvent
	ready   int // events of the last wait
	mail    []*Socket
	ticked  time.Time
	limited bool // epoll has a read deadline

	parked atomic.Bool // run waits, or is about to
	mu     sync.Mutex
	posted []*Socket // sockets that were woken; guarded by mu
	stop   bool      // guarded by mu, as is ended
	ended  bool
}

// Scratch is memory that the handlers of a loop share.
type Scratch struct {
	Bytes []byte
	Any   any // what the handlers of a package keep here, made at its first use
}

func newLoop(system System) (*Loop, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	if err := unix.SetNonblock(fd, true); err != nil { // else os.NewFile does not use the poller
		_ = unix.Close(fd)
		return nil, os.NewSyscallError("fcntl", err)
	}
	l := &Loop{
		system:  system,
		epoll:   os.NewFile(uintptr(fd), "epoll"),
		watched: map[*Socket]struct{}{},
		buffer:  make([]byte, ReadBytes),
	}
	l.wake = l.pollFD
	l.peek = func(fd uintptr) { l.pollFD(fd) }
	if l.raw, err = l.epoll.SyscallConn(); err != nil {
		return nil, errors.Join(err, l.epoll.Close())
	}
	if l.alarm, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err != nil {
		return nil, errors.Join(os.NewSyscallError("eventfd", err), l.epoll.Close())
	}
	if err := (kernel{}).Control(fd, unix.EPOLL_CTL_ADD, l.alarm, unix.EPOLLIN); err != nil {
		return nil, errors.Join(err, unix.Close(l.alarm), l.epoll.Close())
	}
	return l, nil
}

func (l *Loop) control(op, fd int, events uint32) error {
	var err error
	cerr := l.raw.Control(func(epoll uintptr) {
		err = l.system.Control(int(epoll), op, fd, events)
	})
	return errors.Join(cerr, os.NewSyscallError("epoll_ctl", err))
}

// post hands s to the loop, unless it is nil, and wakes it up if it waits. It
// is false when the loop has ended.
func (l *Loop) post(s *Socket, stop bool) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended {
		return false
	}
	if s != nil {
		l.posted = append(l.posted, s)
	}
	l.stop = l.stop || stop
	if l.parked.CompareAndSwap(true, false) {
		_, _ = unix.Write(l.alarm, one[:])
	}
	return true
}

// one is what an eventfd counts up by.
var one = [8]byte{7: 1}

// finish ends the loop, unless there is mail.
func (l *Loop) finish() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended = len(l.posted) == 0
	return l.ended
}

func (l *Loop) run() {
	defer l.close()
	for {
		l.wait()
		for i := range l.ready {
			l.serve(&l.events[i])
		}
		stop := l.takeMail()
		for i, s := range l.mail {
			s.serveMail()
			l.mail[i] = nil
		}
		l.tickIfDue()
		if stop && l.stopSockets() && l.finish() {
			return
		}
	}
}

// wait returns when there are events, mail, or a tick is due.
func (l *Loop) wait() {
	if l.poll(); l.ready > 0 || l.hasMail() {
		return
	}
	l.parked.Store(true)
	if l.hasMail() { // it came before the alarm was armed
		l.parked.Store(false)
		return
	}
	l.setDeadline()
	_ = l.raw.Read(l.wake) // fails only at the deadline
	l.parked.Store(false)
}

// setDeadline ends the waiting in time for the next tick, if sockets are watched.
func (l *Loop) setDeadline() {
	switch {
	case len(l.watched) > 0:
		_ = l.epoll.SetReadDeadline(l.ticked.Add(tick))
	case l.limited:
		_ = l.epoll.SetReadDeadline(time.Time{})
	}
	l.limited = len(l.watched) > 0
}

func (l *Loop) poll() {
	_ = l.raw.Control(l.peek)
}

// pollFD takes the events that there are, and tells whether there are any.
func (l *Loop) pollFD(fd uintptr) bool {
	n, err := events(int(fd), l.events[:])
	for err == unix.EINTR {
		n, err = events(int(fd), l.events[:])
	}
	l.ready = max(n, 0)
	return l.ready > 0 || err != nil
}

func (l *Loop) hasMail() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.posted) > 0 || l.stop
}

// takeMail moves what was posted to mail, which is the loop's own.
func (l *Loop) takeMail() (stop bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mail, l.posted = l.posted, l.mail[:0]
	return l.stop
}

func (l *Loop) serve(e *unix.EpollEvent) {
	if int(e.Fd) == l.alarm {
		var count [8]byte
		_, _ = unix.Read(l.alarm, count[:])
		return
	}
	if int(e.Fd) >= len(l.sockets) || l.sockets[e.Fd] == nil {
		return // closed a moment ago
	}
	s := l.sockets[e.Fd]
	if e.Events&unix.EPOLLOUT != 0 {
		s.handler.Flush()
	}
	broken := e.Events&(unix.EPOLLHUP|unix.EPOLLERR) != 0
	if !s.closed && (broken || e.Events&unix.EPOLLIN != 0 && !s.paused && s.handler.Readable()) { // Flush may have paused it
		s.read()
	}
}

func (l *Loop) tickIfDue() {
	if len(l.watched) == 0 {
		l.ticked = time.Now()
		return
	}
	now := time.Now()
	if now.Sub(l.ticked) < tick {
		return
	}
	l.ticked = now
	for s := range l.watched {
		s.handler.Tick(now)
	}
}

// stopSockets aborts all sockets and tells whether none is left.
func (l *Loop) stopSockets() bool {
	for _, s := range l.sockets {
		if s != nil {
			s.end(ErrAborted)
		}
	}
	return l.open == 0
}

func (l *Loop) close() {
	_ = unix.Close(l.alarm)
	_ = l.epoll.Close()
}

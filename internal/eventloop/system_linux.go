package eventloop

import (
	"errors"
	"net"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A System is what a loop has its sockets from. There is one; tests have another,
// to have more sockets than there can be. None of its methods waits.
type System interface {
	// Take takes the descriptor out of conn, which is closed by it.
	Take(conn net.Conn) (fd int, err error)
	// Control tells an epoll instance of a descriptor: EPOLL_CTL_ADD or EPOLL_CTL_MOD.
	Control(epoll, op, fd int, events uint32) error
	// Receive reads what there is; the error is an errno, EAGAIN when nothing is.
	Receive(fd int, b []byte) (int, error)
	// Send writes what there is room for; the error is an errno, EAGAIN when there is none.
	Send(fd int, b []byte) (int, error)
	// Close closes a descriptor.
	Close(fd int) error
}

// kernel is the System that there is. The calls that a loop makes all the time are
// raw: none of them blocks, so the Go scheduler is not told of them. Telling it
// costs time in each call, and makes it start threads for the goroutines that it
// takes to be held up.
type kernel struct{}

func (kernel) Take(conn net.Conn) (int, error) {
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return 0, errors.New("take descriptor: not a TCP connection")
	}
	defer tcp.Close()
	raw, err := tcp.SyscallConn()
	if err != nil {
		return 0, err
	}
	fd, derr := -1, error(nil)
	err = raw.Control(func(old uintptr) {
		fd, derr = unix.FcntlInt(old, unix.F_DUPFD_CLOEXEC, 0)
		// Hub pings tell a dead peer, without a timer in the kernel for each socket.
		_ = unix.SetsockoptInt(int(old), unix.SOL_SOCKET, unix.SO_KEEPALIVE, 0)
	})
	return fd, errors.Join(err, os.NewSyscallError("fcntl", derr))
}

func (kernel) Control(epoll, op, fd int, events uint32) error {
	return unix.EpollCtl(epoll, op, fd, &unix.EpollEvent{Events: events, Fd: int32(fd)})
}

func (kernel) Receive(fd int, b []byte) (int, error) {
	return raw(unix.SYS_RECVFROM, fd, unsafe.Pointer(unsafe.SliceData(b)), len(b), unix.MSG_DONTWAIT)
}

func (kernel) Send(fd int, b []byte) (int, error) {
	return raw(unix.SYS_SENDTO, fd, unsafe.Pointer(unsafe.SliceData(b)), len(b), unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
}

func (kernel) Close(fd int) error { return unix.Close(fd) }

// events takes the events that there are.
func events(epoll int, to []unix.EpollEvent) (int, error) {
	return raw(unix.SYS_EPOLL_PWAIT, epoll, unsafe.Pointer(unsafe.SliceData(to)), len(to), 0)
}

func raw(call uintptr, fd int, p unsafe.Pointer, n, option int) (int, error) {
	r, _, errno := unix.RawSyscall6(call, uintptr(fd), uintptr(p), uintptr(n), uintptr(option), 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(r), nil
}

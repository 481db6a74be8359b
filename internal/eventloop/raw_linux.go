package eventloop

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// The calls that a loop makes all the time. None of them blocks, so the Go
// scheduler is not told of them: telling it costs time in each call, and makes
// it start threads for the goroutines that it takes to be held up.

func receive(fd int, b []byte) (int, error) {
	return raw(unix.SYS_RECVFROM, fd, unsafe.Pointer(unsafe.SliceData(b)), len(b), unix.MSG_DONTWAIT)
}

func send(fd int, b []byte) (int, error) {
	return raw(unix.SYS_SENDTO, fd, unsafe.Pointer(unsafe.SliceData(b)), len(b), unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
}

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

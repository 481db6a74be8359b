//go:build unix

package websocket

import (
	"io"
	"os"
	"syscall"
)

// rawReader returns what waits for bytes without a buffer, then borrows one.
func (t *threaded) rawReader(raw syscall.RawConn) func() error {
	var result error
	take := func(fd uintptr) (done bool) {
		buffer := readBuffers.Get().(*[readBytes]byte)
		defer readBuffers.Put(buffer)
		n, err := syscall.Read(int(fd), buffer[:])
		for err == syscall.EINTR {
			n, err = syscall.Read(int(fd), buffer[:])
		}
		switch {
		case err == syscall.EAGAIN:
			return false
		case err != nil:
			result = os.NewSyscallError("read", err)
		case n == 0:
			result = io.EOF
		default:
			t.receive(buffer[:n])
		}
		return true
	}
	return func() error {
		if err := raw.Read(take); err != nil {
			return err
		}
		return result
	}
}

//go:build !unix

package websocket

import "syscall"

// readRaw reads with a buffer: there is no waiting without one here.
func (t *threaded) readRaw(syscall.RawConn) error {
	buffer := readBuffers.Get().(*[readBytes]byte)
	defer readBuffers.Put(buffer)
	n, err := t.conn.Read(buffer[:])
	t.receive(buffer[:n])
	return err
}

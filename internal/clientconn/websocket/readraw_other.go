//go:build !unix

package websocket

import "syscall"

// rawReader reads with a buffer: there is no waiting without one here.
func (t *threaded) rawReader(syscall.RawConn) func() error { return t.read }

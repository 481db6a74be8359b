//go:build !linux

package eventloop

import "net"

// Loops are not there on this system.
type Loops struct{}

// Start returns ErrUnsupported.
func Start(int) (*Loops, error) { return nil, ErrUnsupported }

// Stop has nothing to do.
func (l *Loops) Stop() {}

// Next is never called, since there are no Loops.
func (l *Loops) Next() *Loop { return nil }

// A Loop does not exist on this system.
type Loop struct{ Scratch Scratch }

// Scratch is memory that the handlers of a loop share.
type Scratch struct {
	Bytes []byte
	Any   any
}

// A Socket does not exist on this system: Detachable is false for every connection.
type Socket struct{ loop *Loop }

// Detachable is false: a goroutine has to serve the connection.
func Detachable(net.Conn) bool { return false }

// Add returns ErrUnsupported.
func (s *Socket) Add(net.Conn, []byte) error { return ErrUnsupported }

// Init says which loop s is for.
func (s *Socket) Init(loop *Loop, _ Handler) { s.loop = loop }

// The other methods are never called.
func (s *Socket) Wake()                             {}
func (s *Socket) Abort()                            {}
func (s *Socket) Loop() *Loop                       { return s.loop }
func (s *Socket) Write(b []byte) (n int, err error) { return 0, ErrUnsupported }
func (s *Socket) Pause(bool)                        {}
func (s *Socket) Watch(bool)                        {}
func (s *Socket) Close()                            {}

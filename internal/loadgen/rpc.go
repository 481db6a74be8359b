package loadgen

import (
	"io"
	"net/rpc"
)

// Serve takes calls for a Load of this process from stream until it ends, and
// ends the Load then, whatever it is doing.
func Serve(stream io.ReadWriteCloser) error {
	server := rpc.NewServer()
	l := new(Load)
	if err := server.Register(l); err != nil {
		return err
	}
	server.ServeConn(&ending{stream, l})
	return l.Close(None{}, nil)
}

// ending ends the Load with the stream: net/rpc itself would wait for the calls
// that are under way.
type ending struct {
	io.ReadWriteCloser
	load *Load
}

func (e *ending) Read(b []byte) (int, error) {
	n, err := e.ReadWriteCloser.Read(b)
	if err != nil {
		_ = e.load.Close(None{}, nil) // it never fails
	}
	return n, err
}

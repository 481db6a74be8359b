// Package wsdeflate compresses WebSocket messages: permessage-deflate, without
// context takeover in either direction. Each message is compressed on its own, so
// that a connection holds no memory for it, and so that what was compressed once can
// go to many clients.
//
// Source: RFC 7692, "Compression Extensions for WebSocket".
package wsdeflate

import (
	"bytes"
	"compress/flate"
	"errors"
	"io"
	"sync"
)

// Errors of Inflate.
var (
	ErrTooLarge = errors.New("wsdeflate: message is too large")
	ErrCorrupt  = errors.New("wsdeflate: message is not compressed as it should be")
)

// tail ends what a deflater has flushed; it is not sent.
//
// Source: RFC 7692 section 7.2.1.
const tail = "\x00\x00\xff\xff"

// end is what an inflater gets after a message: the tail, and a last, empty block.
const end = tail + "\x01\x00\x00\xff\xff"

var deflaters = sync.Pool{New: func() any {
	d := new(deflater)
	d.flate, _ = flate.NewWriter(&d.out, flate.BestSpeed) // the level is valid
	return d
}}

type deflater struct {
	flate *flate.Writer
	out   appender
}

// An appender appends what is written.
type appender struct{ b []byte }

func (a *appender) Write(p []byte) (int, error) {
	a.b = append(a.b, p...)
	return len(p), nil
}

// Append appends message, compressed.
func Append(b, message []byte) []byte {
	d := deflaters.Get().(*deflater)
	defer deflaters.Put(d)
	d.out.b = b
	d.flate.Reset(&d.out)
	_, _ = d.flate.Write(message) // an appender does not fail
	_ = d.flate.Flush()
	b, d.out.b = d.out.b, nil
	return b[:len(b)-len(tail)]
}

// pieceBytes are inflated at once.
const pieceBytes = 16 << 10

var inflaters = sync.Pool{New: func() any {
	i := new(inflater)
	i.flate = flate.NewReader(&i.in)
	return i
}}

type inflater struct {
	flate io.ReadCloser // a flate.Resetter too
	in    source
	piece [pieceBytes]byte
}

// A source is a message and what an inflater gets after it.
type source struct {
	message bytes.Reader
	end     bytes.Reader
}

func (s *source) Read(p []byte) (int, error) {
	if s.message.Len() > 0 {
		return s.message.Read(p)
	}
	return s.end.Read(p)
}

func (s *source) ReadByte() (byte, error) {
	if s.message.Len() > 0 {
		return s.message.ReadByte()
	}
	return s.end.ReadByte()
}

// Inflate gives the bytes of a compressed message to take, in pieces that hold until
// take returns. A message of more than limit bytes is ErrTooLarge, and one that is no
// such message ErrCorrupt; pieces may have been taken before that shows. An error of
// take is returned as it is.
func Inflate(message []byte, limit int, take func([]byte) error) error {
	i := inflaters.Get().(*inflater)
	defer inflaters.Put(i)
	i.in.message.Reset(message)
	defer i.in.message.Reset(nil)
	i.in.end.Reset([]byte(end))
	for i.in.end.Len() > 0 { // a message may have a last block of its own, and go on behind it
		if err := i.flate.(flate.Resetter).Reset(&i.in, nil); err != nil {
			return err
		}
		if err := i.pieces(&limit, take); err != nil {
			return err
		}
	}
	return nil
}

// pieces inflates up to the end of a last block.
func (i *inflater) pieces(limit *int, take func([]byte) error) error {
	for {
		n, err := i.flate.Read(i.piece[:])
		if *limit -= n; *limit < 0 {
			return ErrTooLarge
		}
		if n > 0 {
			if err := take(i.piece[:n]); err != nil {
				return err
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return ErrCorrupt
		}
	}
}

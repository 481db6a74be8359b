package loadgen

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"

	"golang.org/x/sys/unix"
)

// maxAnswer bounds the answer to a negotiate request.
const maxAnswer = 64 << 10

// A fetch sends negotiate requests, one after the other, and takes their
// answers. It keeps its connection while the server does.
type fetch struct {
	loop   *loop
	socket socket
	to     *endpoint
	in     []byte
	done   func(body []byte, err error) // called once for each request; nil: none is under way
}

// post sends a request. A connection that is open is used again.
func (f *fetch) post(to *endpoint, u *url.URL, token string, done func(body []byte, err error)) {
	f.done = done
	if !f.socket.open || f.to != to {
		f.socket.close(true)
		f.to = to
		if err := f.socket.connect(f.loop, to, f); err != nil {
			f.finish(nil, err)
			return
		}
	}
	b := append(f.loop.scratch[:0], "POST "...)
	b = append(b, u.RequestURI()...)
	b = append(append(b, " HTTP/1.1\r\nHost: "...), u.Host...)
	if token != "" {
		b = append(append(b, "\r\nAuthorization: Bearer "...), token...)
	}
	b = append(b, "\r\nContent-Length: 0\r\n\r\n"...)
	f.loop.scratch = b
	if err := f.socket.write(b); err != nil {
		f.finish(nil, err)
	}
}

func (f *fetch) finish(body []byte, err error) {
	done := f.done
	f.done = nil
	if err != nil {
		f.socket.close(true)
	}
	if done != nil {
		done(body, err)
	}
}

func (f *fetch) failed(err error) { f.finish(nil, err) }

// ready takes what the socket has. Whatever the events are, reading and writing
// tell what they mean.
func (f *fetch) ready(uint32) {
	if err := f.socket.flush(); err != nil {
		f.finish(nil, err)
		return
	}
	for f.socket.open {
		n, err := f.socket.read(f.loop.buffer)
		if err != nil {
			f.finish(nil, unexpected(err))
			return
		}
		if n == 0 {
			return
		}
		f.in = append(f.in, f.loop.buffer[:n]...)
		f.parse()
	}
}

func unexpected(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, unix.ECONNRESET) {
		return errors.New("server ended the connection")
	}
	return err
}

func (f *fetch) parse() {
	status, body, n, err := parseAnswer(f.in)
	switch {
	case err == nil && n == 0 && len(f.in) <= maxAnswer:
		return
	case err == nil && n == 0:
		err = errors.New("answer to negotiate is too long")
	case err == nil && status != http.StatusOK:
		err = fmt.Errorf("negotiate: %d %s: %s", status, http.StatusText(status), bytes.TrimSpace(body[:min(len(body), 200)]))
	}
	f.in = f.in[:0] // body lies in it until finish returns
	f.finish(body, err)
}

// parseAnswer reads an HTTP answer. n is its length, 0 while it is not whole.
func parseAnswer(b []byte) (status int, body []byte, n int, err error) {
	head := bytes.Index(b, []byte("\r\n\r\n"))
	if head < 0 {
		return 0, nil, 0, nil
	}
	length, ok := contentLength(b[:head+2])
	if !ok {
		return parseSlowly(b)
	}
	n = head + 4 + length
	if len(b) < n {
		return 0, nil, 0, nil
	}
	if len(b) < 12 {
		return 0, nil, 0, errors.New("answer is not HTTP/1.1")
	}
	status, err = strconv.Atoi(string(b[9:12]))
	return status, b[head+4 : n], n, err
}

func contentLength(head []byte) (n int, ok bool) {
	const name = "\r\nContent-Length: "
	at := bytes.Index(head, []byte(name))
	if at < 0 {
		return 0, false
	}
	value, _, _ := bytes.Cut(head[at+len(name):], []byte("\r\n"))
	n, err := strconv.Atoi(string(value))
	return n, err == nil && n >= 0 && n <= maxAnswer
}

// parseSlowly reads what other servers may answer: chunks, or headers in other
// letters.
func parseSlowly(b []byte) (status int, body []byte, n int, err error) {
	whole := bytes.NewReader(b)
	buffered := bufio.NewReader(whole)
	response, err := http.ReadResponse(buffered, nil)
	if err != nil {
		return 0, nil, 0, fmt.Errorf("read answer: %w", err)
	}
	defer response.Body.Close()
	if response.ContentLength < 0 && len(response.TransferEncoding) == 0 {
		return 0, nil, 0, errors.New("answer has no length")
	}
	body, err = io.ReadAll(response.Body)
	left := whole.Len() + buffered.Buffered()
	switch {
	case err != nil && left < 2: // half a line end may be left
		return 0, nil, 0, nil
	case err != nil:
		return 0, nil, 0, fmt.Errorf("read answer: %w", err)
	}
	return response.StatusCode, body, len(b) - left, nil
}

package client

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
)

// events is a stream of Server-Sent Events for one direction and POSTs for the other.
//
// Source: HTML Living Standard, "Server-sent events"; npm @microsoft/signalr
// ServerSentEventsTransport.ts.
type events struct {
	poster
	body   io.ReadCloser
	lines  *bufio.Reader
	data   []byte
	cancel context.CancelFunc
}

func openEvents(ctx context.Context, r *requester, u *url.URL) (transport, error) {
	life, cancel := context.WithCancel(context.WithoutCancel(ctx)) // the stream outlives the attempt to open it
	stop := context.AfterFunc(ctx, cancel)
	answer, err := r.do(life, http.MethodGet, u, http.Header{"Accept": {"text/event-stream"}, "Cache-Control": {"no-cache"}}, nil, http.StatusOK)
	if !stop() && err == nil {
		_ = answer.Body.Close()
		err = context.Cause(ctx)
	}
	if err != nil {
		cancel()
		return nil, fmt.Errorf("open stream of events: %w", err)
	}
	return &events{poster: poster{r, u}, body: answer.Body, lines: bufio.NewReader(answer.Body), cancel: cancel}, nil
}

// receive returns the data of the next event, whose lines are parts of it.
func (e *events) receive(ctx context.Context) ([]byte, error) {
	defer context.AfterFunc(ctx, e.cancel)()
	e.data = e.data[:0]
	some := false
	for {
		line, err := e.line()
		if err != nil {
			return nil, err
		}
		if len(line) == 0 && some {
			return e.data, nil
		}
		if value, ok := bytes.CutPrefix(line, []byte("data:")); ok {
			if some {
				e.data = append(e.data, '\n')
			}
			some = true
			e.data = append(e.data, bytes.TrimPrefix(value, []byte(" "))...)
		}
	}
}

// line returns the next line without its end, which is \n or \r\n.
func (e *events) line() ([]byte, error) {
	line, err := e.lines.ReadSlice('\n')
	if err == bufio.ErrBufferFull {
		var rest []byte
		line = bytes.Clone(line)
		rest, err = e.lines.ReadBytes('\n')
		line = append(line, rest...)
	}
	if err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(line[:len(line)-1], []byte("\r")), nil
}

func (e *events) close(context.Context) {
	e.cancel()
	_ = e.body.Close()
}

// A poster sends by POST.
type poster struct {
	requests *requester
	url      *url.URL
}

func (p *poster) send(ctx context.Context, b []byte, binary bool) error {
	kind := "text/plain;charset=UTF-8"
	if binary {
		kind = "application/octet-stream"
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	answer, err := p.requests.do(ctx, http.MethodPost, p.url, http.Header{"Content-Type": {kind}}, b, http.StatusOK, http.StatusAccepted, http.StatusNoContent)
	if err != nil {
		return err
	}
	return answer.Body.Close()
}

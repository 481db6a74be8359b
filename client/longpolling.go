package client

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"
)

// polls are GETs that wait until there is something, and POSTs for the other direction.
//
// Source: npm @microsoft/signalr LongPollingTransport.ts.
type polls struct {
	poster
	life  context.Context // ends with close
	end   context.CancelFunc
	over  sync.Once
	ended bool // the server has ended the connection; owned by receive
}

// openPolls makes the first poll, which is answered at once and opens the connection.
func openPolls(ctx context.Context, r *requester, u *url.URL) (transport, error) {
	answer, err := r.do(ctx, http.MethodGet, u, nil, nil, http.StatusOK)
	if err != nil {
		return nil, fmt.Errorf("open long polling: %w", err)
	}
	_ = answer.Body.Close()
	p := &polls{poster: poster{r, u}}
	p.life, p.end = context.WithCancel(context.WithoutCancel(ctx))
	return p, nil
}

func (p *polls) receive(ctx context.Context) ([]byte, error) {
	for !p.ended {
		body, err := p.poll(ctx)
		if err != nil || len(body) > 0 {
			return body, err
		}
	}
	return nil, io.EOF
}

func (p *polls) poll(ctx context.Context) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	defer context.AfterFunc(p.life, cancel)()
	answer, err := p.requests.do(ctx, http.MethodGet, p.url, nil, nil, http.StatusOK, http.StatusNoContent)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	p.ended = answer.StatusCode == http.StatusNoContent
	return io.ReadAll(answer.Body)
}

// close tells the server, so that it does not wait for the next poll.
func (p *polls) close(ctx context.Context) {
	p.over.Do(func() {
		p.end()
		answer, err := p.requests.do(ctx, http.MethodDelete, p.url, nil, nil, http.StatusOK, http.StatusAccepted, http.StatusNoContent)
		if err == nil {
			_ = answer.Body.Close()
		}
	})
}

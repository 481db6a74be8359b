package appserver_test

import (
	"fmt"
	"runtime"
	"testing"
	"testing/synctest"
)

type gateHub struct{ gate chan struct{} }

func (h *gateHub) Pass() { <-h.gate }

// Many calls at once leave few goroutines behind, and these work again.
func TestFewWorkersWaitForWork(t *testing.T) {
	bubble(t, func(t *testing.T) {
		const calls, spare, others = 500, 64, 10 // others are the runtime's, which come and go
		h := &gateHub{make(chan struct{})}
		a := start(t, h)
		synctest.Wait() // some goroutines of the start end
		before := runtime.NumGoroutine()
		clients := make([]*fakeClient, calls)
		for i := range clients {
			clients[i] = a.conn.connect(t, fmt.Sprint(i))
		}
		for range 2 {
			for _, c := range clients {
				c.send(t, `{"type":1,"invocationId":"1","target":"Pass","arguments":[]}`)
			}
			synctest.Wait()
			if got := runtime.NumGoroutine() - before; got < calls-others {
				t.Errorf("%d goroutines for %d calls", got, calls)
			}
			for range clients {
				h.gate <- struct{}{}
			}
			for range clients {
				a.conn.next(t) // an answer
			}
			synctest.Wait()
			if got := runtime.NumGoroutine() - before; got > spare+others {
				t.Errorf("%d goroutines wait for work, want at most %d", got, spare)
			}
		}
	})
}

package aspnet_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"switchboard/internal/clientconn/aspnet"
)

const (
	first    = `{"C":"0","S":1,"M":[]}`
	gone     = "close The client did not come back in time."
	preamble = "data: initialized\n\n"
)

func inFakeTime(t *testing.T, test func(t *testing.T, s *service)) {
	synctest.Test(t, func(t *testing.T) {
		s := newService(t, aspnet.Config{})
		test(t, s)
		if err := s.handler.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Minute) // timers run off
	})
}

func TestConnectTimeout(t *testing.T) {
	inFakeTime(t, func(t *testing.T, s *service) {
		c, other := s.negotiate(), s.negotiate()
		s.expect("negotiated", "", 2)
		time.Sleep(29 * time.Second)
		if status, body := c.do(t.Context(), "connect", "longPolling", ""); status != http.StatusOK || body != first {
			t.Errorf("connect after 29 s: %d %q", status, body)
		}
		time.Sleep(2 * time.Second)
		s.expect("31 s", "open", 1)
		if status, _ := other.do(t.Context(), "connect", "longPolling", ""); status != http.StatusNotFound {
			t.Errorf("connect after 31 s: %d, want 404", status)
		}
	})
}

func TestTimesOfLongPolling(t *testing.T) {
	inFakeTime(t, func(t *testing.T, s *service) {
		c := s.negotiate()
		c.do(t.Context(), "connect", "longPolling", "")
		time.Sleep(4 * time.Second)
		began := time.Now()
		status, body := c.do(t.Context(), "poll", "longPolling", "messageId=0")
		if took := time.Since(began); status != http.StatusOK || strings.TrimLeft(body, " ") != `{"C":"0","M":[]}` || !strings.HasPrefix(body, strings.Repeat(" ", 10)) || took != 110*time.Second {
			t.Errorf("a poll that nothing comes for: %d %q after %v, want one blank each 10 s, and an answer after 110 s", status, body, took)
		}
		time.Sleep(4 * time.Second)
		s.expect("4 s without a poll", "open", 1)
		time.Sleep(2 * time.Second)
		s.expect("6 s without a poll", gone, 0)
		if status, _ := c.do(t.Context(), "poll", "longPolling", ""); status != http.StatusNotFound {
			t.Errorf("a poll that is late: %d, want 404", status)
		}
	})
}

// A client that is cut off while it polls has as long as between two polls.
func TestCutPoll(t *testing.T) {
	inFakeTime(t, func(t *testing.T, s *service) {
		c := s.negotiate()
		c.do(t.Context(), "connect", "longPolling", "")
		ctx, cut := context.WithTimeout(t.Context(), 20*time.Second)
		defer cut()
		c.do(ctx, "poll", "longPolling", "")
		c.send(`{"C":"0","M":["missed"]}`)
		time.Sleep(4 * time.Second)
		if _, body := c.do(t.Context(), "reconnect", "longPolling", ""); body != `{"C":"1","M":["missed"]}` {
			t.Errorf("reconnect: %q", body)
		}
		s.expect("reconnected", "open, asrs:reconnect", 1)
	})
}

func TestTimesOfServerSentEvents(t *testing.T) {
	inFakeTime(t, func(t *testing.T, s *service) {
		c := s.negotiate()
		ctx, cut := context.WithTimeout(t.Context(), 34*time.Second)
		defer cut()
		go func() {
			time.Sleep(15 * time.Second)
			c.send(`{"C":"0","M":["now"]}`)
		}()
		// A keep-alive is due 10 s after what was sent last.
		_, body := c.do(ctx, "connect", "serverSentEvents", "")
		want := preamble + "data: " + first + "\n\n" + "data: {}\n\n" + "data: {\"C\":\"0\",\"M\":[\"now\"]}\n\n" + "data: {}\n\n"
		if body != want {
			t.Errorf("in 34 s the client got %q, want %q", body, want)
		}
		c.send(`{"C":"0","M":["missed\u000a"]}`)
		time.Sleep(34 * time.Second)
		ctx, cut = context.WithTimeout(t.Context(), time.Second)
		defer cut()
		if _, body := c.do(ctx, "reconnect", "serverSentEvents", ""); body != preamble+"data: {\"C\":\"0\",\"M\":[\"missed\\u000a\"]}\n\n" {
			t.Errorf("after 34 s without a stream the client got %q", body)
		}
		s.expect("reconnected", "open, asrs:reconnect", 1)
		time.Sleep(34 * time.Second)
		s.expect("34 s without a stream", "", 1)
		time.Sleep(2 * time.Second)
		s.expect("36 s without a stream", gone, 0)
	})
}

// A poll that begins anew ends the one before, however often.
func TestNewestPollWins(t *testing.T) {
	inFakeTime(t, func(t *testing.T, s *service) {
		c := s.negotiate()
		c.do(t.Context(), "connect", "longPolling", "")
		answers := make(chan string, 100)
		for range 100 {
			go func() {
				_, body := c.do(t.Context(), "poll", "longPolling", "messageId=0")
				answers <- body
			}()
			synctest.Wait()
		}
		for range 99 {
			if got := <-answers; got != `{"C":"0","M":[]}` {
				t.Errorf("a poll that was replaced: %q", got)
			}
		}
		c.send(`{"C":"0","M":["for the newest"]}`)
		if got := <-answers; got != `{"C":"1","M":["for the newest"]}` {
			t.Errorf("the newest poll: %q", got)
		}
	})
}

// Shutdown closes all, and waits until they have ended.
func TestShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService(t, aspnet.Config{})
		s.negotiate()
		polling, between, streaming := s.negotiate(), s.negotiate(), s.negotiate()
		polling.do(t.Context(), "connect", "longPolling", "")
		between.do(t.Context(), "connect", "longPolling", "")
		ended := make(chan string, 2)
		go func() { _, body := polling.do(t.Context(), "poll", "longPolling", ""); ended <- body }()
		go func() { _, body := streaming.do(t.Context(), "connect", "serverSentEvents", ""); ended <- body }()
		synctest.Wait()
		if err := s.handler.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
		for range 2 {
			if got := <-ended; got != `{"C":"0","M":[]}` && got != preamble+"data: "+first+"\n\n" {
				t.Errorf("a client got %q", got)
			}
		}
		if s.places.Taken() != 0 || s.hub.Stats().Clients != 0 || s.router.Hub("app_chat").Stats().Listeners != 0 {
			t.Errorf("%d places are taken; %+v", s.places.Taken(), s.hub.Stats())
		}
		if w := s.do(t.Context(), "negotiate", ""); w.Code != http.StatusServiceUnavailable {
			t.Errorf("negotiate: %d, want 503", w.Code)
		}
	})
}

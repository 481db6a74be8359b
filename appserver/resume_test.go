package appserver_test

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"switchboard/appserver"
)

// A service that does not know a connection any more ends it at once: its clients are gone, and
// another connection is opened.
func TestServerConnectionIsNotResumed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFakeService(t)
		f.resumes = true
		h := newMoveHub()
		a := startWith(t, f, appserver.Config{ServerConnections: 1}, h)
		a.conn.connect(t, "c1")
		h.want(t, `connected c1 from ""`)
		time.Sleep(2 * time.Second) // else the next attempt is not made at once
		began := time.Now()
		a.conn.drop()
		if got := receive(t, h.events, "end of the client"); !strings.Contains(got, "server connection lost") {
			t.Errorf("hub: %s", got)
		}
		f.next(t)
		if took := time.Since(began); took != 0 {
			t.Errorf("it took %v", took)
		}
		dials := 0
		f.with(func() { dials = len(f.dials) })
		if dials != 3 {
			t.Errorf("%d attempts, want the first, one to resume and a new one", dials)
		}
	})
}

// While it cannot be reached, the connection is kept for a while, and no client is sent to
// the service.
func TestServerConnectionWaitsToBeResumed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFakeService(t)
		f.resumes = true
		h := newMoveHub()
		a := startWith(t, f, appserver.Config{ServerConnections: 1}, h)
		a.conn.connect(t, "c1")
		h.want(t, `connected c1 from ""`)
		f.with(func() {
			f.refuse = func(int) (int, string) { return http.StatusServiceUnavailable, "" }
		})
		began := time.Now()
		a.conn.drop()
		synctest.Wait()
		if code := a.negotiate("/chat/negotiate").Code; code != http.StatusInternalServerError {
			t.Errorf("negotiate without a connection: %d", code)
		}
		if got := receive(t, h.events, "end of the client"); !strings.Contains(got, "server connection lost") {
			t.Errorf("hub: %s", got)
		}
		if took := time.Since(began); took != 3*time.Second {
			t.Errorf("its clients were kept for %v, want 3s", took)
		}
	})
}

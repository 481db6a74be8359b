package memnet_test

import (
	"net"
	"testing"

	"go.uber.org/goleak"

	"switchboard/internal/memnet"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// pair returns the two ends of a connection, which end with the test.
func pair(t testing.TB) (dialled, accepted net.Conn) {
	t.Helper()
	l := memnet.Listen()
	t.Cleanup(func() { l.Close() })
	accepting := make(chan net.Conn)
	go func() {
		c, err := l.Accept()
		if err != nil {
			t.Errorf("Accept: %v", err)
		}
		accepting <- c
	}()
	dialled, err := l.Dial(t.Context())
	if err != nil {
		t.Fatalf("Dial: %v", err)
	}
	accepted = <-accepting
	t.Cleanup(func() {
		dialled.Close()
		accepted.Close()
	})
	return dialled, accepted
}

package websocket_test

import (
	"crypto/tls"
	"fmt"
	"runtime"
	"testing"

	"switchboard/internal/clientconn"
)

// What an idle client takes of the memory of Go: TLS, WebSocket, client
// connection and what the test notes of each.
func TestMemoryOfIdleClients(t *testing.T) {
	clients := 1000
	if testing.Short() {
		clients = 200
	}
	onEveryEngine(t, func(t *testing.T, e engine) {
		s := start(t, e, clientconn.Limits{})
		forget(s.open("first", jsonRequest))
		heap, stacks := memoryInUse()
		goroutines := runtime.NumGoroutine()
		for i := range clients {
			forget(s.open(fmt.Sprint(i), jsonRequest))
		}
		heapAfter, stacksAfter := memoryInUse()
		perClient := (heapAfter - heap) / clients
		t.Logf("%d B of heap, %d B of stack for each client", perClient, (stacksAfter-stacks)/clients)
		if more := runtime.NumGoroutine() - goroutines; e.looped() && more > clients/10 {
			t.Errorf("%d goroutines more for %d clients", more, clients)
		}
		if e.looped() && perClient > 11<<10 {
			t.Errorf("%d B of heap for each client, want at most 11 KB", perClient)
		}
	})
}

// forget keeps nothing of a client but its socket, and that open.
func forget(c *client) {
	conn := c.Conn
	if secure, ok := conn.(*tls.Conn); ok {
		conn = secure.NetConn()
	}
	*c = client{Conn: conn}
}

func memoryInUse() (heap, stacks int) {
	runtime.GC()
	runtime.GC() // what was in a sync.Pool is gone after the second
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc), int(m.StackInuse)
}

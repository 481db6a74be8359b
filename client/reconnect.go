package client

import "time"

// A ReconnectPolicy tells how long to wait before the next attempt to connect again,
// or that there shall be none.
type ReconnectPolicy func(Retry) (wait time.Duration, again bool)

// A Retry is an attempt to connect again.
type Retry struct {
	Attempt int           // 0 for the first
	Elapsed time.Duration // since the connection was lost
	Reason  error         // why it was lost, or why the attempt before failed; nil for an end without an error
}

// DefaultReconnect tries at once, and after 2, 10 and 30 seconds more, as the official
// clients do.
var DefaultReconnect = ReconnectAfter(0, 2*time.Second, 10*time.Second, 30*time.Second)

// ReconnectAfter tries once after each of the delays.
func ReconnectAfter(delays ...time.Duration) ReconnectPolicy {
	return func(r Retry) (time.Duration, bool) {
		if r.Attempt >= len(delays) {
			return 0, false
		}
		return delays[r.Attempt], true
	}
}

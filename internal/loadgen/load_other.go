//go:build !linux

package loadgen

import (
	"errors"
	"time"
)

// Supported tells whether this system has what the load side needs.
const Supported = false

var errSystem = errors.New("the load side of the benchmark needs Linux: it is made of epoll, timerfd and /proc")

// A Load is some clients of a trial in this process. There are none on this system.
type Load struct{}

// Start fails on this system.
func (*Load) Start(Config, *None) error { return errSystem }

// Close has nothing to end.
func (*Load) Close(None, *None) error { return nil }

// Monotonic returns the clock of a Window.
func Monotonic() time.Duration { return 0 }

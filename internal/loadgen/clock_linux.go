package loadgen

import (
	"bytes"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// The clock of the runtime and that of the machine, read at one moment. The
// former is cheap, the latter is the same in every process. Of several readings
// the one is taken that was disturbed least, since processes compare times.
var clockBase, clockStart = func() (base int64, start time.Time) {
	shortest := time.Hour
	for range 20 {
		before := time.Now()
		now := clock(unix.CLOCK_MONOTONIC)
		if took := time.Since(before); took < shortest {
			shortest, base, start = took, int64(now), before.Add(took/2)
		}
	}
	return base, start
}()

// clock reads one of those that always exist.
func clock(id int32) time.Duration {
	var t unix.Timespec
	_ = unix.ClockGettime(id, &t) // it cannot fail for these
	return time.Duration(t.Nano())
}

// monotonic returns the monotonic clock of the machine in ns.
func monotonic() int64 { return clockBase + int64(time.Since(clockStart)) }

// threadTime asks the kernel about the calling thread.
func threadTime() (t ThreadTime) {
	text, err := os.ReadFile("/proc/thread-self/schedstat")
	if err != nil {
		return ThreadTime{CPU: clock(unix.CLOCK_THREAD_CPUTIME_ID)}
	}
	fields := bytes.Fields(text)
	if len(fields) < 2 {
		return ThreadTime{CPU: clock(unix.CLOCK_THREAD_CPUTIME_ID)}
	}
	cpu, _ := strconv.ParseInt(string(fields[0]), 10, 64)
	wait, _ := strconv.ParseInt(string(fields[1]), 10, 64)
	return ThreadTime{time.Duration(cpu), time.Duration(wait)}
}

// processTime returns what all threads of this process have used.
func processTime() time.Duration { return clock(unix.CLOCK_PROCESS_CPUTIME_ID) }

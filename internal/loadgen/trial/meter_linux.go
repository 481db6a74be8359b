package trial

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// A meter reads what the kernel knows of a process.
type meter struct{ pid int }

// A reading is what a process has used up to now, and holds.
type reading struct {
	cpu          time.Duration // exact
	user, system time.Duration // of cpu, in hundredths of a second
	wait         time.Duration // its threads were ready to run, but waited for a core, be it for each other
	rss          int64         // bytes in memory
	anonymous    int64         // of these, what is not part of a file
}

func (m meter) read() (r reading, err error) {
	// The clock of another process, as clock_getcpuclockid makes it.
	var t unix.Timespec
	if err := unix.ClockGettime(int32(^m.pid<<3|2), &t); err != nil {
		return r, fmt.Errorf("read CPU time of process %d: %w", m.pid, err)
	}
	r.cpu = time.Duration(t.Nano())
	if r.user, r.system, err = m.times(); err != nil {
		return r, err
	}
	r.wait = m.waited()
	r.rss, r.anonymous, err = m.memory()
	return r, err
}

// waited adds up what the threads that live have waited. Without statistics of
// the scheduler it is 0.
func (m meter) waited() (sum time.Duration) {
	folder := fmt.Sprintf("/proc/%d/task/", m.pid)
	tasks, _ := os.ReadDir(folder)
	for _, task := range tasks {
		text, _ := os.ReadFile(folder + task.Name() + "/schedstat") // it may have ended just now
		if fields := bytes.Fields(text); len(fields) > 1 {
			n, _ := strconv.ParseInt(string(fields[1]), 10, 64)
			sum += time.Duration(n)
		}
	}
	return sum
}

// clockTick is USER_HZ, which is 100 on every system that Go runs on.
const clockTick = time.Second / 100

// times reads utime and stime.
//
// Source: proc_pid_stat(5), fields 14 and 15; field 2 may have spaces.
func (m meter) times() (user, system time.Duration, err error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", m.pid))
	if err != nil {
		return 0, 0, fmt.Errorf("read CPU time: %w", err)
	}
	fields := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])
	if len(fields) < 13 {
		return 0, 0, fmt.Errorf("read CPU time: /proc/%d/stat is short", m.pid)
	}
	utime, err1 := strconv.ParseInt(string(fields[11]), 10, 64)
	stime, err2 := strconv.ParseInt(string(fields[12]), 10, 64)
	if err1 != nil || err2 != nil {
		return 0, 0, fmt.Errorf("read CPU time: /proc/%d/stat is not as expected", m.pid)
	}
	return time.Duration(utime) * clockTick, time.Duration(stime) * clockTick, nil
}

// coreBusy returns how long a core has run anything at all, in steps of
// clockTick.
//
// Source: proc_stat(5): user, nice, system, idle, iowait, irq, softirq, steal.
func coreBusy(core int) (time.Duration, error) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, fmt.Errorf("read use of core: %w", err)
	}
	_, rest, _ := bytes.Cut(text, fmt.Appendf(nil, "\ncpu%d ", core))
	line, _, _ := bytes.Cut(rest, []byte("\n"))
	fields := bytes.Fields(line)
	if len(fields) < 8 {
		return 0, fmt.Errorf("read use of core: /proc/stat does not have core %d", core)
	}
	ticks := int64(0)
	for i, field := range fields[:8] {
		n, err := strconv.ParseInt(string(field), 10, 64)
		if err != nil {
			return 0, fmt.Errorf("read use of core: /proc/stat is not as expected: %w", err)
		}
		if i != 3 && i != 4 {
			ticks += n
		}
	}
	return time.Duration(ticks) * clockTick, nil
}

// memory reads VmRSS and RssAnon.
func (m meter) memory() (rss, anonymous int64, err error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", m.pid))
	if err != nil {
		return 0, 0, fmt.Errorf("read memory: %w", err)
	}
	return statusField(text, "VmRSS:"), statusField(text, "RssAnon:"), nil
}

// statusField returns a field in kB as bytes.
func statusField(text []byte, name string) int64 {
	_, rest, _ := bytes.Cut(text, []byte("\n"+name))
	fields := bytes.Fields(rest[:min(len(rest), 40)])
	if len(fields) == 0 {
		return 0
	}
	n, _ := strconv.ParseInt(string(fields[0]), 10, 64)
	return n << 10
}

package trial

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// detach spares the child the signals that a terminal sends to all: this
// process ends it.
func detach(c *exec.Cmd) {
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
}

// onCores runs f, which starts a process, such that the process may run on the
// cores only: it inherits them from the thread that starts it.
func onCores(cores []int, f func() error) error {
	if cores == nil {
		return f()
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var before unix.CPUSet
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		return fmt.Errorf("read cores: %w", err)
	}
	set := cpuSet(cores)
	if err := unix.SchedSetaffinity(0, &set); err != nil {
		return fmt.Errorf("set cores: %w", err)
	}
	defer func() { _ = unix.SchedSetaffinity(0, &before) }() // it was allowed before
	return f()
}

// hasEnded tells whether a child has ended that nobody waited for yet.
func hasEnded(pid int) bool {
	var ended unix.Siginfo
	err := unix.Waitid(unix.P_PID, pid, &ended, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil)
	return err != nil || ended.Signo != 0
}

func cpuSet(cores []int) (set unix.CPUSet) {
	for _, core := range cores {
		set.Set(core)
	}
	return set
}

// allowedCores returns the cores that this process may run on.
func allowedCores() []int {
	var set unix.CPUSet
	if unix.SchedGetaffinity(0, &set) != nil {
		return nil
	}
	var cores []int
	for core := range 8 * 128 {
		if set.IsSet(core) {
			cores = append(cores, core)
		}
	}
	return cores
}

// moveTo has all threads of this process run on the cores only. Those that
// start later inherit it.
func moveTo(cores []int) error {
	set := cpuSet(cores)
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return fmt.Errorf("read threads: %w", err)
	}
	for _, task := range tasks {
		id, _ := strconv.Atoi(task.Name())
		if err := unix.SchedSetaffinity(id, &set); err != nil && err != unix.ESRCH {
			return fmt.Errorf("set cores: %w", err)
		}
	}
	return nil
}

// descriptors returns how many files one process may open here.
func descriptors() int {
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) != nil {
		return 1024
	}
	return int(min(limit.Cur, 1<<30))
}

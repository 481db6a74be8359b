//go:build !linux

package trial

import (
	"errors"
	"os/exec"
	"time"
)

var errSystem = errors.New("needs Linux")

func detach(*exec.Cmd) {}

func onCores(cores []int, f func() error) error {
	if cores != nil {
		return errSystem
	}
	return f()
}

func allowedCores() []int      { return nil }
func moveTo(cores []int) error { return errSystem }
func hasEnded(pid int) bool    { return false }
func descriptors() int         { return 1024 }

type meter struct{ pid int }

type reading struct {
	cpu, user, system, wait time.Duration
	rss, anonymous          int64
}

func coreBusy(core int) (time.Duration, error) { return 0, errSystem }

func (m meter) read() (reading, error) { return reading{}, errSystem }

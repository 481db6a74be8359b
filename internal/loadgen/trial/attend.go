package trial

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"runtime/pprof"
	"strings"
)

// What a process under test says.
const (
	readyWord = "ready "
	doneWord  = "done"
)

// Orders to a process under test.
const (
	orderCollect   = "collect"     // give memory that is not in use back to the system
	orderProfile   = "profile "    // and a file: start a CPU profile
	orderNoProfile = "end-profile" // end it
)

// Attend says that the process is ready at url, and obeys the orders of a trial
// until orders ends.
func Attend(url string, orders io.Reader, answers io.Writer) error {
	if _, err := fmt.Fprintln(answers, readyWord+url); err != nil {
		return fmt.Errorf("answer the trial: %w", err)
	}
	a := attendant{}
	defer a.endProfile()
	for lines := bufio.NewScanner(orders); lines.Scan(); {
		answer := doneWord
		if err := a.obey(lines.Text()); err != nil {
			answer = err.Error()
		}
		if _, err := fmt.Fprintln(answers, answer); err != nil {
			return fmt.Errorf("answer the trial: %w", err)
		}
	}
	return nil
}

type attendant struct{ profile *os.File }

func (a *attendant) obey(order string) error {
	path, profile := strings.CutPrefix(order, orderProfile)
	switch {
	case order == orderCollect:
		debug.FreeOSMemory()
		return nil
	case order == orderNoProfile:
		return a.endProfile()
	case profile && a.profile == nil:
		return a.startProfile(path)
	}
	return fmt.Errorf("order %q is not known", order)
}

func (a *attendant) startProfile(path string) (err error) {
	if a.profile, err = os.Create(path); err != nil {
		return err
	}
	return pprof.StartCPUProfile(a.profile)
}

func (a *attendant) endProfile() error {
	if a.profile == nil {
		return nil
	}
	pprof.StopCPUProfile()
	f := a.profile
	a.profile = nil
	return f.Close()
}

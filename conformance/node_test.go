package conformance_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// cellWait bounds the run of all cases with one version and protocol.
const cellWait = 3 * time.Minute

// installClients runs npm ci unless what package-lock.json names is there.
func installClients(t *testing.T) {
	t.Helper()
	const stamp = "node_modules/.installed" // the lock file that node_modules was made from
	lock, err := os.ReadFile("package-lock.json")
	if err != nil {
		t.Fatal(err)
	}
	installed, err := os.ReadFile(stamp)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	if bytes.Equal(installed, lock) {
		return
	}
	out, err := exec.CommandContext(t.Context(), "npm", "ci", "--ignore-scripts").CombinedOutput()
	if err != nil {
		t.Fatalf("npm ci: %v\n%s", err, out)
	}
	if err := os.WriteFile(stamp, lock, 0o644); err != nil {
		t.Fatal(err)
	}
}

// A report is a line that clients/main.js prints.
type report struct {
	Case   string
	Status string // pass, fail or skip
	Detail string
	End    bool // the last line
	Cases  int  // with End: how many there were
}

// chromium returns the path of a browser, which is installed if it has to be.
func chromium(t *testing.T) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "../scripts/chromium.sh").Output()
	if failure, ok := errors.AsType[*exec.ExitError](err); ok {
		t.Fatalf("chromium.sh: %s", failure.Stderr)
	}
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// A runtime is where clients run.
type runtime struct {
	script   string // of clients
	chromium string // path; empty for Node.js alone
}

// runCases runs the script of a runtime and makes a subtest of each case.
func runCases(t *testing.T, in runtime, version, protocol, transport string, svc *service, origin string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), cellWait)
	defer cancel()
	cmd := exec.CommandContext(ctx, "node", "--no-deprecation", "clients/"+in.script, version, protocol, transport, origin)
	cmd.Env = append(os.Environ(), "NO_PROXY=127.0.0.1", "CHROMIUM="+in.chromium) // a library of the old clients heeds HTTP_PROXY
	if in.chromium != "" {
		// The browser shall end with its parent, whatever ends that.
		cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
		cmd.WaitDelay = wait
	}
	if c := svc.certificate; c != nil {
		cmd.Env = append(cmd.Env, "NODE_EXTRA_CA_CERTS="+c.CertFile)
	}
	cmd.Stderr = t.Output()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	err = tellCases(t, out)
	if err := errors.Join(err, cmd.Wait()); err != nil {
		t.Errorf("clients/%s: %v", in.script, err)
	}
}

// tellCases makes a subtest of each report, up to the last, which it wants.
func tellCases(t *testing.T, out io.Reader) error {
	count := map[string]int{} // by status
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 64<<20) // a failure shows values
	for cases := 0; lines.Scan(); cases++ {
		var r report
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			return fmt.Errorf("printed %q: %w", lines.Text(), err)
		}
		if r.End && r.Cases == cases {
			t.Logf("%d passed, %d failed, %d skipped", count["pass"], count["fail"], count["skip"])
			return nil
		}
		count[r.Status]++
		t.Run(r.Case, r.tell)
	}
	return errors.Join(errors.New("broke off"), lines.Err())
}

func (r report) tell(t *testing.T) {
	switch r.Status {
	case "pass":
	case "skip":
		t.Skip(r.Detail)
	default:
		t.Error(r.Detail)
	}
}

package main

import (
	"fmt"
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	testscript.Main(leakChecked{m}, map[string]func(){"switchboard": main})
}

// leakChecked does what goleak.VerifyTestMain does, for testscript.Main.
type leakChecked struct{ *testing.M }

func (m leakChecked) Run() int {
	code := m.M.Run()
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

// TestScripts runs the stories in testdata. Beside the commands of testscript they have
//
//	start NAME ARGS…       runs switchboard ARGS in the background, and goes on when its port is open;
//	                       $NAME is its address. Before ARGS may stand VARIABLE=VALUE
//	logged NAME REGEXP     waits for a line on its standard error
//	signal NAME TERM|INT   sends it a signal
//	ended NAME CODE        waits for its end; the files NAME.out and NAME.err have what it wrote
//	health METHOD ADDRESS STATUS
//	stall ADDRESS          begins a request that never comes to its end
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			env.Vars = append(env.Vars, raceOption)
			env.Values[processesKey{}] = processes{}
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"start":  start,
			"logged": logged,
			"signal": signalProcess,
			"ended":  ended,
			"health": health,
			"stall":  stall,
		},
	})
}

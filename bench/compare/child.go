package main

import (
	"fmt"
	"io"
	"os"

	"switchboard/accesstoken"
	"switchboard/bench/compare/floor"
	"switchboard/bench/compare/gwsserver"
	"switchboard/bench/compare/natsserver"
	"switchboard/internal/loadgen"
	"switchboard/internal/loadgen/trial"
)

// What this program is when the trial starts it again, by its first argument.
const (
	childServe   = "child-serve"   // a system under test; its name follows, and what it does
	childRespond = "child-respond" // what answers the requests of clients of NATS
	childLoad    = "child-load"    // a part of the load side
)

// What a server does with a frame.
const (
	workEcho      = "echo"
	workBroadcast = "broadcast"
)

// runChild runs as a child, if the arguments say so. It ends when standard input
// does.
func runChild(args []string) (is bool, err error) {
	switch {
	case len(args) == 3 && args[0] == childServe:
		return true, serve(args[1], args[2] == workBroadcast)
	case len(args) == 1 && args[0] == childRespond:
		return true, respond()
	case len(args) == 1 && args[0] == childLoad:
		return true, loadgen.Serve(struct {
			io.Reader
			io.WriteCloser
		}{os.Stdin, os.Stdout})
	}
	return false, nil
}

func serve(system string, broadcast bool) (err error) {
	port := 0
	switch system {
	case "floor", "floor-joined":
		var s *floor.Server
		if s, err = floor.Listen(floor.Config{Broadcast: broadcast, Joined: system == "floor-joined"}); err != nil {
			return err
		}
		ended := make(chan error, 1)
		go func() { ended <- s.Run() }()
		defer func() {
			s.Stop()
			err = <-ended
		}()
		port = s.Port()
	case "gws":
		port, err = gwsserver.Listen(broadcast)
	case "nats", "nats-responder":
		port, err = natsserver.Listen()
	default:
		err = fmt.Errorf("system %q is not known", system)
	}
	if err != nil {
		return err
	}
	return trial.Attend(fmt.Sprintf("http://127.0.0.1:%d/", port), os.Stdin, os.Stdout)
}

func respond() error {
	target, err := accesstoken.ParseConnectionString(os.Getenv(trial.EnvConnectionString))
	if err != nil {
		return err
	}
	host := target.Base.Host
	c, err := natsserver.Respond(host)
	if err != nil {
		return err
	}
	defer c.Close()
	return trial.Attend("http://"+host+"/", os.Stdin, os.Stdout)
}

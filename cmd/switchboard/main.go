// Command switchboard is Azure SignalR Service as one program: SignalR clients
// on one side, app servers on the other. It is a small program around package
// service: it finds the configuration, listens, and ends in good order.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	p := program{environ: os.Environ(), stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, interrupts: interrupts}
	os.Exit(p.run(context.Background(), os.Args[1:]))
}

// interrupts delivers the wishes to end. It holds two: the first asks for a
// shutdown in good order, the second for the end at once.
func interrupts() (signals <-chan os.Signal, stop func()) {
	c := make(chan os.Signal, 2)
	signal.Notify(c, os.Interrupt, syscall.SIGTERM)
	return c, func() { signal.Stop(c) }
}

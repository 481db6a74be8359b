package main

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"
)

// fileInterval is the time between two looks at the configuration file. Looking works on
// every file system, and with the links by which Kubernetes swaps a secret.
const fileInterval = 5 * time.Second

// A keyWatch replaces the access keys of a service that runs, when the configuration file
// changes or SIGHUP comes. The rest of the configuration stays as it was at the start.
type keyWatch struct {
	file string // configuration file; empty for none
	load func() (config, error)
	set  func(keys ...string) error
	log  *slog.Logger

	hangups chan os.Signal
	keys    []string // at present
	last    []byte   // content of file
}

// begin is called when keys have been loaded. From then on nothing is missed.
func (w *keyWatch) begin() {
	w.hangups = make(chan os.Signal, 1)
	signal.Notify(w.hangups, syscall.SIGHUP)
	w.changed()
}

// run watches until ctx is done.
func (w *keyWatch) run(ctx context.Context) {
	defer signal.Stop(w.hangups)
	look := time.NewTicker(fileInterval)
	defer look.Stop()
	for {
		select {
		case <-look.C:
			if w.changed() {
				w.reload()
			}
		case <-w.hangups:
			w.changed()
			w.reload()
		case <-ctx.Done():
			return
		}
	}
}

// changed tells whether the file has another content than before. One that cannot be read
// counts as before: it may be about to be replaced.
func (w *keyWatch) changed() bool {
	if w.file == "" {
		return false
	}
	content, err := os.ReadFile(w.file)
	if err != nil || bytes.Equal(content, w.last) {
		return false
	}
	w.last = content
	return true
}

func (w *keyWatch) reload() {
	c, err := w.load()
	if err != nil {
		w.log.Error("access keys stay as they are: the configuration has mistakes", "error", err)
		return
	}
	if slices.Equal(c.Service.AccessKeys, w.keys) {
		w.log.Info("configuration read again: the access keys are the same, and other settings need a restart")
		return
	}
	if err := w.set(c.Service.AccessKeys...); err != nil {
		w.log.Error("access keys stay as they are", "error", err)
		return
	}
	w.keys = c.Service.AccessKeys
	w.log.Info("access keys replaced; connections live on", "keys", len(w.keys))
}

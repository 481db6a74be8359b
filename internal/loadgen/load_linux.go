package loadgen

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"sync"
	"time"
)

// Supported tells whether this system has what the load side needs.
const Supported = true

// A Load is some clients of a trial in this process. Its methods are called in
// the order of their appearance, over net/rpc or directly; Snapshot, Stop and
// Close may be called at any time.
type Load struct {
	mu     sync.Mutex
	loops  []*loop // guarded by mu; set by Start
	config Config
	work   sync.WaitGroup
}

// Start makes the event loops. Nothing is sent yet.
func (l *Load) Start(config Config, _ *None) error {
	hub, err := url.Parse(config.HubURL)
	if err != nil {
		return fmt.Errorf("parse URL of the hub: %w", err)
	}
	words, err := newDialect(&config)
	if err != nil {
		return err
	}
	trust := &tls.Config{}
	if config.RootCA != nil {
		trust.RootCAs = x509.NewCertPool()
		trust.RootCAs.AppendCertsFromPEM(config.RootCA)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.loops != nil {
		return errors.New("start load: it has been started")
	}
	l.config = config
	for _, share := range config.Share.Split(config.Threads) {
		one, err := newLoop(&l.config, words, target{hub, trust, map[string]*endpoint{}}, share)
		if err != nil {
			l.endLocked()
			return err
		}
		l.loops = append(l.loops, one)
		l.work.Go(one.run)
	}
	return nil
}

// Redirect has the app server send each client to the service, with a token.
func (l *Load) Redirect(None, *None) error {
	return l.phase(0, func(w *worker, c *client) { c.redirect(w) })
}

// Connect connects all clients, so many per second, 0 for as fast as they can.
func (l *Load) Connect(rate float64, _ *None) error {
	return l.phase(rate, func(w *worker, c *client) { c.connect(w) })
}

// Join has each client join its group.
func (l *Load) Join(None, *None) error {
	return l.phase(0, func(w *worker, c *client) { c.join(w) })
}

// phase takes the clients through something and waits for the last. What goes
// wrong with one of them is in the next snapshot.
func (l *Load) phase(rate float64, start func(w *worker, c *client)) error {
	var all sync.WaitGroup
	for _, one := range l.all() {
		share := float64(one.share.Count) / float64(max(l.config.Clients, 1))
		workers := max(1, one.share.part(l.config.ConnectInFlight, l.config.Clients))
		all.Go(func() {
			done, begun := make(chan (<-chan struct{}), 1), false
			begun = one.post(func() { done <- one.begin(workers, rate*share, start) })
			if begun {
				<-<-done
			}
		})
	}
	all.Wait()
	return nil
}

// Run begins to send and returns.
func (l *Load) Run(w Window, _ *None) error {
	for _, one := range l.all() {
		failed := make(chan error, 1)
		if !one.post(func() {
			one.from, one.to = w.From, w.To
			failed <- one.prepare()
			one.sending.start(one, w.Until)
		}) {
			continue
		}
		if err := <-failed; err != nil {
			return err
		}
	}
	return nil
}

// Snapshot tells what was seen.
func (l *Load) Snapshot(_ None, sum *Snapshot) error {
	for _, one := range l.all() {
		taken := make(chan Snapshot, 1)
		if one.post(func() { taken <- one.snapshot() }) {
			s := <-taken
			sum.add(&s)
		}
	}
	sum.CPU = processTime()
	return nil
}

func (l *loop) snapshot() Snapshot {
	s := l.seen
	s.Latency, s.LatencyMax = l.latency.Buckets(), l.latency.Max()
	s.Threads = []ThreadTime{threadTime()}
	l.latency.Reset()
	l.seen.Errors, l.seen.Behind = nil, 0
	return s
}

// Stop ends sending, and the phase that is under way.
func (l *Load) Stop(None, *None) error {
	for _, one := range l.all() {
		one.post(func() {
			one.sending.stop()
			one.phases.stop(one)
		})
	}
	return nil
}

// Leave closes all connections in good order.
func (l *Load) Leave(None, *None) error {
	return l.phase(0, func(w *worker, c *client) { c.leave(w) })
}

// Close ends the loops, whatever they are doing.
func (l *Load) Close(None, *None) error {
	l.mu.Lock()
	l.endLocked()
	l.mu.Unlock()
	l.work.Wait()
	return nil
}

func (l *Load) endLocked() {
	for _, one := range l.loops {
		one.end()
	}
}

func (l *Load) all() []*loop {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.loops
}

// Monotonic returns the clock of a Window.
func Monotonic() time.Duration { return time.Duration(monotonic()) }

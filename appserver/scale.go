package appserver

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"switchboard/serviceprotocol"
)

// scaleInterval is the time between two looks at services that come or go. The .NET SDK's
// is 5 s, which makes a change slow for no gain: the question and its answer are small.
const scaleInterval = time.Second

// SetEndpoints changes Config.Endpoints while the app runs, and returns when the change is
// made. A service that is in the list before and after is left alone, and gets its new
// access key if that is all that has changed.
//
// To a service that is added the app connects, and sends messages, at once. Clients are sent
// there when all other app servers are connected as well, or Config.ScaleTimeout is over.
// Then, to those that are removed, no more clients are sent; when theirs have gone, or
// Config.ScaleTimeout is over, their clients are closed, which may reconnect, and the
// connections end. When ctx is done nothing is waited for any more.
//
// An error tells every mistake in the list, of which nothing is then used; or that the app
// has no Config.Endpoints or has ended.
//
// Source: azure-signalr MultiEndpointServiceConnectionContainer.cs, ServiceScaleManager.cs.
func (a *App) SetEndpoints(ctx context.Context, list []ServiceEndpoint) error {
	if len(a.config.Endpoints) == 0 {
		return errors.New("set endpoints: the app was not made with Config.Endpoints")
	}
	wanted, err := parseEndpoints(list, a.config.HTTPClient)
	if err != nil {
		return fmt.Errorf("set endpoints: %w", err)
	}
	a.scaling.Lock()
	defer a.scaling.Unlock()
	change, err := a.beginScale(wanted)
	if err != nil {
		return fmt.Errorf("set endpoints: %w", err)
	}
	if change.connected == nil { // Run will connect
		change.finish()
		return nil
	}
	change.within(ctx, change.agree)
	for _, e := range change.added {
		e.negotiable.Store(true)
	}
	change.within(ctx, change.leave)
	change.finish()
	return nil
}

// A scaling is a change of endpoints.
type scaling struct {
	app            *App
	lines          []*line
	connected      context.Context // of the server connections; nil if the app does not run yet
	added, removed []*HubEndpoint
}

// beginScale takes what is added into use.
func (a *App) beginScale(wanted []*endpoint) (*scaling, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.started && a.connected == nil {
		return nil, errors.New("the app has ended")
	}
	s := &scaling{app: a, connected: a.connected}
	var fresh []*endpoint
	kept := map[*endpoint]bool{}
	for i, e := range wanted {
		if j := slices.IndexFunc(a.endpoints, e.same); j >= 0 {
			a.endpoints[j].address.Store(e.address.Load())
			wanted[i] = a.endpoints[j]
			kept[wanted[i]] = true
		} else {
			fresh = append(fresh, e)
		}
	}
	a.endpoints = wanted
	s.lines = a.linesLocked()
	for _, l := range s.lines {
		all := slices.Clone(l.endpoints())
		for _, e := range all {
			if !kept[e.endpoint] {
				s.removed = append(s.removed, e)
			}
		}
		for _, e := range fresh {
			at := newHubEndpoint(l, e)
			s.added, all = append(s.added, at), append(all, at)
			if a.connected != nil {
				at.start(a.connected)
			} else {
				at.negotiable.Store(true)
			}
		}
		l.at.Store(&all)
	}
	return s, nil
}

// within bounds a wait.
func (s *scaling) within(ctx context.Context, wait func(context.Context)) {
	ctx, cancel := context.WithTimeout(ctx, s.app.config.ScaleTimeout)
	defer cancel()
	defer context.AfterFunc(s.connected, cancel)()
	wait(ctx)
}

// agree waits until the same app servers are connected to all services of each hub.
func (s *scaling) agree(ctx context.Context) {
	if len(s.added) == 0 {
		return
	}
	for _, l := range s.lines {
		for _, e := range l.endpoints() {
			e.list.Store(nil)
		}
	}
	s.poll(ctx, func() bool {
		agreed := true
		for _, l := range s.lines {
			var first *serverList
			for _, e := range l.endpoints() {
				if slices.Contains(s.removed, e) {
					continue
				}
				e.ask(serviceprotocol.PingServers, "")
				list := e.list.Load()
				if first == nil {
					first = list
				}
				agreed = agreed && list != nil && list.ids == first.ids
			}
		}
		return agreed
	})
}

// leave says goodbye to the services that are removed.
func (s *scaling) leave(ctx context.Context) {
	var leaving sync.WaitGroup
	for _, e := range s.removed {
		leaving.Go(func() { s.leaveOne(ctx, e) })
	}
	leaving.Wait()
}

func (s *scaling) leaveOne(ctx context.Context, e *HubEndpoint) {
	e.negotiable.Store(false)
	if e.endpoint.kind == Primary {
		e.sayFin(ctx, "fin:0")
	}
	e.load.status.Store(statusUnknown)
	s.poll(ctx, func() bool {
		asked := e.load.status.Load() != statusUnknown
		e.ask(serviceprotocol.PingStatus, "1")
		return !e.Online() || asked && !e.Active() && e.Stats().Clients == 0
	})
	e.line.takes.leave(e)
	ending, cancel := context.WithTimeout(s.connected, shutdownWait)
	defer cancel()
	s.poll(ending, func() bool { return e.Stats().Clients == 0 })
	e.stop()
	<-e.ended
}

// poll returns when ready says so, or ctx is done.
func (s *scaling) poll(ctx context.Context, ready func() bool) {
	ticker := time.NewTicker(scaleInterval)
	defer ticker.Stop()
	for !ready() {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// finish forgets what is removed.
func (s *scaling) finish() {
	s.app.mu.Lock()
	defer s.app.mu.Unlock()
	for _, l := range s.lines {
		rest := slices.DeleteFunc(slices.Clone(l.endpoints()), func(e *HubEndpoint) bool { return slices.Contains(s.removed, e) })
		l.at.Store(&rest)
	}
}

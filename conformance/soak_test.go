package conformance_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"switchboard/accesstoken"
	"switchboard/appserver"
)

var (
	soakTime    = flag.Duration("soak", 6*time.Second, "how long TestSoak lasts")
	soakClients = flag.Int("soak-clients", 400, "how many clients TestSoak has at once")
)

// What each client of a soak does, and how many of a hundred do it.
const (
	soakComers  = 15 // connect, talk and leave, again and again, in each way to leave
	soakStalled = 1  // stop reading what they have asked for
	soakGarbage = 4  // send what no client sends
	// The others stay, send numbers, and get them back and those of a group.
)

// A soak is a service and an app server, and clients of all kinds.
type soak struct {
	*testing.T
	service *service
	app     *appserver.HubContext
	hub     *SoakHub
	links   links
	name    string // of the hub at the service
	token   string
	pace    time.Duration // between two numbers of one client
	dialing chan struct{} // has one for each client that may connect at present

	faults  atomic.Int64
	counts  soakCounts
	ticking sync.Mutex // held while numbers are sent to groups, and while a server connection is cut
	steady  []atomic.Int64
}

type soakCounts struct {
	came, echoes, pushed, left, stalled, garbage, dropped, cuts atomic.Int64
}

// TestSoak is a short form of what "make soak" does.
func TestSoak(t *testing.T) {
	long(t)
	s := startSoak(t)
	s.eventually("all server connections are open", func() bool { return s.metric("switchboard_server_connections") == 5 })
	files := openFiles(t, s.service.pid)
	ctx, cancel := context.WithTimeout(t.Context(), *soakTime)
	defer cancel()

	var clients, helpers sync.WaitGroup
	for i := range *soakClients {
		clients.Go(s.play(ctx, i))
	}
	var memory []int
	helpers.Go(func() { s.tick(ctx) })
	helpers.Go(func() { s.cut(ctx) })
	helpers.Go(func() { memory = s.watchMemory(ctx) })
	clients.Wait()
	helpers.Wait()

	s.eventually("all clients are gone for the hub", func() bool { return s.hub.open() == 0 })
	s.eventually("all clients are gone for the service", func() bool { return s.metric("switchboard_client_connections_all") == 0 })
	s.eventually("the service has no more descriptors than before", func() bool { return openFiles(t, s.service.pid) <= files })
	if len(s.hub.twice) > 0 {
		t.Errorf("%d things happened twice, such as %s", len(s.hub.twice), s.hub.twice[0])
	}
	s.report(files, memory)
}

func startSoak(t *testing.T) *soak {
	s := &soak{
		T: t, hub: &SoakHub{gone: map[string]chan struct{}{}},
		pace:    min(*soakTime/20, 5*time.Second),
		dialing: make(chan struct{}, 64),
		steady:  make([]atomic.Int64, *soakClients),
	}
	s.service = startService(t, engines[0], notResumed,
		"--limits-client-queue-bytes", "256KiB", "--timeouts-client-send", "3s", "--timeouts-handshake", "3s")
	app, err := appserver.New(appserver.Config{
		ConnectionString: s.service.connectionString,
		HTTPClient:       s.links.client(nil),
		Logger:           slog.New(slog.DiscardHandler), // cut server connections and garbage are what it would tell
	})
	if err != nil {
		t.Fatal(err)
	}
	if s.app, err = app.MapHub("/soak", s.hub); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- app.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("the app server ends: %v", err)
		}
	})
	ready, cancel := bounded()
	defer cancel()
	if err := app.Ready(ready); err != nil {
		t.Fatal(err)
	}
	if s.name, err = accesstoken.HubName("", "soakhub"); err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	s.token, err = accesstoken.Sign(accessKey, accesstoken.HS256, accesstoken.Token{
		Audience: s.service.endpoint.ClientAudience(s.name), Expires: now.Add(*soakTime + time.Hour),
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// fault notes what must not happen. A soak goes on: more may come to light.
func (s *soak) fault(format string, arguments ...any) {
	if s.faults.Add(1) <= 20 {
		s.Errorf(format, arguments...)
	}
}

// play returns what client i does until ctx is done.
func (s *soak) play(ctx context.Context, i int) func() {
	once := s.stay
	switch n := i % 100; {
	case n < soakComers:
		once = s.comeAndGo
	case n < soakComers+soakStalled:
		once = s.stall
	case n < soakComers+soakStalled+soakGarbage:
		once = s.sendGarbage
	}
	return func() {
		for ctx.Err() == nil {
			if err := once(ctx, i); err != nil {
				s.fault("client %d: %v", i, err)
				return
			}
		}
	}
}

// connect opens a connection that is a member of group.
func (s *soak) connect(ctx context.Context, group string) (*soakClient, error) {
	s.dialing <- struct{}{}
	defer func() { <-s.dialing }()
	c, err := connectClient(context.WithoutCancel(ctx), s.service, s.name, s.token)
	if err != nil {
		return nil, err
	}
	s.counts.came.Add(1)
	if err := c.join(group); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// wasDropped tells whether a client was closed because its server connection was
// cut, which it may come back from.
func (s *soak) wasDropped(err error) bool {
	closed, ok := errors.AsType[*closeError](err)
	dropped := ok && s.counts.cuts.Load() > 0 && closed.message.AllowReconnect
	if dropped {
		s.counts.dropped.Add(1)
	}
	return dropped
}

// stay is a client that talks until the end, or until its server connection is cut.
func (s *soak) stay(ctx context.Context, i int) error {
	c, err := s.connect(ctx, "group"+strconv.Itoa(i%(1+*soakClients/50)))
	if err != nil {
		return ignore(err, s.wasDropped)
	}
	defer c.Close()
	err = s.talk(ctx, c, &s.steady[i])
	if err == nil {
		return goodbyes[i%2](c)
	}
	return ignore(err, s.wasDropped)
}

// ignore drops an error that is accepted.
func ignore(err error, accepted func(error) bool) error {
	if accepted(err) {
		return nil
	}
	return err
}

// talk sends a number each time, and wants it back before the next. The numbers
// of groups come meanwhile, without a gap.
func (s *soak) talk(ctx context.Context, c *soakClient, done *atomic.Int64) error {
	last := map[string]int{} // by target
	pause := time.Duration(rand.Int64N(int64(s.pace)))
	for n := 1; ; n++ {
		if err := s.listen(c, time.Now().Add(pause), last, 0); err != nil {
			return err
		}
		if ctx.Err() != nil {
			return nil
		}
		if err := c.send(fmt.Sprintf(`{"type":1,"target":"Echo","arguments":[%d]}`, n)); err != nil {
			return s.reasonOf(c, err)
		}
		if err := s.listen(c, time.Now().Add(wait), last, n); err != nil {
			return err
		}
		s.counts.echoes.Add(1)
		done.Add(1)
		pause = s.pace
	}
}

// reasonOf returns what the service said before it closed a connection on which
// nothing can be sent.
func (s *soak) reasonOf(c *soakClient, err error) error {
	for {
		_, told := c.next(time.Now().Add(wait))
		if told != nil {
			return errors.Join(err, told)
		}
	}
}

// listen takes messages until echo comes back, or until the deadline if that is 0.
func (s *soak) listen(c *soakClient, deadline time.Time, last map[string]int, echo int) error {
	for {
		m, err := c.next(deadline)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded) && echo == 0:
			return nil
		case errors.Is(err, os.ErrDeadlineExceeded):
			return fmt.Errorf("number %d does not come back", echo)
		case err != nil:
			return err
		case m.Type != 1:
			continue // a ping
		}
		n, err := strconv.Atoi(string(m.Arguments[0]))
		if err != nil {
			return err
		}
		if m.Target == "echo" {
			if n != echo {
				return fmt.Errorf("number %d comes back, want %d", n, echo)
			}
			return nil
		}
		if before, ok := last[m.Target]; ok && n != before+1 {
			return fmt.Errorf("%s number %d comes after %d", m.Target, n, before)
		}
		last[m.Target] = n
		s.counts.pushed.Add(1)
	}
}

// comeAndGo is a client that says a few words.
func (s *soak) comeAndGo(ctx context.Context, _ int) error {
	defer s.rest(ctx, 2*s.pace)
	c, err := s.connect(ctx, "passers-by")
	if err != nil {
		return ignore(err, s.wasDropped)
	}
	defer c.Close()
	last := map[string]int{}
	for n := range 1 + rand.IntN(5) {
		if err = c.send(fmt.Sprintf(`{"type":1,"target":"Echo","arguments":[%d]}`, n+1)); err == nil {
			err = s.listen(c, time.Now().Add(wait), last, n+1)
		}
		if err != nil {
			return ignore(s.reasonOf(c, err), s.wasDropped)
		}
		s.counts.echoes.Add(1)
	}
	if err := goodbyes[rand.IntN(len(goodbyes))](c); err != nil && ctx.Err() == nil && !s.wasDropped(err) {
		return fmt.Errorf("leave: %w", err)
	}
	s.counts.left.Add(1)
	return nil
}

// stall is a client that asks for more than it reads. The service ends it.
func (s *soak) stall(ctx context.Context, i int) error {
	defer s.rest(ctx, 5*s.pace)
	c, err := s.connect(ctx, "stalled")
	if err != nil {
		return ignore(err, s.wasDropped)
	}
	defer c.Close()
	if err := c.send(`{"type":1,"target":"Flood","arguments":[]}`); err != nil {
		return ignore(s.reasonOf(c, err), s.wasDropped)
	}
	select {
	case <-s.hub.left(c.id):
	case <-time.After(2 * wait):
		return errors.New("a client that does not read is not closed")
	}
	s.counts.stalled.Add(1)
	return nil
}

func (s *soak) sendGarbage(ctx context.Context, _ int) error {
	defer s.rest(ctx, s.pace)
	kind := rand.IntN(len(garbage))
	s.dialing <- struct{}{}
	<-s.dialing // it may take long, so it does not keep others from connecting
	if err := garbage[kind](context.WithoutCancel(ctx), s.service, s.name, s.token); err != nil && !s.wasDropped(err) {
		return fmt.Errorf("garbage %d: %w", kind, err)
	}
	s.counts.garbage.Add(1)
	return nil
}

// rest waits for about d.
func (s *soak) rest(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d/2 + time.Duration(rand.Int64N(int64(d)))):
	case <-ctx.Done():
	}
}

// tick sends numbers to groups and to all.
func (s *soak) tick(ctx context.Context) {
	for n := 1; ctx.Err() == nil; n++ {
		s.ticking.Lock()
		for group := range 1 + *soakClients/50 {
			s.push("group"+strconv.Itoa(group), n)
		}
		s.push("", n)
		s.ticking.Unlock()
		s.rest(ctx, s.pace)
	}
}

func (s *soak) push(group string, n int) {
	to, target := s.app.Clients().All(), "all"
	if group != "" {
		to, target = s.app.Clients().Group(group), "group"
	}
	if err := to.Send(context.Background(), target, n); err != nil {
		s.fault("send to %q: %v", group, err)
	}
}

// cut cuts a server connection now and then. What is on its way on it is lost, and
// rightly so. So all that was sent to groups has to arrive before, and nothing is
// sent to them until the app server has another connection.
func (s *soak) cut(ctx context.Context) {
	every := *soakTime / 6
	for s.rest(ctx, every); ctx.Err() == nil; s.rest(ctx, every) {
		s.ticking.Lock()
		if s.settle(ctx) {
			s.counts.cuts.Add(1)
			open, ended := s.metric("switchboard_server_connections"), s.metric("switchboard_server_connections_closed_total")
			s.links.cutOne()
			s.eventually("a server connection is replaced", func() bool {
				return s.metric("switchboard_server_connections_closed_total") > ended && s.metric("switchboard_server_connections") == open
			})
		}
		s.ticking.Unlock()
	}
}

// settle waits until each steady client has had a number back that it sent after
// the call: what came before on its server connection has arrived then. One that
// is not there when settling begins holds up nobody.
func (s *soak) settle(ctx context.Context) bool {
	before := make([]int64, len(s.steady))
	for i := range s.steady {
		before[i] = s.steady[i].Load()
	}
	settled := func() bool {
		waiting := 0
		for i, n := range before {
			if n > 0 && s.steady[i].Load() < n+2 {
				waiting++
			}
		}
		return waiting == 0
	}
	for !settled() {
		select {
		case <-time.After(s.pace / 10):
		case <-ctx.Done():
			return false
		}
	}
	return true
}

// watchMemory returns what the service's process had of memory, each second, in KiB.
func (s *soak) watchMemory(ctx context.Context) (all []int) {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			all = append(all, residentMemory(s.T, s.service.pid))
		case <-ctx.Done():
			return all
		}
	}
}

func residentMemory(t *testing.T, pid int) (kib int) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Skip("the memory of another process is read on Linux only: ", err)
	}
	_, after, _ := strings.Cut(string(status), "VmRSS:")
	_, _ = fmt.Sscan(after, &kib)
	return kib
}

func openFiles(t *testing.T, pid int) int {
	files, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	if err != nil {
		t.Skip("the descriptors of another process are counted on Linux only: ", err)
	}
	return len(files)
}

func (s *soak) eventually(what string, ok func() bool) {
	s.Helper()
	for deadline := time.Now().Add(2 * wait); !ok(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			s.Errorf("not so in time: %s", what)
			return
		}
	}
}

// metric returns the sum of the samples of a metric.
func (s *soak) metric(name string) (sum float64) {
	for _, value := range s.service.samples(s.T, name) {
		sum += value
	}
	return sum
}

// report prints what happened. Memory is judged if there was time for that: the
// last quarter must not have more than the second, the first one being to warm up.
func (s *soak) report(files int, memory []int) {
	c := &s.counts
	var b strings.Builder
	fmt.Fprintf(&b, "\nsoak of %v with %d clients\n", *soakTime, *soakClients)
	row := func(name string, value any) { fmt.Fprintf(&b, "  %-34s %12v\n", name, value) }
	row("connections opened by clients", c.came.Load())
	row("numbers sent and come back", c.echoes.Load())
	row("numbers of groups and all", c.pushed.Load())
	row("lost, repeated, out of order", s.faults.Load())
	row("clients that came and went", c.left.Load())
	row("clients that stopped reading", c.stalled.Load())
	row("garbage", c.garbage.Load())
	row("server connections cut", c.cuts.Load())
	row("clients that came back after that", c.dropped.Load())
	row("descriptors before and after", fmt.Sprint(files, " ", openFiles(s.T, s.service.pid)))
	quarters := make([]int, 0, 4)
	for quarter := range slices.Chunk(memory, max(1, (len(memory)+3)/4)) {
		slices.Sort(quarter)
		quarters = append(quarters, quarter[len(quarter)/2])
	}
	row("memory by quarters, KiB, median", fmt.Sprint(quarters))
	closed := s.service.samples(s.T, "switchboard_client_connections_closed_total")
	for _, labels := range slices.Sorted(maps.Keys(closed)) {
		if _, reason, ok := strings.Cut(labels, `reason="`); ok && closed[labels] > 0 {
			row("closed: "+strings.Split(reason, `"`)[0], closed[labels])
		}
	}
	s.Log(b.String())
	if *soakTime >= 5*time.Minute && len(quarters) == 4 && quarters[3] > quarters[1]*11/10 {
		s.Errorf("memory grew from %d to %d KiB", quarters[1], quarters[3])
	}
}

package trial

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"switchboard/internal/loadgen"
	"switchboard/internal/loadgen/report"
)

// drainWait is how long to wait for messages that are on their way, from when
// the last one came. Tests shorten it.
var drainWait = 5 * time.Second

// envLogLevel is the setting of the service that says what it logs.
const envLogLevel = "SWITCHBOARD_LOG_LEVEL"

// A trial is one run of a scenario.
type trial struct {
	Config
	cores   []int // that the trial may use
	others  []int // those of everything but the service; nil: all
	service subject
	app     subject
	hubURL  string
	rootCA  []byte
	scratch string // folder for certificates; "" if there is none
	result  report.Result
}

// A subject is a process under test: a child, one that was named, or none that
// is known.
type subject struct {
	child *child
	meter meter // pid 0: not known
}

// read is an error when the process has ended.
func (s subject) read() (reading, error) {
	if s.child != nil && hasEnded(s.meter.pid) {
		return reading{}, fmt.Errorf("%s has ended before the trial did", s.child.name)
	}
	if s.meter.pid == 0 {
		return reading{}, nil
	}
	return s.meter.read()
}

// collect has the process give back memory that is not in use, if it obeys.
func (s subject) collect(ctx context.Context) error {
	if s.child == nil {
		return nil
	}
	return s.child.order(ctx, orderCollect)
}

// Run runs a trial. The end of ctx ends it early, with the result so far. An
// error means that there is no result.
func Run(ctx context.Context, c Config) (_ *report.Result, err error) {
	if !loadgen.Supported {
		return nil, errors.New("bench needs Linux: its load side is made of epoll, timerfd and /proc")
	}
	if err := c.Check(); err != nil {
		return nil, err
	}
	c.fill()
	t := &trial{Config: c, cores: allowedCores()}
	defer func() { err = errors.Join(err, t.end()) }()
	if err = t.prepare(ctx); err == nil {
		err = t.run(ctx)
	}
	switch {
	case err != nil && ctx.Err() != nil:
		return nil, ErrInterrupted
	case err != nil:
		return nil, err
	}
	return &t.result, nil
}

// prepare starts what is to be measured.
func (t *trial) prepare(ctx context.Context) error {
	t.say("start")
	if t.PinService >= 0 {
		t.others = slices.DeleteFunc(slices.Clone(t.cores), func(core int) bool { return core == t.PinService })
		if err := moveTo(t.others); err != nil {
			return err
		}
	}
	connectionString := t.ConnectionString
	if connectionString == "" && t.HubURL == "" {
		var err error
		if connectionString, err = t.startService(ctx); err != nil {
			return err
		}
	} else {
		t.service.meter.pid = t.ServicePID
	}
	if t.Peer != loadgen.PeerHub && t.AppServer == nil {
		t.hubURL = t.service.child.url
		return nil
	}
	if t.HubURL != "" {
		t.hubURL, t.app.meter.pid = t.HubURL, t.AppPID
		return nil
	}
	return t.startApp(ctx, connectionString)
}

func (t *trial) startService(ctx context.Context) (connectionString string, err error) {
	if limit := descriptors(); t.Clients > limit-100 {
		return "", fmt.Errorf("--clients: one process may open %d descriptors here, and the service needs one for each client; raise \"ulimit -n\"", limit)
	}
	key := rand.Text() + rand.Text()
	with := []string{"SWITCHBOARD_ACCESS_KEYS=" + key, "SWITCHBOARD_LISTEN=127.0.0.1:0"}
	if os.Getenv(envLogLevel) == "" {
		with = append(with, envLogLevel+"=warn") // each client that leaves is a line of info
	}
	cores := []int(nil)
	if t.PinService >= 0 {
		cores = []int{t.PinService}
		with = append(with, "GOMAXPROCS=1")
	}
	if t.TLS {
		files, err := t.certificate()
		if err != nil {
			return "", err
		}
		with = append(with, files...)
	}
	c, err := start("service", t.Program, cores, environment([]string{"SWITCHBOARD_CONNECTION_STRING"}, with...), t.Service...)
	if err != nil {
		return "", err
	}
	t.service = subject{c, meter{c.command.Process.Pid}}
	if err := c.ready(ctx); err != nil {
		return "", err
	}
	return "Endpoint=" + c.url + ";AccessKey=" + key + ";Version=1.0;", nil
}

func (t *trial) startApp(ctx context.Context, connectionString string) error {
	with := []string{EnvConnectionString + "=" + connectionString}
	if t.rootCA != nil {
		with = append(with, envRootCA+"="+string(t.rootCA))
	}
	c, err := start("app server", t.Program, t.others, environment(nil, with...), t.AppServer...)
	if err != nil {
		return err
	}
	t.app = subject{c, meter{c.command.Process.Pid}}
	if err := c.ready(ctx); err != nil {
		return err
	}
	t.hubURL = c.url
	return nil
}

// end ends the children, the app server first: it has messages for the service.
func (t *trial) end() error {
	t.say("end")
	var failed error
	for _, s := range []subject{t.app, t.service} {
		if s.child != nil {
			failed = errors.Join(failed, s.child.end())
		}
	}
	if t.others != nil {
		failed = errors.Join(failed, moveTo(t.cores))
	}
	if t.scratch != "" {
		failed = errors.Join(failed, os.RemoveAll(t.scratch))
	}
	return failed
}

func (t *trial) say(phase string) {
	if t.Progress != nil {
		t.Progress(Progress{Phase: phase})
	}
}

// operations returns how many there were, as the scenario counts them.
func (t *trial) operations(s *loadgen.Snapshot) uint64 {
	switch t.Scenario {
	case loadgen.Connect:
		return uint64(s.Opened)
	case loadgen.Idle:
		return s.Pings
	}
	return s.Sent
}

func (t *trial) loadConfig(clients int) loadgen.Config {
	var run [4]byte
	rand.Read(run[:]) // never fails
	return loadgen.Config{
		Scenario: t.Scenario, Peer: t.Peer, Protocol: t.Protocol, HubURL: t.hubURL, Negotiation: t.Negotiation, RootCA: t.rootCA,
		Run: binary.LittleEndian.Uint32(run[:]) >> 8, Clients: clients, Threads: t.LoadThreads,
		GroupSize: max(min(t.GroupSize, clients), 1), Senders: min(t.Senders, clients), Payload: t.Payload, Users: t.Users,
		InFlight: t.InFlight, Rate: t.Rate, ConnectInFlight: t.ConnectInFlight, Ping: t.Ping, Sources: t.Sources,
	}
}

// run has the load side do its work.
func (t *trial) run(ctx context.Context) error {
	processes := t.size()
	if err := t.warmProcesses(ctx); err != nil {
		return err
	}
	before, err := t.settle(ctx)
	if err != nil {
		return err
	}
	config := t.loadConfig(t.Clients)
	f, err := t.launch(ctx, config, processes)
	if err != nil {
		return err
	}
	m := measurement{trial: t, fleet: f, watch: &watch{trial: t, fleet: f}, before: before}
	if err := m.run(ctx); err != nil {
		return errors.Join(err, f.close())
	}
	t.result = m.result(processes)
	return f.close()
}

// size chooses what was left open of the load side.
func (t *trial) size() (processes int) {
	room := max(descriptors()-200-t.ConnectInFlight, 100)
	processes = max(t.LoadProcesses, (t.Clients+room-1)/room)
	if t.LoadThreads == 0 {
		t.LoadThreads = max(1, min(4, (len(t.cores)-1)/2))
	}
	if t.Sources == 0 {
		t.Sources = max(8, t.Clients/2000)
	}
	return processes
}

// warmProcesses has a few clients come, send and leave. What a process needs for
// its first client only shall not be counted for those that are measured.
func (t *trial) warmProcesses(ctx context.Context) error {
	t.say("prepare")
	if t.service.child == nil && t.app.child == nil {
		return nil
	}
	config := t.loadConfig(min(t.Clients, 64))
	config.Threads, config.Rate, config.InFlight = 1, 0, 8
	f, err := t.launch(ctx, config, 1)
	if err != nil {
		return err
	}
	err = f.call(ctx, "Redirect", loadgen.None{})
	if err == nil {
		err = f.call(ctx, "Connect", 0.0)
	}
	if err == nil {
		err = t.join(ctx, f, f.snapshot)
	}
	if err == nil && t.Scenario.Sends() {
		now := int64(loadgen.Monotonic())
		until := now + int64(200*time.Millisecond)
		err = f.call(ctx, "Run", loadgen.Window{From: until, To: until, Until: until})
		if err == nil {
			err = drain(ctx, f.snapshot, time.Duration(until))
		}
	}
	if err == nil {
		err = f.call(ctx, "Leave", loadgen.None{})
	}
	return errors.Join(err, f.close())
}

// join brings clients that have connected to where they can send.
func (t *trial) join(ctx context.Context, f *fleet, see look) error {
	err := allOpen(ctx, see)
	if err == nil && t.Scenario == loadgen.SendToGroup {
		if err = f.call(ctx, "Join", loadgen.None{}); err == nil {
			err = allOpen(ctx, see)
		}
	}
	return err
}

// A look takes a snapshot of the whole load side.
type look func(ctx context.Context) (loadgen.Snapshot, error)

// allOpen is an error unless all clients are there: a trial with fewer would
// measure something else.
func allOpen(ctx context.Context, see look) error {
	s, err := see(ctx)
	if err == nil && (s.Failed > 0 || s.Dropped > 0) {
		err = fmt.Errorf("%d clients could not connect and %d were dropped; the first said: %s", s.Failed, s.Dropped, append(s.Errors, "nothing")[0])
	}
	return err
}

// drain waits until everything that was sent has come, or nothing comes any more.
func drain(ctx context.Context, see look, until time.Duration) error {
	if err := pause(ctx, until-loadgen.Monotonic()); err != nil {
		return err
	}
	came, end := uint64(0), loadgen.Monotonic()+drainWait
	for loadgen.Monotonic() < end {
		s, err := see(ctx)
		if err != nil || s.Received+s.Repeated >= s.Expected || s.Open == 0 {
			return err
		}
		if s.Received > came {
			came, end = s.Received, loadgen.Monotonic()+drainWait
		}
		if err := pause(ctx, 20*time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}

// pause waits, for less when ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// A settled is what the processes hold once they gave back what they could.
type settled struct{ service, app reading }

func (t *trial) settle(ctx context.Context) (s settled, err error) {
	if err := errors.Join(t.service.collect(ctx), t.app.collect(ctx)); err != nil {
		return s, err
	}
	s.service, err = t.service.read()
	if err != nil {
		return s, err
	}
	s.app, err = t.app.read()
	return s, err
}

// background runs f until the returned function is called.
func background(ctx context.Context, f func(ctx context.Context)) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var work sync.WaitGroup
	work.Go(func() { f(ctx) })
	return func() {
		cancel()
		work.Wait()
	}
}

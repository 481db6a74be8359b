package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"switchboard/internal/loadgen"
	"switchboard/internal/loadgen/report"
	"switchboard/internal/loadgen/trial"
)

// envConnectionString is where commands find a connection string that is not to
// be among their arguments.
const envConnectionString = "SWITCHBOARD_CONNECTION_STRING"

// A bench is what the command was told.
type bench struct {
	program             *program
	trial               trial.Config
	scenario, negotiate string
	json, html          string
}

func (p *program) bench() *cobra.Command {
	b := &bench{program: p}
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure what connections and messages cost",
		Long: `Bench runs one scenario and shows throughput, latency, and what the service used
for it. It starts the service (as "switchboard serve" would, with the settings
of the environment) and an app server as processes of their own on this machine,
or takes those that --connection-string or --hub-url names. The clients are in
this process, and in more of them where one may not open enough connections.

Scenarios, as in the performance guide of the hosted service:

  echo                each client sends to the hub, which answers it
  broadcast           some clients send to all
  send-to-group       members of each group send to the group
  send-to-connection  each client sends to another one, by connection id
  send-to-user        each client sends to another one, by user id
  connect             clients negotiate, connect and shake hands, in storms
  idle                clients are connected, and ping

Every message is accounted for: lost and repeated ones make the exit code 1.
docs/benchmarking.md explains each figure.`,
		Example: `  switchboard bench --scenario echo --clients 1000 --in-flight 100
  switchboard bench --scenario broadcast --clients 1000 --in-flight 8 --pin-service 0 --html result.html
  switchboard bench --scenario echo --clients 1000 --rate 10000 --json result.json
  switchboard bench --scenario idle --clients 15000 --duration 30s`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return b.run(cmd.Context()) },
	}
	b.addFlags(cmd)
	cmd.AddCommand(p.benchService(), p.benchApp(), p.benchLoad())
	return cmd
}

func (b *bench) addFlags(cmd *cobra.Command) {
	f, c := cmd.Flags(), &b.trial
	f.SortFlags = false
	f.StringVar(&b.scenario, "scenario", string(loadgen.Echo), "`name` of what to measure, see above")
	f.IntVar(&c.Clients, "clients", 1000, "clients that are connected")
	f.StringVar(&c.Protocol, "protocol", "json", "hub `protocol`: json or messagepack")
	f.IntVar(&c.Payload, "payload", 128, "`bytes` of the text that each message carries")
	f.IntVar(&c.InFlight, "in-flight", 0, "messages on their way at once: each that arrives makes room for the next (default 64, unless --rate is set)")
	f.Float64Var(&c.Rate, "rate", 0, "messages, or connects, to begin `per-second`; latency then counts from when each was due")
	f.DurationVar(&c.Duration, "duration", 10*time.Second, "how long to measure")
	f.DurationVar(&c.Warmup, "warmup", 2*time.Second, "how long to send before that; for connect, not 0 means one storm more")
	f.IntVar(&c.Groups, "groups", 0, "`number` of groups of send-to-group")
	f.IntVar(&c.GroupSize, "group-size", 0, "clients in each group, instead of --groups (default 10)")
	f.IntVar(&c.Senders, "senders", 0, "clients that send, of broadcast and send-to-group (default --in-flight, at most 64; 16 with --rate)")
	f.BoolVar(&c.Users, "users", false, "give each client a user of its own; send-to-user does so anyway")
	f.StringVar(&b.negotiate, "negotiate", string(loadgen.NegotiateOwn), "`how` clients negotiate with the service: own connection, shared ones, or skip it")
	f.IntVar(&c.ConnectInFlight, "connect-in-flight", 64, "clients that connect at once")
	f.DurationVar(&c.Ping, "ping", 15*time.Second, "time between the pings of a client; 0 for none")
	f.BoolVar(&c.TLS, "tls", false, "have the service speak TLS, with a certificate made for this run")
	f.StringVar(&c.ConnectionString, "connection-string", "", "`text` that names a running service ("+envConnectionString+"); the app server is started")
	f.StringVar(&c.HubURL, "hub-url", "", "`URL` of a hub on a running app server, with the methods in docs/benchmarking.md")
	f.IntVar(&c.ServicePID, "service-pid", 0, "`process` of that running service, to see what it uses")
	f.IntVar(&c.AppPID, "app-server-pid", 0, "`process` of that running app server")
	f.IntVar(&c.ServerConnections, "server-connections", 5, "connections from the app server to the service")
	f.IntVar(&c.PinService, "pin-service", -1, "`core` for the service alone; everything else runs on the others (default not pinned)")
	f.Lookup("pin-service").DefValue = "0" // which pflag does not show
	f.IntVar(&c.LoadThreads, "load-threads", 0, "event loops in each load process (default by the number of cores)")
	f.IntVar(&c.LoadProcesses, "load-processes", 0, "load processes (default as many as the connections need)")
	f.IntVar(&c.Sources, "source-addresses", 0, "addresses 127.0.0.x to connect from (default by the number of clients)")
	f.StringVar(&b.json, "json", "", "`file` for the result as JSON; - for standard output, instead of the table")
	f.StringVar(&b.html, "html", "", "`file` for the result as a page with plots")
	f.StringVar(&c.ServiceProfile, "service-profile", "", "`file` for a CPU profile of the service while it is measured")
}

func (b *bench) run(ctx context.Context) error {
	ctx, cancel := b.interruptible(ctx)
	defer cancel()
	if err := b.complete(); err != nil {
		return err
	}
	line := newProgressLine(b.program.stderr)
	b.trial.Progress = line.show
	result, err := trial.Run(ctx, b.trial)
	line.clear()
	if err != nil {
		return err
	}
	if err := b.write(result); err != nil {
		return err
	}
	if result.Account.Faults() {
		return fmt.Errorf("messages or connections were lost: %s", result.Account.Summary())
	}
	return nil
}

// interruptible returns a context that the first signal ends; the trial then
// shows what it has. The second signal ends the program.
func (b *bench) interruptible(ctx context.Context) (context.Context, context.CancelFunc) {
	signals, stop := b.program.interrupts()
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		select {
		case <-signals:
			stop()
			cancel()
		case <-ctx.Done():
			stop()
		}
	}()
	return ctx, cancel
}

// complete adds what is not a flag, and reports every mistake.
func (b *bench) complete() error {
	c := &b.trial
	c.Scenario, c.Negotiation = loadgen.Scenario(b.scenario), loadgen.Negotiation(b.negotiate)
	if c.ConnectionString == "" && c.HubURL == "" {
		c.ConnectionString = lookupEnv(b.program.environ, envConnectionString)
	}
	err := errors.Join(c.Check(), checkFile("json", b.json), checkFile("html", b.html))
	if err != nil {
		return &usageError{err.Error()}
	}
	if c.Program, err = os.Executable(); err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	c.Version = buildVersion()
	c.Service = []string{"bench", "service"}
	c.AppServer = []string{"bench", "app-server", fmt.Sprintf("--server-connections=%d", c.ServerConnections)}
	c.Load = []string{"bench", "load"}
	return nil
}

// write writes the result wherever it was asked for.
func (b *bench) write(r *report.Result) error {
	var failed error
	if b.json == toStdout {
		failed = report.JSON(b.program.stdout, r)
	} else {
		failed = report.Table(b.program.stdout, r)
		failed = errors.Join(failed, writeFile(b.json, func(w io.Writer) error { return report.JSON(w, r) }))
	}
	return errors.Join(failed, writeFile(b.html, func(w io.Writer) error { return report.HTML(w, r) }))
}

// toStdout is the path that stands for standard output.
const toStdout = "-"

// checkFile is an error when a file cannot be written later, after a trial that
// may have taken long. It leaves what the file has.
func checkFile(flag, path string) error {
	if path == "" || flag == "json" && path == toStdout {
		return nil
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE, 0o666)
	if err != nil {
		return fmt.Errorf("--%s: %w", flag, err)
	}
	return f.Close()
}

// writeFile writes a file; without a path there is nothing to do.
func writeFile(path string, write func(io.Writer) error) error {
	if path == "" {
		return nil
	}
	f, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("write result: %w", err)
	}
	return errors.Join(write(f), f.Close())
}

// A progressLine shows how far a trial is, on a terminal.
type progressLine struct {
	w     io.Writer // nil: nobody looks
	begun time.Time
}

func newProgressLine(w io.Writer) *progressLine {
	if !isTerminal(w) {
		w = nil
	}
	return &progressLine{w, time.Now()}
}

func (l *progressLine) show(p trial.Progress) {
	if l.w == nil {
		return
	}
	text := fmt.Sprintf("%5.1f s  %-8s", time.Since(l.begun).Seconds(), p.Phase)
	if p.Open > 0 {
		text += fmt.Sprintf("  %d clients", p.Open)
	}
	if p.Operations > 0 {
		text += fmt.Sprintf("  %.0f op/s", p.Operations)
	}
	if p.Deliveries > 0 {
		text += fmt.Sprintf("  %.0f msg/s", p.Deliveries)
	}
	if p.P99 > 0 {
		text += fmt.Sprintf("  p99 %v", p.P99.Round(10*time.Microsecond))
	}
	if p.ServiceCPU > 0 {
		text += fmt.Sprintf("  service %.0f %%", 100*p.ServiceCPU)
	}
	fmt.Fprint(l.w, "\r\x1b[K"+strings.TrimRight(text, " "))
}

func (l *progressLine) clear() {
	if l.w != nil {
		fmt.Fprint(l.w, "\r\x1b[K")
	}
}

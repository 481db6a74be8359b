package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"switchboard/client"
	"switchboard/hubprotocol"
	"switchboard/negotiate"
)

// envAccessToken is where connect looks for a token that shall not be among arguments.
const envAccessToken = "SWITCHBOARD_ACCESS_TOKEN"

// goodbyeWait bounds the end of a connection.
const goodbyeWait = 5 * time.Second

// A terminal is a connection that is used by hand.
type terminal struct {
	program             *program
	protocol, transport string
	token               string
	headers             []string
	reconnect, stateful bool
	stay                bool

	conn    *client.Conn
	closed  chan error      // capacity 1: the connection has ended
	running sync.WaitGroup  // commands
	calls   context.Context // ends with the commands that run at present
	cancel  context.CancelFunc

	mu sync.Mutex // one line at a time
}

func (p *program) connect() *cobra.Command {
	t := &terminal{program: p, closed: make(chan error, 1)}
	cmd := &cobra.Command{
		Use:   "connect URL [invoke|send|stream METHOD ARGUMENT...]",
		Short: "Connect to a hub and call it by hand",
		Long: `Connect opens a connection to a hub, at an app server or at the service, and shows
what the hub calls, a line each. It reads commands from standard input:

  invoke METHOD ARGUMENT...   call a method and show its result
  send METHOD ARGUMENT...     call a method without waiting for it
  stream METHOD ARGUMENT...   show the items of a stream
  cancel                      end the calls and streams that run
  quit

Arguments are JSON; what is no JSON is taken for text. With a command among the
arguments, connect runs that one, prints its result as JSON, and ends.`,
		Example: `  switchboard connect http://localhost:5000/chat
  switchboard connect http://localhost:5000/chat invoke Add 40 2
  switchboard connect "http://localhost:8888/client/?hub=chat" --token "$(switchboard token --hub chat)"`,
		Args: checkConnectArguments,
		RunE: func(cmd *cobra.Command, args []string) error { return t.run(cmd.Context(), args) },
	}
	f := cmd.Flags()
	f.SortFlags = false
	f.SetInterspersed(true)
	f.StringVar(&t.protocol, "protocol", "json", "`name` of the hub protocol: json or messagepack")
	f.StringVar(&t.transport, "transport", "", "`name` of the only transport to use: WebSockets, ServerSentEvents or LongPolling")
	f.StringVar(&t.token, "token", "", "access `token` ("+envAccessToken+")")
	f.StringArrayVar(&t.headers, "header", nil, "header of each request as `Name: value`; may be given several times")
	f.BoolVar(&t.reconnect, "reconnect", false, "connect again when the connection is lost")
	f.BoolVar(&t.stateful, "stateful", false, "ask for stateful reconnect")
	f.BoolVar(&t.stay, "stay", false, "stay connected at the end of standard input")
	return cmd
}

var commands = []string{"invoke", "send", "stream"}

func checkConnectArguments(cmd *cobra.Command, args []string) error {
	switch {
	case len(args) == 0:
		return &usageError{"the URL of a hub is missing" + seeHelp(cmd)}
	case len(args) > 1 && !slices.Contains(commands, args[1]):
		return &usageError{fmt.Sprintf("unknown command %q: invoke, send or stream%s", args[1], seeHelp(cmd))}
	case len(args) == 2:
		return &usageError{args[1] + ": the name of a method is missing" + seeHelp(cmd)}
	}
	return nil
}

func (t *terminal) config() (client.Config, error) {
	config := client.Config{
		StatefulReconnect: t.stateful,
		Header:            http.Header{},
		OnReconnecting:    func(err error) { t.note("connection lost: %v", err) },
		OnReconnected:     func(id string) { t.note("connected again as %s", id) },
		OnClosed:          func(err error) { t.closed <- err },
		OnUnhandled:       t.called,
	}
	protocol, ok := hubprotocol.ByName(t.protocol)
	if !ok {
		return config, &usageError{fmt.Sprintf("--protocol: %q is neither json nor messagepack", t.protocol)}
	}
	config.Protocol = protocol
	if t.transport != "" {
		for _, one := range []negotiate.Transport{client.WebSockets, client.ServerSentEvents, client.LongPolling} {
			if strings.EqualFold(t.transport, one.String()) {
				config.Transports = one
			}
		}
		if config.Transports == 0 {
			return config, &usageError{fmt.Sprintf("--transport: %q is none of WebSockets, ServerSentEvents and LongPolling", t.transport)}
		}
	}
	for _, header := range t.headers {
		name, value, ok := strings.Cut(header, ":")
		if !ok || name == "" {
			return config, &usageError{fmt.Sprintf("--header: %q is not \"Name: value\"", header)}
		}
		config.Header.Add(name, strings.TrimSpace(value))
	}
	if token := cmp.Or(t.token, lookupEnv(t.program.environ, envAccessToken)); token != "" {
		config.Token = func(context.Context) (string, error) { return token, nil }
	}
	if t.reconnect {
		config.Reconnect = client.DefaultReconnect
	}
	return config, nil
}

func (t *terminal) run(ctx context.Context, args []string) (err error) {
	config, err := t.config()
	if err != nil {
		return err
	}
	if t.conn, err = client.New(args[0], config); err != nil {
		return &usageError{err.Error()}
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	signals, stop := t.program.interrupts()
	defer stop()
	var watching sync.WaitGroup
	watching.Go(func() {
		select {
		case <-signals:
			cancel()
		case <-ctx.Done():
		}
	})
	defer watching.Wait()
	defer cancel()
	if err := t.conn.Start(ctx); err != nil {
		return err
	}
	defer func() {
		goodbye, done := context.WithTimeout(context.WithoutCancel(ctx), goodbyeWait)
		defer done()
		err = errors.Join(err, t.conn.Stop(goodbye))
	}()
	if len(args) > 1 {
		return t.execute(ctx, args[1], args[2], parseArguments(args[3:]), "", "")
	}
	t.note("connected as %s; \"help\" lists the commands", t.conn.ConnectionID())
	return t.converse(ctx)
}

// converse runs the commands of standard input.
func (t *terminal) converse(ctx context.Context) error {
	lines := make(chan string)
	go func() { // it ends with the program: there is no way to end a read of standard input
		defer close(lines)
		for scanner := bufio.NewScanner(t.program.stdin); scanner.Scan(); {
			select {
			case lines <- scanner.Text():
			case <-ctx.Done():
				return
			}
		}
	}()
	t.allow(ctx)
	defer func() { t.cancel() }()
	for {
		select {
		case line, ok := <-lines:
			switch word, rest := cutWord(line); {
			case !ok && t.stay:
				lines = nil
			case !ok:
				t.running.Wait()
				return nil
			case word == "quit" || word == "exit":
				return nil
			case word == "cancel":
				t.cancel()
				t.allow(ctx)
			case word != "":
				t.command(word, rest)
			}
		case err := <-t.closed:
			t.closed <- nil
			return err
		case <-ctx.Done():
			return nil
		}
	}
}

// allow makes the context of commands, which cancel ends.
func (t *terminal) allow(ctx context.Context) { t.calls, t.cancel = context.WithCancel(ctx) }

// command runs a line beside others.
func (t *terminal) command(word, rest string) {
	ctx := t.calls
	method, rest := cutWord(rest)
	if !slices.Contains(commands, word) || method == "" {
		t.note("commands: invoke METHOD ARGUMENT..., send METHOD ARGUMENT..., stream METHOD ARGUMENT..., cancel, quit")
		return
	}
	t.running.Go(func() {
		if err := t.execute(ctx, word, method, splitArguments(rest), "= ", "- "); err != nil {
			t.note("%v", err)
		}
	})
}

// execute runs one command and prints what comes of it.
func (t *terminal) execute(ctx context.Context, command, method string, args []any, result, item string) error {
	switch command {
	case "send":
		return t.conn.Send(ctx, method, args...)
	case "stream":
		if t.isJSON() {
			return printItems(t, item, client.Stream[json.RawMessage](ctx, t.conn, method, args...))
		}
		return printItems(t, item, client.Stream[any](ctx, t.conn, method, args...))
	}
	var v any
	var err error
	if t.isJSON() {
		v, err = client.Invoke[json.RawMessage](ctx, t.conn, method, args...)
	} else {
		v, err = client.Invoke[any](ctx, t.conn, method, args...)
	}
	if err != nil {
		return err
	}
	t.print(result + text(v))
	return nil
}

func (t *terminal) isJSON() bool { return strings.EqualFold(t.protocol, hubprotocol.JSON.Name()) }

func printItems[T any](t *terminal, prefix string, items iter.Seq2[T, error]) error {
	for v, err := range items {
		if err != nil {
			return err
		}
		t.print(prefix + text(v))
	}
	return nil
}

// text returns a value as JSON. What came as JSON stays as it is.
func text(v any) string {
	if raw, ok := v.(json.RawMessage); ok {
		return cmp.Or(string(raw), "null")
	}
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return fmt.Sprintf("(%v)", err)
	}
	return strings.TrimSpace(b.String())
}

// called shows a call of the hub.
func (t *terminal) called(target string, arguments []client.Value) {
	line := target
	for _, argument := range arguments {
		line += " " + t.decode(argument)
	}
	t.print(line)
}

func (t *terminal) decode(argument client.Value) string {
	if t.isJSON() {
		var raw json.RawMessage
		if err := argument.Decode(&raw); err != nil {
			return fmt.Sprintf("(%v)", err)
		}
		return text(raw)
	}
	var v any
	if err := argument.Decode(&v); err != nil {
		return fmt.Sprintf("(%v)", err)
	}
	return text(v)
}

func (t *terminal) print(line string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	fmt.Fprintln(t.program.stdout, line)
}

// note tells what is no answer of the hub.
func (t *terminal) note(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	fmt.Fprintf(t.program.stderr, format+"\n", args...)
}

func cutWord(line string) (word, rest string) {
	word, rest, _ = strings.Cut(strings.TrimSpace(line), " ")
	return word, strings.TrimSpace(rest)
}

func parseArguments(words []string) (args []any) {
	for _, word := range words {
		args = append(args, parseArgument(word))
	}
	return args
}

// parseArgument takes what is no JSON for text.
func parseArgument(word string) any {
	d := json.NewDecoder(strings.NewReader(word))
	var v any
	if err := d.Decode(&v); err != nil || d.More() {
		return word
	}
	return exact(v, word)
}

// splitArguments takes one argument after the other off a line: JSON, which may have
// blanks, or a word.
func splitArguments(line string) (args []any) {
	for line != "" {
		d := json.NewDecoder(strings.NewReader(line))
		var v any
		err := d.Decode(&v)
		end := int(d.InputOffset())
		if err != nil || end < len(line) && line[end] != ' ' {
			var word string
			word, line = cutWord(line)
			args = append(args, word)
			continue
		}
		args = append(args, exact(v, line[:end]))
		line = strings.TrimSpace(line[end:])
	}
	return args
}

// exact keeps an integer whole, which JSON in Go makes a float.
func exact(v any, text string) any {
	if _, number := v.(float64); number {
		var n int64
		if json.Unmarshal([]byte(text), &n) == nil {
			return n
		}
	}
	return v
}

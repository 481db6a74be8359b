// Command compare measures Switchboard next to other systems that do the same
// work, or less of it, and writes docs/performance.md.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

func main() {
	is, err := runChild(os.Args[1:])
	if !is {
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		err = compare(ctx, os.Args[1:], os.Stdout, os.Stderr)
		stop()
	}
	switch {
	case errors.Is(err, flag.ErrHelp):
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, "compare:", err)
		os.Exit(1)
	}
}

// options are the flags.
type options struct {
	rounds        int
	duration      time.Duration
	only, systems string
	out, json     string
	profiles      string
	switchboard   string
	core          int
	told          []string // the flags that were given and decide what is measured
}

func parse(args []string, stderr io.Writer) (o options, err error) {
	f := flag.NewFlagSet("compare", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.IntVar(&o.rounds, "rounds", 3, "how often each system has its turn")
	f.DurationVar(&o.duration, "duration", 5*time.Second, "how long to measure each time")
	f.StringVar(&o.only, "only", "", "`rows` to measure, with commas between; \"broadcast\" means all that begin so")
	f.StringVar(&o.systems, "systems", "", "`names` of systems to measure, with commas between")
	f.StringVar(&o.out, "out", "", "`file` for the page (default docs/performance.md of the project when everything is measured, else none)")
	f.StringVar(&o.json, "json", "", "`file` for every result as JSON")
	f.StringVar(&o.profiles, "profiles", "", "`folder` for CPU profiles of the servers; taking them costs a few percent")
	f.StringVar(&o.switchboard, "switchboard", "", "`program` to measure (default: it is built)")
	f.IntVar(&o.core, "pin-service", 0, "`core` for the server; -1 for no core of its own")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	f.Visit(func(f *flag.Flag) {
		switch f.Name {
		case "rounds", "duration", "only", "systems", "pin-service":
			o.told = append(o.told, "--"+f.Name+" "+f.Value.String())
		}
	})
	switch {
	case f.NArg() > 0:
		return o, fmt.Errorf("argument %q is not known", f.Arg(0))
	case o.rounds < 1:
		return o, errors.New("--rounds: must be at least 1")
	case o.duration < 100*time.Millisecond:
		return o, errors.New("--duration: must be at least 100ms")
	}
	return o, nil
}

func words(text string) []string {
	return strings.FieldsFunc(text, func(c rune) bool { return c == ',' || c == ' ' })
}

func compare(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	o, err := parse(args, stderr)
	if err != nil {
		return err
	}
	for _, name := range words(o.systems) {
		if _, err := systemNamed(name); err != nil {
			return err
		}
	}
	c := &comparison{rounds: o.rounds, duration: o.duration, core: o.core, profiles: o.profiles, progress: stderr}
	if c.sections, err = choose(sections, words(o.only), words(o.systems)); err != nil {
		return err
	}
	root, err := projectFolder(ctx)
	if err != nil {
		return err
	}
	version, clean, err := c.build(ctx, root, o.switchboard)
	if err != nil {
		return err
	}
	defer clean()
	if err := c.check(); err != nil {
		return err
	}
	if err := c.run(ctx); err != nil {
		return err
	}
	if o.out == "" && o.only == "" && o.systems == "" {
		o.out = filepath.Join(root, "docs", "performance.md")
	}
	command := strings.Join(append([]string{"cd bench/compare && go run ."}, o.told...), " ")
	return c.report(&page{comparison: c, command: command, version: version}, o, stdout)
}

// projectFolder asks the go command where this module is; the project is two
// folders above.
func projectFolder(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		return "", fmt.Errorf("find the project (run this in bench/compare): %w", err)
	}
	return filepath.Join(strings.TrimSpace(string(out)), "..", ".."), nil
}

// build builds the program under test, unless there is one, and returns its
// version and what to do in the end.
func (c *comparison) build(ctx context.Context, root, program string) (version string, clean func(), err error) {
	clean = func() {}
	if c.programs.own, err = os.Executable(); err != nil {
		return "", clean, fmt.Errorf("find this program: %w", err)
	}
	if program != "" {
		c.programs.switchboard, err = filepath.Abs(program)
		return "as it was given", clean, err
	}
	folder, err := os.MkdirTemp("", "switchboard-compare-")
	if err != nil {
		return "", clean, fmt.Errorf("build Switchboard: %w", err)
	}
	clean = func() { os.RemoveAll(folder) }
	c.programs.switchboard = filepath.Join(folder, "switchboard")
	fmt.Fprintln(c.progress, "build Switchboard")
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", c.programs.switchboard, "./cmd/switchboard")
	build.Dir, build.Stderr = root, c.progress
	if err := build.Run(); err != nil {
		clean()
		return "", clean, fmt.Errorf("build Switchboard: %w", err)
	}
	return describe(ctx, root), clean, nil
}

// describe asks git which version this is.
func describe(ctx context.Context, root string) string {
	ask := exec.CommandContext(ctx, "git", "describe", "--tags", "--always", "--dirty")
	ask.Dir = root
	out, err := ask.Output()
	if err != nil {
		return "of an unknown commit"
	}
	return strings.TrimSpace(string(out))
}

// report writes the results wherever they were asked for. Messages that were
// lost are an error, once everything is written.
func (c *comparison) report(p *page, o options, stdout io.Writer) error {
	var text strings.Builder
	if err := p.write(&text); err != nil {
		return err
	}
	if _, err := io.WriteString(stdout, text.String()); err != nil {
		return fmt.Errorf("write page: %w", err)
	}
	if o.out != "" {
		if err := os.WriteFile(o.out, []byte(text.String()), 0o644); err != nil {
			return fmt.Errorf("write page: %w", err)
		}
	}
	if o.json != "" {
		raw, err := json.MarshalIndent(c.samples, "", "  ")
		if err == nil {
			err = os.WriteFile(o.json, append(raw, '\n'), 0o644)
		}
		if err != nil {
			return fmt.Errorf("write JSON: %w", err)
		}
	}
	for i := range c.samples {
		if s := &c.samples[i]; s.faulty() != "" {
			return fmt.Errorf("something went wrong in row %s with %s, round %d: %s", s.Row, s.System, s.Round+1, s.faulty())
		}
	}
	return nil
}

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Exit codes, which scripts and supervisors rely on.
const (
	exitOK      = 0
	exitFailure = 1
	exitUsage   = 2 // wrong arguments or configuration: starting again does not help
)

// A program is what the commands have of the world around them.
type program struct {
	environ        []string
	stdin          io.Reader
	stdout, stderr io.Writer
	// interrupts starts the delivery of signals, and stop ends it.
	interrupts func() (signals <-chan os.Signal, stop func())
}

// A usageError is a mistake in arguments or configuration.
type usageError struct{ text string }

func (e *usageError) Error() string { return e.text }

// run executes one command line and returns the exit code.
func (p *program) run(ctx context.Context, args []string) int {
	root := p.root()
	root.SetArgs(args)
	root.SetOut(p.stdout)
	root.SetErr(p.stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	fmt.Fprintln(p.stderr, "switchboard: "+err.Error())
	if _, ok := errors.AsType[*usageError](err); ok {
		return exitUsage
	}
	return exitFailure
}

func (p *program) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "switchboard",
		Short: "Azure SignalR Service as one program",
		Long: `Switchboard is Azure SignalR Service as one program. Clients and app servers of
the hosted service change their connection string and nothing else.

  switchboard dev                        try it on this machine
  switchboard serve --access-key KEY     run it

Exit codes: 0 ended in good order, 1 failure, 2 wrong arguments or configuration.`,
		Args:          knownCommand,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		SilenceErrors: true, // run prints them
		SilenceUsage:  true,
		Version:       buildVersion(),
	}
	root.SetVersionTemplate("switchboard {{.Version}}\n")
	root.SetFlagErrorFunc(flagError)
	root.AddCommand(p.serve(), p.dev(), p.bench(), p.token(), p.connect(), p.checkConfig(), p.version())
	return root
}

// knownCommand refuses what is not the name of a command, which cobra hands to the root.
func knownCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	text := fmt.Sprintf("unknown command %q%s", args[0], didYouMean(strings.Join(cmd.SuggestionsFor(args[0]), " or ")))
	return &usageError{text + seeHelp(cmd)}
}

// noArguments is the Args of every other command.
func noArguments(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return &usageError{fmt.Sprintf("unknown argument %q: %s takes flags only%s", args[0], cmd.CommandPath(), seeHelp(cmd))}
}

func flagError(cmd *cobra.Command, err error) error {
	text := err.Error()
	if unknown, ok := errors.AsType[*pflag.NotExistError](err); ok {
		var flags []string
		cmd.Flags().VisitAll(func(f *pflag.Flag) { flags = append(flags, f.Name) })
		if name := nearest(unknown.GetSpecifiedName(), flags); name != "" {
			text += didYouMean("--" + name)
		}
	}
	return &usageError{text + seeHelp(cmd)}
}

func seeHelp(cmd *cobra.Command) string {
	return "\nSee: " + cmd.CommandPath() + " --help"
}

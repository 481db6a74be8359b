package main

import (
	"context"
	"io"
	"os"
	"sync"

	"github.com/spf13/cobra"

	"switchboard/internal/loadgen"
	"switchboard/internal/loadgen/trial"
	"switchboard/service"
)

// benchService is serve, obeying the orders of a trial on standard input. It
// ends when those do.
func (p *program) benchService() *cobra.Command {
	cmd := &cobra.Command{
		Use:    "service",
		Short:  "Be the service of a benchmark",
		Hidden: true,
		Args:   noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := load(cmd.Flags(), p.environ)
			if err != nil {
				return err
			}
			ctx, cancel := context.WithCancel(cmd.Context())
			defer cancel()
			var attending sync.WaitGroup
			defer attending.Wait()
			return run(ctx, c, newLogger(p.stderr, c.Log), nil, func(_ *service.Service, url string) {
				attending.Go(func() {
					defer cancel()
					_ = trial.Attend(url, os.Stdin, p.stdout) // whoever gave the orders is gone
				})
			})
		},
	}
	addConfigFlags(cmd.Flags())
	return cmd
}

func (p *program) benchApp() *cobra.Command {
	var serverConnections int
	cmd := &cobra.Command{
		Use:    "app-server",
		Short:  "Be the app server of a benchmark",
		Hidden: true,
		Args:   noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return trial.ServeApp(cmd.Context(), serverConnections, os.Stdin, p.stdout)
		},
	}
	cmd.Flags().IntVar(&serverConnections, "server-connections", 5, "connections to the service")
	return cmd
}

func (p *program) benchLoad() *cobra.Command {
	return &cobra.Command{
		Use:    "load",
		Short:  "Be a part of the load side of a benchmark",
		Hidden: true,
		Args:   noArguments,
		RunE: func(*cobra.Command, []string) error {
			return loadgen.Serve(struct {
				io.Reader
				io.WriteCloser
			}{os.Stdin, os.Stdout})
		},
	}
}

package main

import (
	"context"
	"sync"

	"github.com/spf13/cobra"

	"switchboard/service"
)

func (p *program) serve() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the service",
		Long: `Serve runs the service until it gets SIGTERM or SIGINT. It then refuses new
connections, tells clients to reconnect, sends app servers what is still theirs,
and ends; after the shutdown timeout, or at a second signal, it ends at once.

Each setting is a flag, an environment variable or a key of the YAML file, in
this order of precedence. The key log.level is the flag --log-level and the
variable SWITCHBOARD_LOG_LEVEL; access-keys is the flag --access-key. What is
unknown or wrong is an error, all mistakes together.

At SIGHUP, and when the file changes, the access keys are read again and replaced.
Connections live on, and other settings stay as they are.

An access key is required. Prefer the environment or the file for it: other
users of the machine can see the arguments of a process.`,
		Example: `  SWITCHBOARD_ACCESS_KEYS=$(openssl rand -hex 32) switchboard serve
  switchboard serve --config switchboard.yaml --listen 0.0.0.0:8080 --log-level debug`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			signals, stop := p.interrupts()
			defer stop()
			c, err := load(cmd.Flags(), p.environ)
			if err != nil {
				return err
			}
			log := newLogger(p.stderr, c.Log)
			w := &keyWatch{
				file: configFile(cmd.Flags(), p.environ),
				load: func() (config, error) { return load(cmd.Flags(), p.environ) },
				log:  log,
				keys: c.Service.AccessKeys,
			}
			w.begin()
			ctx, end := context.WithCancel(cmd.Context())
			var watching sync.WaitGroup
			defer watching.Wait()
			defer end()
			return run(cmd.Context(), c, log, signals, func(svc *service.Service, _ string) {
				w.set = svc.SetAccessKeys
				watching.Go(func() { w.run(ctx) })
			})
		},
	}
	addConfigFlags(cmd.Flags())
	return cmd
}

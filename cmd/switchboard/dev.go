package main

import (
	"context"
	"fmt"
	"io"
	"net"

	"github.com/spf13/cobra"

	"switchboard/accesstoken"
	"switchboard/service"
)

func (p *program) dev() *cobra.Command {
	var listen string
	var insecurePublic bool
	cmd := &cobra.Command{
		Use:   "dev",
		Short: "Run the service on this machine without configuration",
		Long: `Dev runs the service for development, with the access key of the official
emulator, and prints the connection string. It reads neither a file nor the
environment. Everybody knows the key, so dev listens on this machine only.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			signals, stop := p.interrupts()
			defer stop()
			address, err := devAddress(cmd.Context(), listen, insecurePublic)
			if err != nil {
				return err
			}
			c := defaults()
			c.Listen = address
			c.Service.AccessKeys = []string{accesstoken.DevelopmentKey}
			return run(cmd.Context(), c, newLogger(p.stderr, c.Log), signals, func(svc *service.Service, url string) {
				greet(p.stdout, svc.ConnectionString(), url)
			})
		},
	}
	cmd.Flags().StringVar(&listen, "listen", "127.0.0.1:8888", "`host:port` to listen on; port 0 takes a free one")
	cmd.Flags().BoolVar(&insecurePublic, "insecure-public", false,
		"allow a --listen address that other machines can reach, which lets everybody in")
	return cmd
}

// devAddress resolves the name in listen and refuses what other machines can
// reach. The caller listens on the result, so a name cannot change its meaning
// between the check and the use.
func devAddress(ctx context.Context, listen string, insecurePublic bool) (string, error) {
	if problem := addressProblem(listen); problem != "" {
		return "", &usageError{fmt.Sprintf("--listen: %q %s", listen, problem)}
	}
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return "", err
	}
	loopback := false
	if host != "" {
		ips, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
		if err != nil {
			return "", fmt.Errorf("--listen: look up %q: %w", host, err)
		}
		host, loopback = ips[0].Unmap().String(), ips[0].Unmap().IsLoopback()
	}
	if !loopback && !insecurePublic {
		return "", &usageError{fmt.Sprintf("--listen: other machines can reach %s, and dev uses an access key that everybody knows, "+
			"so anyone could read and send messages; use \"switchboard serve\" with a key of your own, or add --insecure-public", listen)}
	}
	return net.JoinHostPort(host, port), nil
}

func greet(w io.Writer, connectionString, url string) {
	fmt.Fprintf(w, `
  Switchboard for development is ready on %[2]s

  Connection string for app servers:

    %[1]s

  ASP.NET Core   services.AddSignalR().AddAzureSignalR("<connection string>")
                 or the environment variable Azure__SignalR__ConnectionString
  Go             appserver.New(appserver.Config{ConnectionString: "<connection string>"})
  Health         curl %[2]s/api/health

  Its access key is the published one of the official emulator and protects nothing.
  Ctrl+C ends it.

`, connectionString, url)
}

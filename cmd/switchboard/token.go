package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"switchboard/accesstoken"
)

// developmentConnectionString is that of "switchboard dev".
const developmentConnectionString = "Endpoint=http://localhost:8888;AccessKey=" + accesstoken.DevelopmentKey + ";Version=1.0;"

// A tokenRequest is what the token command was told.
type tokenRequest struct {
	connectionString, hub, application string
	server                             bool
	user                               string
	claims                             []string
	lifetime                           time.Duration
	algorithm                          string
	json                               bool
}

func (p *program) token() *cobra.Command {
	var t tokenRequest
	cmd := &cobra.Command{
		Use:   "token",
		Short: "Make an access token for a client or an app server",
		Long: `Token prints an access token, signed with the key of a connection string, as an
app server does when a client negotiates. With --json it prints what the client
gets from negotiate: the address and the token.`,
		Example: `  switchboard token --hub chat --user ann --claim role=admin
  curl -X POST "http://localhost:8888/client/negotiate?hub=chat" -H "Authorization: Bearer $(switchboard token --hub chat)"`,
		Args: noArguments,
		RunE: func(*cobra.Command, []string) error { return t.print(p) },
	}
	f := cmd.Flags()
	f.SortFlags = false
	f.StringVar(&t.connectionString, "connection-string", "", "`text` that names service and key ("+envConnectionString+"); default is that of \"switchboard dev\"")
	f.StringVar(&t.hub, "hub", "", "`name` of the hub")
	f.StringVar(&t.application, "application", "", "`name` of the application, if the app server has one")
	f.BoolVar(&t.server, "server", false, "make a token for a server connection instead of a client's")
	f.StringVar(&t.user, "user", "", "`id` of the user; of the app server with --server")
	f.StringArrayVar(&t.claims, "claim", nil, "claim as `type=value`; may be given several times")
	f.DurationVar(&t.lifetime, "lifetime", time.Hour, "how long the token is good for")
	f.StringVar(&t.algorithm, "algorithm", string(accesstoken.HS256), "`name` of the algorithm: HS256 or HS512")
	f.BoolVar(&t.json, "json", false, "print address and token as JSON")
	return cmd
}

func (t *tokenRequest) print(p *program) error {
	text := cmp.Or(t.connectionString, lookupEnv(p.environ, envConnectionString), developmentConnectionString)
	endpoint, err := accesstoken.ParseConnectionString(text)
	if err != nil {
		return &usageError{"--connection-string: " + err.Error()}
	}
	hub, err := accesstoken.HubName(t.application, t.hub)
	if err != nil {
		return &usageError{"--hub, --application: " + err.Error()}
	}
	if t.lifetime <= 0 {
		return &usageError{"--lifetime: it must be more than 0"}
	}
	claims, err := t.claimList()
	if err != nil {
		return err
	}
	now := time.Now().Truncate(time.Second)
	token := accesstoken.Token{
		Audience: endpoint.ClientAudience(hub),
		Expires:  now.Add(t.lifetime), IssuedAt: now, NotBefore: now, Claims: claims,
	}
	address := endpoint.ClientURL(hub)
	if t.server {
		token.Audience, address = endpoint.ServerAudience(hub), endpoint.ServerURL(hub, "1")
	}
	signed, err := accesstoken.Sign(endpoint.AccessKey, accesstoken.Algorithm(t.algorithm), token)
	if err != nil {
		return &usageError{err.Error()}
	}
	if !t.json {
		_, err = fmt.Fprintln(p.stdout, signed)
		return err
	}
	e := json.NewEncoder(p.stdout)
	e.SetEscapeHTML(false)
	return e.Encode(struct {
		URL         string `json:"url"`
		AccessToken string `json:"accessToken"`
	}{address, signed})
}

// claimList returns the claims, the user's id first, where each kind of token has it.
func (t *tokenRequest) claimList() (claims []accesstoken.Claim, err error) {
	if t.user != "" {
		name := accesstoken.ClaimUserID
		if t.server {
			name = accesstoken.ClaimNameID
		}
		claims = append(claims, accesstoken.Claim{Type: name, Value: t.user})
	}
	for _, claim := range t.claims {
		name, value, ok := strings.Cut(claim, "=")
		if !ok || name == "" {
			return nil, &usageError{fmt.Sprintf("--claim: %q is not type=value", claim)}
		}
		claims = append(claims, accesstoken.Claim{Type: accesstoken.ShortName(name), Value: value})
	}
	return claims, nil
}

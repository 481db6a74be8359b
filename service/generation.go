package service

import (
	"net/url"
	"strings"

	"switchboard/aspnetprotocol"
	"switchboard/internal/clientconn/aspnet"
	"switchboard/internal/clientconn/aspnetcore"
	"switchboard/internal/router"
	"switchboard/internal/serverconn"
)

// The generations of SignalR, as figures name them.
const (
	aspNetCore = "aspnetcore"
	aspNet     = "aspnet"
)

// A generation of SignalR has hubs and app servers of its own.
type generation struct {
	name    string
	path    string // of app servers
	router  *router.Router
	servers *serverconn.Handler
}

func (s *Service) makeCore() {
	c := &s.config
	hubs := router.New(router.Config{
		Log: c.Logger, InstanceID: c.InstanceID, StandIn: s.standIn(),
		ClientsPerConnection: c.LoadBalancing.Clients, MoveLost: c.LostClients == MoveLost,
	})
	s.clients = aspnetcore.New(aspnetcore.Config{
		Keys:           s.keys.Load,
		Router:         hubs,
		InstanceID:     c.InstanceID,
		Limits:         c.clientLimits(),
		WebSockets:     s.webSockets,
		ConnectTimeout: c.Timeouts.Connect,
		PollWait:       c.Timeouts.PollWait,
		Places:         s.places,
		Log:            c.Logger,
	})
	s.core = generation{aspNetCore, "/server", hubs, nil}
	s.core.servers = serverconn.New(s.serverConfig(s.core))
}

func (s *Service) makeAspNet() {
	c := &s.config
	hubs := router.New(router.Config{
		Log: c.Logger.With("generation", aspNet), InstanceID: c.InstanceID, ClientsPerConnection: c.LoadBalancing.Clients,
		Open: aspnet.OpenPayload, Joins: aspnet.Joins, NoResults: true,
	})
	limits := c.clientLimits()
	limits.MessageBytes = c.AspNet.MessageBytes
	s.aspClients = aspnet.New(aspnet.Config{
		Keys:       s.keys.Load,
		Router:     hubs,
		InstanceID: c.InstanceID,
		Path:       pathOf(c.Endpoint) + "/aspnetclient",
		Limits:     limits,
		WebSockets: s.webSockets,
		Places:     s.places,
		Timeouts: aspnet.Timeouts{
			Connect:    c.AspNet.Connect,
			Transport:  c.AspNet.Transport,
			KeepAlive:  c.AspNet.KeepAlive,
			Disconnect: c.AspNet.Disconnect,
			Poll:       c.AspNet.Poll,
			PollWait:   c.Timeouts.PollWait,
		},
		AlwaysErrors: c.AspNet.Errors == AlwaysErrors,
		Log:          c.Logger.With("generation", aspNet),
	})
	s.aspNet = generation{aspNet, "/aspnetserver", hubs, nil}
	config := s.serverConfig(s.aspNet)
	config.Carries, config.Log = aspnetprotocol.IsApplication, c.Logger.With("generation", aspNet)
	s.aspNet.servers = serverconn.New(config)
}

// pathOf returns the path of a URL that was checked, without a slash at its end.
func pathOf(endpoint string) string {
	u, err := url.Parse(endpoint)
	if err != nil {
		return ""
	}
	return strings.TrimSuffix(u.EscapedPath(), "/")
}

func (s *Service) serverConfig(g generation) serverconn.Config {
	c := &s.config
	return serverconn.Config{
		Path:             g.path,
		Keys:             s.keys.Load,
		Router:           g.router,
		Clients:          s.clientConnections,
		Capacity:         c.Limits.ClientConnections,
		InstanceID:       c.InstanceID,
		CrowdedBytes:     c.LoadBalancing.QueueBytes,
		ResumeTimeout:    c.Timeouts.ServerResume,
		SendersOnly:      c.Mode == ModeServerless,
		HandshakeTimeout: c.Timeouts.Handshake,
		Mux:              c.muxOptions(),
		Log:              c.Logger,
	}
}

// clientConnections returns how many places for clients are taken.
func (s *Service) clientConnections() int {
	s.clients.Expire()
	return s.places.Taken()
}

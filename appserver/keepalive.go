package appserver

import (
	"context"
	"time"

	"switchboard/serviceprotocol"
)

const (
	// heartbeat is how often clients are looked at, as ASP.NET Core does.
	heartbeat = time.Second

	// statusInterval is the time between two questions about the service's load.
	//
	// Source: azure-signalr ServiceConnectionContainerBase.cs, DefaultStatusPingInterval.
	statusInterval = 10 * time.Second
)

// keepAlive is the one clock for all clients of the app.
func (a *App) keepAlive(ctx context.Context, hubs []*hub) {
	ticker := time.NewTicker(heartbeat)
	defer ticker.Stop()
	var clients []*client
	asked := time.Now()
	for {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
		now := time.Now()
		for _, h := range hubs {
			clients = h.clients.appendTo(clients[:0])
			for _, c := range clients {
				c.beat(now)
			}
			clear(clients)
		}
		if now.Sub(asked) >= statusInterval {
			asked = now
			a.askStatus()
		}
	}
}

func (a *App) askStatus() {
	for _, l := range a.lines() {
		for _, e := range l.endpoints() {
			e.ask(serviceprotocol.PingStatus, "1")
		}
	}
}

// ask puts a question to the service. When there is no connection with room, it is put
// again the next time.
func (e *HubEndpoint) ask(key, value string) {
	question := &serviceprotocol.Ping{Messages: []string{key, value}}
	_ = e.send(done, nil, "", func(ctx context.Context, s *serverConn) error { return s.link.Send(ctx, question) })
}

// beat ends a client that is too slow or silent, and pings the others. A ping
// depends on the time of the last ping, not on other messages: that is what
// clients expect of a server.
func (c *client) beat(now time.Time) {
	config := &c.hub.config
	pinged := c.pinged.Load()
	switch {
	case pinged == 0:
		if now.Sub(c.since) >= config.HandshakeTimeout {
			c.end(refused("Handshake was canceled."))
		}
	case c.pings.Load() && now.Sub(time.Unix(0, c.heard.Load())) >= config.ClientTimeoutInterval:
		c.end(failed(c, errClientSilent))
	case now.Sub(time.Unix(0, pinged)) >= config.KeepAliveInterval:
		c.pinged.Store(now.UnixNano())
		c.ping()
	}
}

// ping does not wait: what fills the queue is a sign of life as well.
func (c *client) ping() {
	o := newOutgoing()
	defer o.free()
	_ = c.write(done, o, serviceprotocol.DataOther, c.encoding.Load().ping)
}

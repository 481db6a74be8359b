package serverconn

import (
	"strconv"
	"strings"
	"time"

	"switchboard/internal/mux"
	"switchboard/internal/router"
	"switchboard/serviceprotocol"
)

// keepAlive is the ping that is due at intervals. It asks for another server connection
// when there are too few, and ends this one when it is not needed any more.
func (c *Conn) keepAlive() *serviceprotocol.Ping {
	if !c.carries {
		return &serviceprotocol.Ping{}
	}
	queue := c.mux.Stats()
	c.noteKeepingUp(queue)
	limit := c.handler.config.CrowdedBytes
	switch c.hub.Demand(c, limit > 0 && queue.Queued > limit) {
	case router.More:
		c.log.Info("app server is asked for another server connection", "clients", c.hub.ClientsOf(c))
		return &serviceprotocol.Ping{Messages: []string{serviceprotocol.PingTarget, c.handler.config.InstanceID}}
	case router.Less:
		if c.hub.RetireIdle(c) {
			c.giveUp(errNotNeeded)
		}
	}
	return &serviceprotocol.Ping{}
}

// noteKeepingUp logs when the app server begins to be too slow for its clients, and when it
// is not any more.
func (c *Conn) noteKeepingUp(queue mux.Stats) {
	switch {
	case queue.Full == c.slow:
	case queue.Full:
		c.log.Warn("app server does not keep up; its clients are not read until it does", "queued_bytes", queue.Queued, "clients", c.hub.ClientsOf(c))
	default:
		c.log.Info("app server keeps up again")
	}
	c.slow = queue.Full
}

// statusPing tells whether the hub has clients, and what app servers weigh
// endpoints by.
func (c *Conn) statusPing() *serviceprotocol.Ping {
	active := "0"
	if c.hub.Stats().Clients > 0 {
		active = "1"
	}
	messages := []string{
		"status", active,
		"clientcount", strconv.Itoa(c.handler.config.Clients()),
		"servercount", strconv.Itoa(c.handler.Connections()),
	}
	if capacity := c.handler.config.Capacity; capacity > 0 {
		messages = append(messages, "capacity", strconv.Itoa(capacity))
	}
	return &serviceprotocol.Ping{Messages: messages}
}

// serversPing lists the app servers of the hub, always in the same order,
// since SDKs compare the text between endpoints.
func (c *Conn) serversPing() *serviceprotocol.Ping {
	list := strings.Join(c.hub.Stats().Servers, ";")
	return &serviceprotocol.Ping{Messages: []string{"servers", strconv.FormatInt(ticks(time.Now()), 10) + ":" + list}}
}

// ticksAtUnixEpoch is 1970 in .NET ticks: 100 ns since the year 1.
const ticksAtUnixEpoch = 621355968000000000

// ticks returns t as .NET does. SDKs accept a list only if its time is later
// than that of the list before.
func ticks(t time.Time) int64 { return t.UnixNano()/100 + ticksAtUnixEpoch }

// Package natsserver is a NATS server that speaks its protocol over WebSocket,
// with the defaults of the server: no TLS, no compression, no log.
package natsserver

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"switchboard/internal/loadgen"
)

const startWait = 10 * time.Second

// Listen starts a server on a port of 127.0.0.1. It runs until the process ends.
func Listen() (port int, err error) {
	s, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", DontListen: true, NoLog: true, NoSigs: true,
		Websocket: server.WebsocketOpts{Host: "127.0.0.1", Port: server.RANDOM_PORT, NoTLS: true},
	})
	if err != nil {
		return 0, fmt.Errorf("start NATS: %w", err)
	}
	s.Start()
	if !s.ReadyForConnections(startWait) {
		return 0, errors.New("start NATS: it is not ready after 10 s")
	}
	at, err := url.Parse(s.WebsocketURL())
	if err != nil {
		return 0, fmt.Errorf("start NATS: %w", err)
	}
	return strconv.Atoi(at.Port())
}

// Respond answers the requests of clients until the connection is closed, over
// WebSocket as the app servers of Switchboard do.
func Respond(host string) (*nats.Conn, error) {
	c, err := nats.Connect("ws://" + host)
	if err != nil {
		return nil, fmt.Errorf("connect responder: %w", err)
	}
	_, err = c.Subscribe(loadgen.SubjectEcho, func(m *nats.Msg) { _ = m.Respond(m.Data) }) // what is lost is seen by the load side
	if err == nil {
		err = c.Flush()
	}
	if err != nil {
		c.Close()
		return nil, fmt.Errorf("subscribe responder: %w", err)
	}
	return c, nil
}

package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strconv"
	"syscall"

	"switchboard/service"
)

// open opens the port that c names, for HTTPS when there is a certificate, and
// returns the URL of it for this machine.
func open(ctx context.Context, c config) (l net.Listener, url string, err error) {
	certificates, err := c.TLS.certificates()
	if err != nil {
		return nil, "", err
	}
	l, err = listen(ctx, "listen", c.Listen)
	if err != nil {
		return nil, "", err
	}
	if certificates == nil {
		return l, baseURL("http", l.Addr()), nil
	}
	secure := &tls.Config{Certificates: certificates, NextProtos: []string{"h2", "http/1.1"}}
	return tls.NewListener(service.Listener(l), secure), baseURL("https", l.Addr()), nil
}

// listen opens address, which the setting called key has. The error is a
// sentence that says what to do.
func listen(ctx context.Context, key, address string) (net.Listener, error) {
	// The pings of the protocols tell a dead peer; keep-alive would take four
	// system calls for each connection.
	config := net.ListenConfig{KeepAlive: -1}
	l, err := config.Listen(ctx, "tcp", address)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("%s: %s is in use by another program; end that one or choose another address with --%s", key, address, key)
	case errors.Is(err, syscall.EACCES):
		return nil, fmt.Errorf("%s: this user may not listen on %s; choose a port above 1023 with --%s", key, address, key)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return nil, fmt.Errorf("%s: %s is no address of this machine; choose another with --%s", key, address, key)
	case err != nil:
		return nil, fmt.Errorf("%s: %w", key, err)
	}
	return l, nil
}

// baseURL returns the URL under which this machine reaches a listener. A
// literal address stays one: a name may stand for another address as well.
func baseURL(scheme string, a net.Addr) string {
	address := a.(*net.TCPAddr)
	host := address.IP.String()
	if address.IP.IsUnspecified() {
		host = "localhost"
	}
	return scheme + "://" + net.JoinHostPort(host, strconv.Itoa(address.Port))
}

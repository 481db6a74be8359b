package loadgen

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/url"

	"golang.org/x/sys/unix"
)

// An endpoint is a server that clients connect to.
type endpoint struct {
	host     string // as the Host header has it
	family   int
	address  unix.Sockaddr
	loopback bool        // IPv4, so that there are many addresses to connect from
	secure   *tls.Config // nil for plain HTTP
}

// newEndpoint looks up the host of a URL.
func newEndpoint(u *url.URL, trust *tls.Config) (*endpoint, error) {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	tcp, err := net.ResolveTCPAddr("tcp", net.JoinHostPort(u.Hostname(), port))
	if err != nil {
		return nil, fmt.Errorf("look up %s: %w", u.Host, err)
	}
	e := &endpoint{host: u.Host}
	if ip := tcp.IP.To4(); ip != nil {
		e.family, e.loopback = unix.AF_INET, ip.IsLoopback()
		e.address = &unix.SockaddrInet4{Port: tcp.Port, Addr: [4]byte(ip)}
	} else {
		e.family = unix.AF_INET6
		e.address = &unix.SockaddrInet6{Port: tcp.Port, Addr: [16]byte(tcp.IP.To16())}
	}
	if u.Scheme == "https" {
		e.secure = trust.Clone()
		e.secure.ServerName = u.Hostname()
	}
	return e, nil
}

// A target finds endpoints, each once. It belongs to one loop.
type target struct {
	hub       *url.URL
	trust     *tls.Config
	endpoints map[string]*endpoint // by scheme and host
}

func (t *target) endpoint(u *url.URL) (*endpoint, error) {
	key := u.Scheme + "://" + u.Host
	if e := t.endpoints[key]; e != nil {
		return e, nil
	}
	e, err := newEndpoint(u, t.trust)
	if err == nil {
		t.endpoints[key] = e
	}
	return e, err
}

// source returns the n-th address of those to connect from.
func source(n int) *unix.SockaddrInet4 {
	return &unix.SockaddrInet4{Addr: [4]byte{127, 0, byte(1 + n/250), byte(1 + n%250)}}
}

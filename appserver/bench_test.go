package appserver_test

import (
	"fmt"
	"strings"
	"testing"

	"switchboard/appserver"
	"switchboard/hubprotocol"
	"switchboard/serviceprotocol"
)

// BenchmarkEcho is a call and its answer, from the bytes of the service to the
// bytes to the service.
func BenchmarkEcho(b *testing.B) {
	for _, p := range []hubprotocol.Protocol{hubprotocol.JSON, hubprotocol.MessagePack} {
		for _, size := range []int{16, 1024} {
			b.Run(fmt.Sprintf("%s/payload=%dB", p.Name(), size), func(b *testing.B) {
				answered := make(chan struct{}, 10) // room for the goodbye
				a := startForBenchmark(b, &echoHub{}, func(serviceprotocol.Message) { answered <- struct{}{} })
				a.conn.open(b, &serviceprotocol.OpenConnection{ConnectionID: "c1", Protocol: p.Name()})
				<-answered // the handshake
				call := &serviceprotocol.ConnectionData{ConnectionID: "c1", Payload: encode(p, &hubprotocol.Invocation{
					InvocationID: "1", Target: "Echo", Arguments: [][]byte{value(p, strings.Repeat("x", size))}})}
				b.ReportAllocs()
				for b.Loop() {
					a.conn.send(b, call)
					<-answered
				}
			})
		}
	}
}

// BenchmarkBroadcast is one message to all, in both protocols.
func BenchmarkBroadcast(b *testing.B) {
	for _, size := range []int{16, 1024} {
		b.Run(fmt.Sprintf("payload=%dB", size), func(b *testing.B) {
			arrived := make(chan struct{}, 1000)
			a := startForBenchmark(b, &echoHub{}, func(serviceprotocol.Message) { arrived <- struct{}{} })
			text := any(strings.Repeat("x", size))
			b.ReportAllocs()
			sent := 0
			for b.Loop() {
				if err := a.hub.Clients().All().Send(b.Context(), "receive", text); err != nil {
					b.Fatal(err)
				}
				if sent++; sent > 500 {
					<-arrived
				}
			}
			for range min(sent, 500) {
				<-arrived
			}
		})
	}
}

// startForBenchmark runs an app that does not log. Its service hands each message
// but pings to arrived.
func startForBenchmark(b *testing.B, hub any, arrived func(serviceprotocol.Message)) *testApp {
	b.Helper()
	f := newFakeService(b)
	f.tap = func(m serviceprotocol.Message) {
		if m.Type() != serviceprotocol.TypePing {
			arrived(m)
		}
	}
	a := &testApp{service: f}
	var err error
	if a.App, err = appserver.New(appserver.Config{ConnectionString: f.ConnectionString(), HTTPClient: f.client, ServerConnections: 1}); err != nil {
		b.Fatal(err)
	}
	if a.hub, err = a.MapHub("/chat", hub); err != nil {
		b.Fatal(err)
	}
	a.run(b)
	a.conn = f.next(b)
	if err := a.Ready(b.Context()); err != nil {
		b.Fatal(err)
	}
	return a
}

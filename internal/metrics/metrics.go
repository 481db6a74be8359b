// Package metrics shows the figures of a service in the form that Prometheus
// reads. It is the only package that knows Prometheus: the others count and
// offer Stats.
package metrics

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"switchboard/service"
)

// Handler returns the page of metrics, those of the Go runtime and of the
// process included. stats is called for every request.
func Handler(stats func() service.Stats) http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(
		collector{stats},
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{})
}

type collector struct{ stats func() service.Stats }

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("switchboard_"+name, help, labels, nil)
}

var (
	clientConnections = describe("client_connections", "Client connections that are paired.", "generation", "hub")
	pendingClients    = describe("client_connections_all", "Client connections of all hubs, negotiated and handshaking ones included.")
	away              = describe("client_connections_away", "Client connections of ASP.NET SignalR without a transport: between two of them, or two polls.")
	serverConnections = describe("server_connections", "Server connections of all types.", "generation", "hub")
	onDemand          = describe("server_connections_on_demand", "Server connections that the service has asked for.", "generation", "hub")
	queued            = describe("server_queued_bytes", "Bytes that wait for app servers.", "generation", "hub")
	congested         = describe("server_connections_congested", "Server connections that do not keep up, so that their clients are not read.", "generation", "hub")
	asked             = describe("server_connections_asked_total", "Times that an app server was asked for another server connection.", "generation", "hub")
	appServers        = describe("app_servers", "App server instances with a server connection.", "generation", "hub")
	users             = describe("users", "Users with a client connection.", "generation", "hub")
	groups            = describe("groups", "Groups with a client connection.", "generation", "hub")
	resumed           = describe("client_connections_resumed_total", "Client connections that went on over another socket: stateful reconnect.", "generation", "hub")
	moved             = describe("client_connections_moved_total", "Client connections that went over to another server connection.", "generation", "hub")
	opened            = describe("client_connections_opened_total", "Client connections that were paired.", "generation", "hub")
	closed            = describe("client_connections_closed_total", "Client connections that ended, by reason; category is the hosted service's name for it.", "generation", "hub", "reason", "category")
	serversClosed     = describe("server_connections_closed_total", "Server connections that ended, by reason.", "reason")
	serversResumed    = describe("server_connections_resumed_total", "Times that a server connection went on over another WebSocket.")
	fromServers       = describe("messages_from_app_servers_total", "Messages of app servers, save pings.", "generation", "hub")
	delivered         = describe("messages_to_clients_total", "Messages that were queued for a client.", "generation", "hub")
	listeners         = describe("hub_listeners", "Clients that listen to a hub of ASP.NET SignalR, while an application has them.", "generation", "hub")
	unopened          = describe("payloads_unreadable_total", "Payloads of ASP.NET SignalR that cannot be read; they are skipped.", "generation", "hub")
	unknown           = describe("messages_unknown_total", "Messages of app servers whose type is not known; they are ignored.", "generation", "hub")
	deflatedFrom      = describe("deflated_bytes_total", "Bytes of messages that clients got compressed, before compression.")
	deflatedTo        = describe("deflated_to_bytes_total", "Bytes of messages that clients got compressed, after compression.")
	refused           = describe("tokens_refused_total", "Requests whose access token was refused, by reason.", "endpoint", "reason")
)

// Describe names every metric.
func (c collector) Describe(descs chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		clientConnections, pendingClients, away, serverConnections, onDemand, queued, congested, asked, appServers, users, groups,
		opened, resumed, moved, closed, serversClosed, serversResumed, fromServers, delivered, unknown, listeners, unopened, deflatedFrom, deflatedTo, refused,
	} {
		descs <- d
	}
}

// Collect reads the figures once.
func (c collector) Collect(metrics chan<- prometheus.Metric) {
	stats := c.stats()
	gauge := func(d *prometheus.Desc, value int, labels ...string) {
		metrics <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, float64(value), labels...)
	}
	counter := func(d *prometheus.Desc, value int64, labels ...string) {
		metrics <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(value), labels...)
	}
	gauge(pendingClients, stats.ClientConnections)
	gauge(away, stats.ClientsAway)
	counter(serversResumed, stats.ServerConnectionsResumed)
	counter(deflatedFrom, stats.DeflatedFrom)
	counter(deflatedTo, stats.DeflatedTo)
	for reason, n := range stats.ServerConnectionsClosed {
		counter(serversClosed, n, reason)
	}
	for endpoint, reasons := range stats.Refused {
		for reason, n := range reasons {
			counter(refused, n, endpoint, reason)
		}
	}
	for _, h := range stats.Hubs {
		gauge(clientConnections, h.Clients, h.Generation, h.Hub)
		gauge(serverConnections, h.ServerConnections, h.Generation, h.Hub)
		if h.ServerConnections > 0 {
			gauge(queued, h.Queue.Bytes, h.Generation, h.Hub)
			gauge(congested, h.Queue.Congested, h.Generation, h.Hub)
		}
		gauge(listeners, h.Listeners, h.Generation, h.Hub)
		counter(unopened, h.UnopenedPayloads, h.Generation, h.Hub)
		gauge(onDemand, h.OnDemand, h.Generation, h.Hub)
		counter(asked, h.ServersAsked, h.Generation, h.Hub)
		gauge(appServers, len(h.Servers), h.Generation, h.Hub)
		gauge(users, h.Users, h.Generation, h.Hub)
		gauge(groups, h.Groups, h.Generation, h.Hub)
		counter(opened, h.ClientsOpened, h.Generation, h.Hub)
		counter(moved, h.ClientsMoved, h.Generation, h.Hub)
		counter(resumed, h.ClientsResumed, h.Generation, h.Hub)
		counter(fromServers, h.ServerMessages, h.Generation, h.Hub)
		counter(delivered, h.Delivered, h.Generation, h.Hub)
		counter(unknown, h.UnknownMessages, h.Generation, h.Hub)
		for _, end := range h.ClientsClosed {
			counter(closed, end.Count, h.Generation, h.Hub, end.Reason, end.Category)
		}
	}
}

package appserver

import (
	"context"
	"strings"

	"switchboard/serviceprotocol"
)

// maxEvents is how many events of a service wait for HubConfig.OnServiceEvent.
const maxEvents = 100

// noteEvent takes what a service reports of itself.
//
// Source: azure-signalr IServiceEventHandler.cs.
func (e *HubEndpoint) noteEvent(m *serviceprotocol.ServiceEvent) {
	m = &serviceprotocol.ServiceEvent{ObjectType: m.ObjectType, Kind: m.Kind, ID: strings.Clone(m.ID), Message: strings.Clone(m.Message)}
	e.log.Warn("service event", "kind", int(m.Kind), "object", int(m.ObjectType), "id", m.ID, "message", m.Message)
	if e.line.onEvent == nil {
		return
	}
	select {
	case e.events <- m:
	default: // the log has it
	}
}

// reportEvents calls the app until ctx is done.
func (e *HubEndpoint) reportEvents(ctx context.Context) {
	for {
		select {
		case m := <-e.events:
			e.reportEvent(m)
		case <-ctx.Done():
			return
		}
	}
}

func (e *HubEndpoint) reportEvent(m *serviceprotocol.ServiceEvent) {
	var err error
	defer func() {
		if err != nil {
			e.log.Error("OnServiceEvent failed", "error", err)
		}
	}()
	defer recovered(&err)
	e.line.onEvent(e, m)
}

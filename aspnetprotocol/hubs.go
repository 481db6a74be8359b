package aspnetprotocol

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// ParseHubs reads the query parameter connectionData: the names of the hubs that a client
// listens to, in lower case. An empty text, or an empty list, is a client that listens to none.
// A name that comes twice is an error, as it is for app servers.
//
// Source: SignalR Core/Hubs/HubDispatcher.cs.
func ParseHubs(connectionData string) ([]string, error) {
	if connectionData == "" {
		return nil, nil
	}
	var list []struct{ Name string } // in any case
	if err := json.Unmarshal([]byte(connectionData), &list); err != nil {
		return nil, fmt.Errorf("connectionData: %w", err)
	}
	var hubs []string
	for _, h := range list {
		name := strings.ToLower(h.Name)
		switch {
		case name == "":
			return nil, fmt.Errorf("connectionData: a hub has no name")
		case slices.Contains(hubs, name):
			return nil, fmt.Errorf("connectionData: hub %q is listed twice", name)
		}
		hubs = append(hubs, name)
	}
	return hubs, nil
}

// ServiceHub returns the name that a hub of an application has at the service. That of the
// application itself, whose server connections carry the clients, is made of its own name twice.
//
// Source: azure-signalr AspNet/EndpointProvider/ServiceEndpointProvider.cs.
func ServiceHub(application, hub string) string {
	return strings.ToLower(application) + "_" + strings.ToLower(hub)
}

// IsApplication tells whether a name at the service is that of an application itself.
func IsApplication(serviceHub string) bool {
	half := len(serviceHub) / 2
	return len(serviceHub) > 2 && serviceHub[half] == '_' && serviceHub[:half] == serviceHub[half+1:]
}

// groupPrefix begins the names of groups.
//
// Source: SignalR Core/Infrastructure/PrefixHelper.cs.
const groupPrefix = "hg-"

// GroupName returns the name under which the service knows a group of a hub. hub is in its
// declared case, which is part of the name.
func GroupName(hub, group string) string { return groupPrefix + hub + "." + group }

// GroupIsOf tells whether a name that GroupName has made is of one of these hubs, which are in
// lower case. Any other name is of all hubs.
func GroupIsOf(name string, hubs []string) bool {
	rest, ok := strings.CutPrefix(name, groupPrefix)
	if !ok {
		return true
	}
	return slices.ContainsFunc(hubs, func(hub string) bool {
		return len(rest) > len(hub) && rest[len(hub)] == '.' && strings.EqualFold(rest[:len(hub)], hub)
	})
}

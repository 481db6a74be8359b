package negotiate

import "strings"

// Transport is a set of ways to carry a connection, one bit each.
type Transport int

// The transports, by the bits that ASP.NET Core gives them.
//
// Source: dotnet/aspnetcore HttpTransportType.cs.
const (
	WebSockets       Transport = 1
	ServerSentEvents Transport = 2
	LongPolling      Transport = 4

	All = WebSockets | ServerSentEvents | LongPolling
)

// An offer is one transport of an answer.
type offer struct {
	Transport       string   `json:"transport"`
	TransferFormats []string `json:"transferFormats"`
}

// offers lists what each transport is written as, in the order in which clients
// are to try them.
//
// Source: dotnet/aspnetcore HttpConnectionDispatcher.cs, the fields
// _webSocketAvailableTransport and following.
var offers = [...]struct {
	transport Transport
	offer     offer
}{
	{WebSockets, offer{"WebSockets", []string{"Text", "Binary"}}},
	{ServerSentEvents, offer{"ServerSentEvents", []string{"Text"}}},
	{LongPolling, offer{"LongPolling", []string{"Text", "Binary"}}},
}

// String returns the name of a single transport as it is written in an answer,
// and joins the names of several with "|"; "none" for an empty set.
func (t Transport) String() string {
	var names []string
	for _, o := range t.list() {
		names = append(names, o.Transport)
	}
	if names == nil {
		return "none"
	}
	return strings.Join(names, "|")
}

// list returns the offers for the transports in t; never nil, so that it is
// written as an array.
func (t Transport) list() []offer {
	list := []offer{}
	for _, o := range offers {
		if t&o.transport != 0 {
			list = append(list, o.offer)
		}
	}
	return list
}

// transportOf finds a transport by its exact name, 0 for one that is not known.
func transportOf(name string) Transport {
	for _, o := range offers {
		if o.offer.Transport == name {
			return o.transport
		}
	}
	return 0
}

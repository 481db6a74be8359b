// Package aspnetprotocol is the wire of ASP.NET SignalR, the generation before ASP.NET Core:
// what its clients and hubs say to each other, and what app servers wrap it in for the
// service. It is bytes in, values out; transports are elsewhere.
//
// # Client to hub
//
// A client sends an [Invocation], one JSON object in a WebSocket message or a form:
//
//	{"H":"chat","M":"send","A":["hello"],"I":0}
//
// # Hub to client
//
// The hub answers with a [Result], and calls methods of clients with a [Call]. Calls travel in an
// envelope with a cursor, which the client sends back when it reconnects; a result may be
// alone or in an envelope:
//
//	{"R":5,"I":"0"}
//	{"C":"d-1","M":[{"H":"Chat","M":"receive","A":["hello"]}]}
//
// # App server to service
//
// An app server puts each such JSON text into a frame of the service protocol, and that into
// the message that says whom it is for: [AppendWrapped], [Unwrap]. Towards the app server
// there is no such frame.
//
// Names of JSON members are exact. Hub names compare without regard to case everywhere.
package aspnetprotocol

// Package negotiate reads and writes the exchange that a SignalR connection
// begins with: the client asks at the hub's URL, and the answer takes it in
// ([Answer]), sends it to another URL with a token ([Redirect]), which is how an
// app server hands its clients to the service, or turns it away ([Refusal]).
//
// The package is pure: it makes and reads the bytes, and leaves HTTP, tokens and
// the choice between the three to its callers. All three travel with status 200
// and Content-Type application/json.
package negotiate

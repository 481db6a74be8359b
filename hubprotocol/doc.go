// Package hubprotocol reads and writes what a SignalR client and a hub say to
// each other: the handshake, then hub messages in one of two encodings, JSON
// text or MessagePack binary.
//
// On the data path it stands at both ends. The app server and the client parse
// whole messages ([Protocol]); the service between them relays the bytes and
// only needs to know where a message ends ([Framing]).
//
// The package is pure: no I/O, no goroutines, no clock. Every function may be
// called from any goroutine. Timers, sequence numbers of stateful reconnect and
// the meaning of the messages belong to its callers.
package hubprotocol

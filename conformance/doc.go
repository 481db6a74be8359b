// Package conformance runs the official SignalR clients, in several versions and
// both hub protocols, on each engine, against the switchboard command and an app
// server made with package appserver. The cases are in clients/cases; README.md
// tells what they cover.
package conformance

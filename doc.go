// Package switchboard is the root of the project. It holds no code: start with
// the README for what Switchboard is, ARCHITECTURE.md for how it is made, and
// the packages service and appserver for its use as a library.
package switchboard

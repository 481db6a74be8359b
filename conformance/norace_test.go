//go:build !race

package conformance_test

var raceFlag []string

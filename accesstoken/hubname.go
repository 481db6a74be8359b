package accesstoken

import (
	"errors"
	"regexp"
	"strings"
)

// The service's rules for names. An app server that breaks one learns it from
// the service, so the Go packages refuse early.
//
// Source: azure-signalr Emulator ParameterValidator.cs, ErrorMessages.cs.
var (
	ErrHubName         = errors.New("invalid hub name: " + nameRule)
	ErrApplicationName = errors.New("invalid application name: " + nameRule)
)

const nameRule = "it must have 1 to 128 characters, the first a letter, the others letters, digits or any of _`,.[]"

var validName = regexp.MustCompile("^[A-Za-z][A-Za-z0-9_`,.[\\]]{0,127}$")

// HubName returns the name under which the service knows a hub: in lower case,
// and behind the application's name when that is not empty. "Chat" of
// application "Shop" is "shop_chat". The error is ErrHubName or
// ErrApplicationName.
func HubName(application, hub string) (string, error) {
	if !validName.MatchString(hub) {
		return "", ErrHubName
	}
	if application == "" {
		return strings.ToLower(hub), nil
	}
	if !validName.MatchString(application) {
		return "", ErrApplicationName
	}
	return strings.ToLower(application + "_" + hub), nil
}

// validKnownName has room for an application's prefix.
var validKnownName = regexp.MustCompile("^[A-Za-z][A-Za-z0-9_`,.[\\]]{0,256}$")

// ValidHubName tells whether name, as HubName returns it, can be that of a hub.
func ValidHubName(name string) bool { return validKnownName.MatchString(name) }

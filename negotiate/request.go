package negotiate

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// MaxVersion is the highest version of the exchange. From version 1 on a
// connection has a secret token beside its public id.
const MaxVersion = 1

// Path returns the path to negotiate at for the path of a hub, without query.
func Path(hubPath string) string {
	return strings.TrimSuffix(hubPath, "/") + "/negotiate"
}

// A VersionError is the refusal of a negotiateVersion.
type VersionError struct {
	Reason string // for the client, in Refusal.Error
}

func (e *VersionError) Error() string { return "negotiate: " + e.Reason }

// ParseVersion returns the version in force for a request: what its query asks
// for, 0 when it does not say, and at most MaxVersion. The name of the parameter
// matches without regard to case. The error is a *VersionError.
//
// Source: dotnet/aspnetcore HttpConnectionDispatcher.cs, WriteNegotiatePayload.
func ParseVersion(q url.Values) (int, error) {
	text, ok := parameter(q, "negotiateVersion")
	if !ok {
		return 0, nil
	}
	n, err := strconv.ParseInt(strings.TrimSpace(text), 10, 32)
	if err != nil {
		return 0, &VersionError{"The client requested a non-integer protocol version."}
	}
	if n < 0 {
		return 0, &VersionError{fmt.Sprintf("The client requested version '%d', but the server does not support this version.", n)}
	}
	return int(min(n, MaxVersion)), nil
}

// WantsStatefulReconnect tells whether the client asks for stateful reconnect. A
// client that did not ask and gets it fails.
//
// Source: dotnet/aspnetcore HttpConnectionDispatcher.cs, ProcessNegotiate.
func WantsStatefulReconnect(q url.Values) bool {
	text, _ := parameter(q, "useStatefulReconnect")
	wants, _ := strconv.ParseBool(strings.ToLower(strings.TrimSpace(text)))
	return wants
}

// parameter returns the first value of a query parameter in any spelling.
func parameter(q url.Values, name string) (string, bool) {
	var spellings []string
	for key, values := range q {
		if strings.EqualFold(key, name) && len(values) > 0 {
			spellings = append(spellings, key)
		}
	}
	if len(spellings) == 0 {
		return "", false
	}
	return q[slices.Min(spellings)][0], true
}

package accesstoken

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// An Audience is what a request needs its token to be for. Neither scheme nor
// port are compared: the SDK never signs a port, and behind a proxy the service
// does not see the scheme.
type Audience struct {
	// Path is the escaped path of the request (url.URL.EscapedPath), or for
	// /client/negotiate and the like the path that the token is made for:
	// "/client". One slash at the end makes no difference. A segment after
	// "hubs" is the hub's name; its case makes no difference.
	Path string

	// Hub is the value of the query parameter hub, its case making no
	// difference. "" accepts only an audience without one: REST calls have
	// the hub in the path. Other parameters are not compared.
	Hub string

	// Hosts are the names that the service goes by, without port. None at all
	// accepts every host.
	Hosts []string
}

// accept returns the first audience that is as wanted. Else the error tells how
// near the nearest came.
func (a Audience) accept(audiences []string) (string, error) {
	nearest := ReasonAudiencePath
	for _, aud := range audiences {
		u, err := url.Parse(aud)
		if err != nil || u.Host == "" {
			continue
		}
		switch reason := a.miss(u); reason {
		case "":
			return aud, nil
		case ReasonAudienceHost:
			nearest = reason
		case ReasonAudienceHub:
			if nearest != ReasonAudienceHost {
				nearest = reason
			}
		}
	}
	return "", &CheckError{nearest, fmt.Sprintf("Failed to validate audience. Expected Audiences: {%s}. Actual Audiences: {%s}",
		strings.Join(a.expected(), ", "), strings.Join(audiences, ", "))}
}

// miss returns why u is not the audience, or "" if it is.
func (a Audience) miss(u *url.URL) Reason {
	path, hub := a.missPath(u)
	switch {
	case path:
		return ReasonAudiencePath
	case hub || !strings.EqualFold(u.Query().Get("hub"), a.Hub):
		return ReasonAudienceHub
	case len(a.Hosts) > 0 && !slices.ContainsFunc(a.Hosts, func(host string) bool { return strings.EqualFold(host, u.Hostname()) }):
		return ReasonAudienceHost
	}
	return ""
}

// missPath compares segment by segment, so that an escaped slash is not taken
// for one between segments.
func (a Audience) missPath(u *url.URL) (path, hub bool) {
	want, got := segments(a.Path), segments(u.EscapedPath())
	if len(want) != len(got) {
		return true, false
	}
	hubAt := slices.Index(want, "hubs") + 1
	for i := range want {
		switch {
		case want[i] == got[i]:
		case i != hubAt:
			return true, false
		case !strings.EqualFold(want[i], got[i]):
			hub = true
		}
	}
	return false, hub
}

func segments(escapedPath string) []string {
	s := strings.Split(strings.TrimSuffix(escapedPath, "/"), "/")
	for i, segment := range s {
		if plain, err := url.PathUnescape(segment); err == nil {
			s[i] = plain
		}
	}
	return s
}

// expected returns the audience as it is wanted, for every host.
func (a Audience) expected() []string {
	tail := a.Path
	if a.Hub != "" {
		tail += "?hub=" + url.QueryEscape(strings.ToLower(a.Hub))
	}
	if len(a.Hosts) == 0 {
		return []string{tail}
	}
	var all []string
	for _, host := range a.Hosts {
		all = append(all, host+tail)
	}
	return all
}

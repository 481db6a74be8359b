package accesstoken

import (
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

// A ConnectionStringError says what is wrong with a connection string. It never
// holds an access key or another secret.
type ConnectionStringError struct {
	Property string // the key at fault as the SDK spells it; empty when it is not one key
	Reason   string // the SDK's sentence
}

func (e *ConnectionStringError) Error() string { return e.Reason }

// ParseConnectionString reads "Endpoint=https://...;AccessKey=...;Version=1.0;".
// Keys may be written in any case and order, and unknown ones are ignored. Every
// error is a *ConnectionStringError with the text of the .NET SDK.
//
// Beyond the SDK's rules an access key must not be empty, and an endpoint must
// not hold a user name and password.
//
// Source: azure-signalr ConnectionStringParser.cs.
func ParseConnectionString(s string) (*Endpoint, error) {
	p, err := splitProperties(s)
	if err != nil {
		return nil, err
	}
	e := new(Endpoint)
	if e.Base, err = p.base(); err != nil {
		return nil, err
	}
	if e.Version, err = p.version(); err != nil {
		return nil, err
	}
	if err := p.applyPort(e.Base); err != nil {
		return nil, err
	}
	if err := p.otherBases(e); err != nil {
		return nil, err
	}
	if err := p.credential(e); err != nil {
		return nil, err
	}
	return e, nil
}

// properties are the parts of a connection string by their key in lower case.
type properties map[string]string

func splitProperties(s string) (properties, error) {
	p, parts := properties{}, 0
	for part := range strings.SplitSeq(s, ";") {
		if part == "" {
			continue
		}
		parts++
		name, value, ok := strings.Cut(part, "=")
		if !ok {
			continue
		}
		name = strings.TrimSpace(name)
		key := strings.ToLower(name)
		if _, twice := p[key]; twice {
			return nil, &ConnectionStringError{name, "Duplicate properties found in connection string: " + name + "."}
		}
		p[key] = strings.TrimSpace(value)
	}
	if parts < 2 {
		return nil, missing("endpoint")
	}
	return p, nil
}

func missing(property string) error {
	return &ConnectionStringError{property, "Connection string missing required properties " + property + "."}
}

func (p properties) base() (*url.URL, error) {
	value, ok := p["endpoint"]
	if !ok {
		return nil, missing("endpoint")
	}
	u, ok := parseBase(strings.TrimRight(value, "/"))
	if !ok {
		return nil, &ConnectionStringError{"endpoint", "Invalid value for endpoint property, it must be a valid URI."}
	}
	return u, nil
}

var supportedVersion = regexp.MustCompile(`^1\.\d+[\w.-]*$`)

func (p properties) version() (string, error) {
	value, ok := p["version"]
	if ok && !supportedVersion.MatchString(value) {
		return "", &ConnectionStringError{"version", "Version " + value + " is not supported."}
	}
	return value, nil
}

// applyPort gives the port to Endpoint; the two other bases keep their own.
func (p properties) applyPort(base *url.URL) error {
	value, ok := p["port"]
	if !ok {
		return nil
	}
	port, ok := parsePort(value)
	if !ok {
		return &ConnectionStringError{"port", "Invalid value for port property, it must be an positive integer between (0, 65536)"}
	}
	setPort(base, port)
	return nil
}

func (p properties) otherBases(e *Endpoint) error {
	if value, ok := p["clientendpoint"]; ok {
		if e.ClientBase, ok = parseBase(value); !ok {
			return &ConnectionStringError{"clientEndpoint", "Invalid value for clientEndpoint property, it must be a valid URI."}
		}
	}
	if value, ok := p["serverendpoint"]; ok {
		if e.ServerBase, ok = parseBase(value); !ok { // the SDK's text repeats the value, which could be a secret gone astray
			return &ConnectionStringError{"ServerEndpoint", "ServerEndpoint property in connection string is not a valid URI."}
		}
	}
	return nil
}

// parseBase reads an absolute http or https URI and writes it as .NET's
// Uri.AbsoluteUri: host in lower case, no default port, a path.
func parseBase(s string) (*url.URL, bool) {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil {
		return nil, false
	}
	port := u.Port()
	if port != "" {
		var ok bool
		if port, ok = parsePort(port); !ok {
			return nil, false
		}
	}
	setPort(u, port)
	if u.Path == "" {
		u.Path = "/"
	}
	return u, true
}

func parsePort(s string) (string, bool) {
	port, err := strconv.Atoi(s)
	return strconv.Itoa(port), err == nil && port > 0 && port <= 0xffff
}

package wsdeflate

import "strings"

// Answer is the value of Sec-WebSocket-Extensions that accepts an offer.
const Answer = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"

// Offered tells whether one of the offers of a client, which are the values of its
// headers Sec-WebSocket-Extensions, can be accepted with Answer. It cannot if it bounds
// the window of the server, since the compressor has one of 32 KiB.
//
// Source: RFC 7692 sections 5.1 and 7.1.
func Offered(headers []string) bool {
	for _, header := range headers {
		for offer := range strings.SplitSeq(header, ",") {
			if acceptable(offer) {
				return true
			}
		}
	}
	return false
}

// acceptable tells whether an offer is of permessage-deflate with parameters that are
// known, valid, given once, and can be met.
func acceptable(offer string) bool {
	name, parameters, more := strings.Cut(offer, ";")
	if trim(name) != "permessage-deflate" {
		return false
	}
	seen := map[string]bool{}
	for more {
		var parameter string
		parameter, parameters, more = strings.Cut(parameters, ";")
		key, value, valued := strings.Cut(parameter, "=")
		key = trim(key)
		if seen[key] || !known(key, unquoted(trim(value)), valued) {
			return false
		}
		seen[key] = true
	}
	return true
}

func known(key, value string, valued bool) bool {
	switch key {
	case "server_no_context_takeover", "client_no_context_takeover":
		return !valued
	case "client_max_window_bits":
		return !valued || windowBits(value)
	}
	return false
}

func windowBits(value string) bool {
	switch value {
	case "8", "9", "10", "11", "12", "13", "14", "15":
		return true
	}
	return false
}

func trim(s string) string { return strings.Trim(s, " \t") }

func unquoted(s string) string {
	if len(s) >= 2 && s[0] == '"' && s[len(s)-1] == '"' {
		return s[1 : len(s)-1]
	}
	return s
}

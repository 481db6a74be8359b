package main

import (
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"

	"switchboard/appserver"
)

// identify takes the name from the address, ?name=ann, so that two tabs can be two
// people. An app with accounts reads its session cookie or a token here instead.
func identify(r *http.Request) (appserver.Identity, error) {
	name := r.URL.Query().Get("name")
	if problem := nameProblem(name); problem != "" {
		return appserver.Identity{}, &appserver.HTTPError{Status: http.StatusBadRequest, Text: "your name " + problem}
	}
	return appserver.Identity{UserID: name}, nil
}

// nameProblem says what is wrong with the name of a person or a room, or "".
func nameProblem(name string) string {
	switch {
	case name == "" || name != strings.TrimSpace(name):
		return "must have a letter, and no space around it"
	case utf8.RuneCountInString(name) > 24:
		return "must have at most 24 characters"
	case strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }):
		return "must have visible characters only"
	}
	return ""
}

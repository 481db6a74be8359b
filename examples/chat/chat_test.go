package main

import (
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
)

func TestIdentify(t *testing.T) {
	tests := []struct {
		name, problem string // what the error says, "" for none
	}{
		{"ann", ""},
		{"Zoë 2", ""},
		{strings.Repeat("ü", 24), ""},
		{"", "must have a letter"},
		{" ann", "no space around it"},
		{"an\u200bn", "visible characters only"},
		{strings.Repeat("ü", 25), "at most 24 characters"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequest("POST", "/chat/negotiate?name="+url.QueryEscape(tt.name), nil)
			got, err := identify(r)
			if tt.problem == "" && (err != nil || got.UserID != tt.name) {
				t.Errorf("identify(%q) = %q, %v, want the name", tt.name, got.UserID, err)
			}
			if tt.problem != "" && (err == nil || !strings.Contains(err.Error(), tt.problem)) {
				t.Errorf("identify(%q) = %v, want an error that says %q", tt.name, err, tt.problem)
			}
		})
	}
}

func TestPeopleAreHereUntilTheirLastTabIsClosed(t *testing.T) {
	var p people
	steps := []struct {
		change func(name string) presence
		name   string
		want   []string
	}{
		{p.enter, "bob", []string{"bob"}},
		{p.enter, "ann", []string{"ann", "bob"}},
		{p.enter, "ann", []string{"ann", "bob"}},
		{p.leave, "ann", []string{"ann", "bob"}},
		{p.leave, "ann", []string{"bob"}},
	}
	for i, step := range steps {
		got := step.change(step.name)
		if !slices.Equal(got.Names, step.want) || got.Change != i+1 {
			t.Errorf("step %d: %v, want %v with change %d", i+1, got, step.want, i+1)
		}
	}
	if p.here("ann") || !p.here("bob") {
		t.Errorf("here: ann %t, bob %t, want bob alone", p.here("ann"), p.here("bob"))
	}
}

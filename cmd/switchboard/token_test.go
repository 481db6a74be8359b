package main

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"switchboard/accesstoken"
)

func TestToken(t *testing.T) {
	tests := []struct {
		name, args string
		audience   accesstoken.Audience
		claims     []accesstoken.Claim
		lifetime   time.Duration
	}{
		{"client", "--hub Chat --user ann --claim role=reader --claim http://schemas.microsoft.com/ws/2008/06/identity/claims/role=wri=ter",
			accesstoken.Audience{Path: "/client", Hub: "chat"},
			[]accesstoken.Claim{{Type: accesstoken.ClaimUserID, Value: "ann"}, {Type: "role", Value: "reader"}, {Type: "role", Value: "wri=ter"}}, time.Hour},
		{"app server", "--hub chat --application shop --server --user machine_1 --lifetime 5m --algorithm HS512",
			accesstoken.Audience{Path: "/server", Hub: "shop_chat"},
			[]accesstoken.Claim{{Type: accesstoken.ClaimNameID, Value: "machine_1"}}, 5 * time.Minute},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var out, errors bytes.Buffer
			p := program{stdout: &out, stderr: &errors}
			args := append([]string{"token", "--connection-string", "Endpoint=http://localhost;AccessKey=key;Version=1.0;"}, strings.Fields(tt.args)...)
			if code := p.run(t.Context(), args); code != exitOK {
				t.Fatalf("exit code %d: %s", code, errors.String())
			}
			keys, err := accesstoken.NewKeys("key")
			if err != nil {
				t.Fatal(err)
			}
			token, err := keys.Check(strings.TrimSpace(out.String()), time.Now(), tt.audience)
			if err != nil {
				t.Fatal(err)
			}
			if lifetime := token.Expires.Sub(token.IssuedAt); lifetime != tt.lifetime || !slices.Equal(token.Claims, tt.claims) {
				t.Errorf("token %+v, good for %v; want claims %+v, %v", token, lifetime, tt.claims, tt.lifetime)
			}
		})
	}
}

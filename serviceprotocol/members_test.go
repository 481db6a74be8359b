package serviceprotocol_test

import (
	"slices"
	"testing"

	"switchboard/serviceprotocol"
)

func TestGroupMembers(t *testing.T) {
	members := []serviceprotocol.GroupMember{{ConnectionID: "a", UserID: "ann"}, {ConnectionID: "b"}}
	payload := serviceprotocol.AppendGroupMembers(nil, members, "b")
	if want := "\x92\x92\x92\xa1a\xa3ann\x92\xa1b\xc0\xa1b"; string(payload) != want {
		t.Errorf("payload %q, want %q", payload, want)
	}
	got, token, err := serviceprotocol.ParseGroupMembers(payload)
	if err != nil || token != "b" || !slices.Equal(got, members) {
		t.Errorf("%+v, %q, %v", got, token, err)
	}
	for n := range payload {
		if _, _, err := serviceprotocol.ParseGroupMembers(payload[:n]); err == nil {
			t.Errorf("%q is read", payload[:n])
		}
	}
}

func FuzzGroupMembers(f *testing.F) {
	f.Add(serviceprotocol.AppendGroupMembers(nil, []serviceprotocol.GroupMember{{ConnectionID: "a", UserID: "ann"}, {ConnectionID: "b"}}, "b"))
	f.Add([]byte("\x92\x90\xc0"))
	f.Fuzz(func(t *testing.T, payload []byte) {
		members, token, err := serviceprotocol.ParseGroupMembers(payload)
		if err != nil {
			return
		}
		again, token2, err := serviceprotocol.ParseGroupMembers(serviceprotocol.AppendGroupMembers(nil, members, token))
		if err != nil || token2 != token || !slices.Equal(again, members) {
			t.Errorf("%+v, %q, %v; want %+v, %q", again, token2, err, members, token)
		}
	})
}

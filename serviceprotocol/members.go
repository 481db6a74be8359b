package serviceprotocol

import "strings"

// A GroupMember is a connection in a group.
type GroupMember struct {
	ConnectionID string
	UserID       string // empty for an anonymous user
}

// AppendGroupMembers appends the payload of the Ack that answers a GroupMemberQuery: a page
// of members, and the token that asks for the next one, empty for none.
//
// Wire: [[[connectionId str, userId str|nil], ...], continuationToken str|nil].
func AppendGroupMembers(b []byte, members []GroupMember, token string) []byte {
	b = appendArray(appendArray(b, 2), len(members))
	for _, m := range members {
		b = appendStrOrNil(appendStr(appendArray(b, 2), m.ConnectionID), m.UserID)
	}
	return appendStrOrNil(b, token)
}

// ParseGroupMembers reads what AppendGroupMembers writes. An error is a *ParseError.
func ParseGroupMembers(payload []byte) (members []GroupMember, token string, err error) {
	r := reader{b: payload, typ: TypeAck}
	if r.arrayLen("payload") < 2 {
		r.fail("payload", "fewer than 2 elements")
	}
	for n := r.arrayLen("members"); n > 0 && r.err == nil; n-- {
		if r.arrayLen("member") != 2 {
			r.fail("member", "not 2 elements")
		}
		members = append(members, GroupMember{strings.Clone(r.str("connectionId")), strings.Clone(r.str("userId"))})
	}
	token = strings.Clone(r.str("continuationToken"))
	if r.err != nil {
		return nil, "", r.err
	}
	return members, token, nil
}

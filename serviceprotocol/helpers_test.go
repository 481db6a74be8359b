package serviceprotocol_test

import (
	"testing"

	sp "switchboard/serviceprotocol"
)

// usedParser returns a Parser whose messages all hold something.
func usedParser(tb testing.TB) *sp.Parser {
	tb.Helper()
	p, payloads := new(sp.Parser), sp.Payloads{{Protocol: "old", Data: []byte("old")}}
	for _, m := range []sp.Message{
		&sp.ConnectionData{ConnectionID: "old", Payload: []byte("old"), DataType: sp.DataOther, Partial: true, TracingID: 1},
		&sp.MultiConnectionData{ConnectionIDs: []string{"old", "old"}, Payloads: payloads, Filter: "old", TracingID: 1},
		&sp.UserData{UserID: "old", Payloads: payloads, Filter: "old", TracingID: 1},
		&sp.BroadcastData{ExcludedConnectionIDs: []string{"old"}, Payloads: payloads, Filter: "old", TracingID: 1},
		&sp.GroupBroadcastData{Group: "old", ExcludedConnectionIDs: []string{"old"}, Payloads: payloads,
			ExcludedUserIDs: []string{"old"}, CallerUserID: "old", Filter: "old", TracingID: 1},
	} {
		if got, err := p.Parse(m.Append(nil)); err != nil || !same(got, m) {
			tb.Fatalf("Parser.Parse = %+v, %v; want %+v", got, err, m)
		}
	}
	return p
}

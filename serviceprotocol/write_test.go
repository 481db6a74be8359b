package serviceprotocol_test

import (
	"bytes"
	"fmt"
	"math"
	"strings"
	"testing"

	sp "switchboard/serviceprotocol"
)

func TestIntsAreWrittenShort(t *testing.T) {
	for _, test := range []struct {
		value int
		want  string
	}{
		{0, "00"}, {127, "7f"}, {128, "cc 80"}, {255, "cc ff"}, {256, "cd 01 00"}, {65535, "cd ff ff"},
		{65536, "ce 00 01 00 00"}, {math.MaxInt32, "ce 7f ff ff ff"},
		{-1, "ff"}, {-32, "e0"}, {-33, "d0 df"}, {-128, "d0 80"}, {-129, "d1 ff 7f"}, {-32768, "d1 80 00"},
		{-32769, "d2 ff ff 7f ff"}, {math.MinInt32, "d2 80 00 00 00"},
	} {
		m := &sp.CheckUserExistenceWithAck{UserID: "u", AckID: test.value}
		want := unhex(t, "94 19 a1 75"+test.want+"80")
		if got := m.Append(nil); !bytes.Equal(got, want) {
			t.Errorf("%d is written in %x, want %x", test.value, got, want)
		}
		checkParse(t, fmt.Sprint(test.value), want, m)
	}
}

func TestTracingIDsAreWrittenShort(t *testing.T) {
	for _, test := range []struct {
		value uint64
		want  string
	}{
		{0, "80"}, {1, "81 01 01"}, {math.MaxUint32, "81 01 ce ff ff ff ff"},
		{math.MaxUint32 + 1, "81 01 cf 00 00 00 01 00 00 00 00"}, {math.MaxUint64, "81 01 cf ff ff ff ff ff ff ff ff"},
	} {
		m := &sp.JoinGroup{ConnectionID: "c", Group: "g", TracingID: test.value}
		want := unhex(t, "94 0b a1 63 a1 67"+test.want)
		if got := m.Append(nil); !bytes.Equal(got, want) {
			t.Errorf("%d is written in %x, want %x", test.value, got, want)
		}
		checkParse(t, fmt.Sprint(test.value), want, m)
	}
}

// Every length has a place where its header grows.
func TestLengthsAreWrittenAndRead(t *testing.T) {
	for _, n := range []int{0, 1, 15, 16, 31, 32, 255, 256, 65535, 65536} {
		text, list := strings.Repeat("x", n), make([]string, n)
		payloads, claims := make(sp.Payloads, n), make([]sp.Claim, n)
		for i := range n {
			list[i] = fmt.Sprint(i)
			payloads[i].Protocol, claims[i].Value = list[i], list[i]
		}
		for _, m := range []sp.Message{
			&sp.Ping{Messages: list},
			&sp.ServiceError{Error: text},
			&sp.ConnectionData{ConnectionID: text, Payload: []byte(text)},
			&sp.MultiConnectionData{ConnectionIDs: list, Payloads: payloads},
			&sp.OpenConnection{Claims: claims, Headers: sp.Headers{{Name: text, Values: list}}},
		} {
			checkParse(t, fmt.Sprintf("%v of length %d", m.Type(), n), m.Append(nil), m)
		}
	}
}

func TestExtensionsAreWrittenInOrder(t *testing.T) {
	ttl := 666
	for _, test := range []struct {
		m    sp.Message
		want string
	}{
		{&sp.OpenConnection{TracingID: 1, Protocol: "p"}, "96 04 a0 80 80 a0 82 01 01 03 a1 70"},
		{&sp.ConnectionData{TracingID: 1, DataType: sp.DataClose, Partial: true}, "94 06 a0 c4 00 83 01 01 05 04 06 c3"},
		{&sp.UserJoinGroup{TracingID: 1, TTL: &ttl}, "94 10 a0 a0 82 01 01 02 cd 02 9a"},
		{&sp.UserData{TracingID: 1, Filter: "f"}, "94 08 a0 80 82 01 01 04 a1 66"},
		{&sp.Unknown{Number: 41}, "91 29"},
	} {
		want := unhex(t, test.want)
		if got := test.m.Append(nil); !bytes.Equal(got, want) {
			t.Errorf("%+v is written as %x, want %x", test.m, got, want)
		}
		checkParse(t, test.m.Type().String(), want, test.m)
	}
}

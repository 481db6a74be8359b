package loadgen

import (
	"fmt"
	"slices"
	"testing"
)

// What the senders and the receivers work out has to agree, whatever the numbers.
func TestPlanAgreesWithItself(t *testing.T) {
	for _, scenario := range Scenarios {
		for _, p := range []plan{
			{clients: 1, groupSize: 1, senders: 1},
			{clients: 2, groupSize: 1, senders: 2},
			{clients: 7, groupSize: 3, senders: 64},
			{clients: 100, groupSize: 10, senders: 8},
			{clients: 101, groupSize: 100, senders: 50},
			{clients: 64, groupSize: 64, senders: 3},
		} {
			p.scenario = scenario
			t.Run(fmt.Sprintf("%s/%d", scenario, p.clients), func(t *testing.T) { checkPlan(t, p) })
		}
	}
}

func checkPlan(t *testing.T, p plan) {
	received := map[[2]int]int{} // how often a client gets a stream, by either side
	for id := range p.streams() {
		if s := p.sender(id); s < 0 || s >= p.clients || id > 0 && s < p.sender(id-1) {
			t.Errorf("stream %d is sent by client %d, that before it by %d", id, s, p.sender(max(id-1, 0)))
		}
		first, n := p.audience(id)
		for client := first; client < first+n; client++ {
			received[[2]int{client, id}]++
		}
	}
	for client := range p.clients {
		first, n := p.received(client)
		for id := first; id < first+n; id++ {
			received[[2]int{client, id}] += 10
		}
	}
	for who, times := range received {
		if times != 11 {
			t.Errorf("client %d gets stream %d by the account of one side only (%d)", who[0], who[1], times)
		}
	}
	if p.scenario.Sends() != (p.streams() > 0) {
		t.Errorf("there are %d streams", p.streams())
	}
}

func TestSplitAddsUp(t *testing.T) {
	for _, count := range []int{0, 1, 2, 3, 10, 99, 1000} {
		for n := 1; n < 9; n++ {
			next, parts := 0, 0
			for _, s := range (Share{Count: count}).Split(n) {
				if s.First != next || s.First%2 != 0 && s.Count > 0 {
					t.Errorf("Split(%d) of %d: a share begins at %d, want %d and even", n, count, s.First, next)
				}
				next += s.Count
				parts += s.part(17, count)
			}
			if next != count || count > 0 && parts != 17 {
				t.Errorf("Split(%d) of %d has %d clients and %d of 17 things", n, count, next, parts)
			}
		}
	}
}

func TestPartnersAreMutual(t *testing.T) {
	p := plan{scenario: SendToUser, clients: 5}
	want := []int{1, 0, 3, 2, 4}
	var got []int
	for client := range p.clients {
		got = append(got, p.partner(client))
	}
	if !slices.Equal(got, want) {
		t.Errorf("partners = %v, want %v", got, want)
	}
}

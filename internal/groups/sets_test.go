package groups_test

import (
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"switchboard/internal/groups"
)

type membership struct {
	name   string
	member int
}

// Sets agree with a plain set of memberships, whatever is done to them.
func TestSetsAgreeWithAModel(t *testing.T) {
	names, members := rapid.SampledFrom([]string{"", "a", "b", "c"}), rapid.IntRange(0, 3)
	rapid.Check(t, func(t *rapid.T) {
		var sets groups.Sets[int]
		model := map[membership]bool{}
		draw := func(t *rapid.T) membership { return membership{names.Draw(t, "name"), members.Draw(t, "member")} }
		t.Repeat(map[string]func(*rapid.T){
			"add": func(t *rapid.T) {
				m := draw(t)
				if got, want := sets.Add(m.name, m.member), !model[m]; got != want {
					t.Fatalf("Add(%q, %d) = %v, want %v", m.name, m.member, got, want)
				}
				model[m] = true
			},
			"remove": func(t *rapid.T) {
				m := draw(t)
				if got, want := sets.Remove(m.name, m.member), model[m]; got != want {
					t.Fatalf("Remove(%q, %d) = %v, want %v", m.name, m.member, got, want)
				}
				delete(model, m)
			},
			"remove member": func(t *rapid.T) {
				member := members.Draw(t, "member")
				sets.RemoveMember(member)
				maps.DeleteFunc(model, func(m membership, _ bool) bool { return m.member == member })
			},
			"": func(t *rapid.T) { compareSets(t, &sets, model) },
		})
	})
}

func compareSets(t *rapid.T, sets *groups.Sets[int], model map[membership]bool) {
	want := map[string][]int{}
	for m := range model {
		want[m.name] = append(want[m.name], m.member)
	}
	if got := sets.Count(); got != len(want) {
		t.Fatalf("Count() = %d, want %d", got, len(want))
	}
	for _, name := range []string{"", "a", "b", "c", "never used"} {
		slices.Sort(want[name])
		if got := slices.Sorted(sets.Members(name)); !slices.Equal(got, want[name]) {
			t.Fatalf("Members(%q) = %v, want %v", name, got, want[name])
		}
		if got := sets.Len(name); got != len(want[name]) {
			t.Fatalf("Len(%q) = %d, want %d", name, got, len(want[name]))
		}
		for member := range 4 {
			if got, want := sets.Has(name, member), model[membership{name, member}]; got != want {
				t.Fatalf("Has(%q, %d) = %v, want %v", name, member, got, want)
			}
		}
	}
}

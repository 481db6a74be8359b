package groups_test

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"switchboard/internal/groups"
)

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func TestRecordLives(t *testing.T) {
	ttl := func(seconds int) *int { return &seconds }
	tests := []struct {
		name  string
		puts  []*int // one a second
		after time.Duration
		want  bool
	}{
		{"ten seconds, before", []*int{ttl(10)}, 10*time.Second - 1, true},
		{"ten seconds, at their end", []*int{ttl(10)}, 10 * time.Second, false},
		{"a repeated put counts from the last one", []*int{ttl(10), ttl(10)}, 10 * time.Second, true},
		{"a repeated put can shorten", []*int{ttl(100), ttl(5)}, 7 * time.Second, false},
		{"a repeated put can take the limit away", []*int{ttl(10), nil}, time.Hour, true},
		{"a repeated put can set a limit", []*int{nil, ttl(10)}, time.Hour, false},
		{"none: nearly a year", []*int{nil}, groups.MaxLifetime - 1, true},
		{"none: a year", []*int{nil}, groups.MaxLifetime, false},
		{"zero leaves no record", []*int{ttl(0)}, 0, false},
		{"zero ends the record before it", []*int{nil, ttl(0)}, time.Second, false},
		{"negative leaves no record", []*int{ttl(-1)}, 0, false},
		{"far below zero leaves no record", []*int{ttl(-10_000_000_000)}, 0, false},
		{"longer than a year", []*int{ttl(2 * 365 * 24 * 3600)}, groups.MaxLifetime + time.Hour, true},
		{"longer than time can count", []*int{ttl(math.MaxInt)}, groups.MaxLifetime, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var r groups.Records
			for i, ttl := range tt.puts {
				r.Put("ann", "g", ttl, start.Add(time.Duration(i)*time.Second))
			}
			now := start.Add(tt.after)
			if got := r.Has("ann", "g", now); got != tt.want {
				t.Errorf("Has = %v, want %v", got, tt.want)
			}
			if got := slices.Contains(r.Groups("ann", now), "g"); got != tt.want {
				t.Errorf("Groups names it: %v, want %v", got, tt.want)
			}
		})
	}
}

func TestHundredPermanentRecordsAUser(t *testing.T) {
	var r groups.Records
	now, hour := start, 3600
	put := func(group string, ttl *int) {
		now = now.Add(time.Millisecond)
		r.Put("ann", group, ttl, now)
	}
	for i := range groups.MaxPermanent {
		put(fmt.Sprint(i), nil)
		put(fmt.Sprint("for an hour ", i), &hour)
	}
	put("0", nil) // renewed: now 1 is the oldest
	put("one more", nil)
	for group, want := range map[string]bool{"0": true, "1": false, "2": true, "one more": true, "for an hour 0": true} {
		if got := r.Has("ann", group, now); got != want {
			t.Errorf("Has(%q) = %v, want %v", group, got, want)
		}
	}
	r.Put("bob", "g", nil, now) // another user has a hundred of its own
	if got, want := r.Count(), 2*groups.MaxPermanent+1; got != want {
		t.Errorf("Count() = %d, want %d", got, want)
	}
}

func TestExpiredRecordsAreDropped(t *testing.T) {
	var r groups.Records
	second, now := 1, start
	for i := range 100_000 {
		now = now.Add(10 * time.Millisecond) // a hundred are alive at a time
		r.Put(fmt.Sprint("user ", i), "g", &second, now)
		if r.Count() > 300 {
			t.Fatalf("%d records after %d puts, want at most 300", r.Count(), i+1)
		}
	}
}

// A buffer that names came from may be used again.
func TestNamesAreCopied(t *testing.T) {
	user, group := []byte("ann"), []byte("g")
	var r groups.Records
	var s groups.Sets[int]
	r.Put(alias(user), alias(group), nil, start)
	s.Add(alias(group), 1)
	user[0], group[0] = '!', '!'
	if !r.Has("ann", "g", start) || !slices.Equal(r.Groups("ann", start), []string{"g"}) || !s.Has("g", 1) || !s.Remove("g", 1) {
		t.Error("a name changed with the buffer that it was read from")
	}
}

// Records agree with a plain map of expiry times, whatever is done to them.
func TestRecordsAgreeWithAModel(t *testing.T) {
	type key struct{ user, group string }
	users, names := rapid.SampledFrom([]string{"ann", "bob"}), rapid.SampledFrom([]string{"a", "b", "c"})
	rapid.Check(t, func(t *rapid.T) {
		var r groups.Records
		now, model := start, map[key]time.Time{}
		draw := func(t *rapid.T) key { return key{users.Draw(t, "user"), names.Draw(t, "group")} }
		t.Repeat(map[string]func(*rapid.T){
			"put": func(t *rapid.T) {
				k, ttl := draw(t), rapid.Ptr(rapid.IntRange(-1, 5), true).Draw(t, "ttl")
				r.Put(k.user, k.group, ttl, now)
				model[k] = now.Add(groups.MaxLifetime)
				if ttl != nil {
					model[k] = now.Add(time.Duration(*ttl) * time.Second)
				}
			},
			"delete": func(t *rapid.T) {
				k := draw(t)
				r.Delete(k.user, k.group)
				delete(model, k)
			},
			"delete user": func(t *rapid.T) {
				user := users.Draw(t, "user")
				r.DeleteUser(user)
				for _, group := range []string{"a", "b", "c"} {
					delete(model, key{user, group})
				}
			},
			"wait": func(t *rapid.T) {
				now = now.Add(time.Duration(rapid.IntRange(1, 2000).Draw(t, "milliseconds")) * time.Millisecond)
			},
			"": func(t *rapid.T) {
				alive := 0
				for _, user := range []string{"ann", "bob"} {
					var want []string
					for _, group := range []string{"a", "b", "c"} {
						lives := model[key{user, group}].After(now)
						if got := r.Has(user, group, now); got != lives {
							t.Fatalf("Has(%q, %q) = %v, want %v", user, group, got, lives)
						}
						if lives {
							want = append(want, group)
						}
					}
					if got := slices.Sorted(slices.Values(r.Groups(user, now))); !slices.Equal(got, want) {
						t.Fatalf("Groups(%q) = %v, want %v", user, got, want)
					}
					alive += len(want)
				}
				if r.Count() < alive || r.Count() > 6 {
					t.Fatalf("Count() = %d, want %d alive at least and 6 at most", r.Count(), alive)
				}
			},
		})
	})
}

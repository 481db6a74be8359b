package balancer_test

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"switchboard/internal/balancer"
)

func newPool(servers ...string) *balancer.Pool[string] {
	var p balancer.Pool[string]
	for _, s := range servers {
		p.Add(s)
	}
	return &p
}

func TestClientsSpreadEvenly(t *testing.T) {
	servers := []string{"a", "b", "c", "d", "e"}
	p := newPool(servers...)
	for range 1000 {
		p.Pick(nil)
	}
	for _, s := range servers {
		if got := p.Clients(s); got != 200 {
			t.Errorf("%s has %d clients of 1000, want 200", s, got)
		}
	}
}

// Clients that stay shortly shall not all go through one server connection.
func TestEqualsTakeTurns(t *testing.T) {
	p := newPool("a", "b", "c")
	picked := map[string]int{}
	for range 300 {
		s, _ := p.Pick(nil)
		picked[s]++
		p.Release(s)
	}
	for s, n := range picked {
		if n != 100 {
			t.Errorf("%s was picked %d times of 300, want 100", s, n)
		}
	}
}

func TestNewServerConnectionFillsUpFirst(t *testing.T) {
	p := newPool("a")
	for range 10 {
		p.Pick(nil)
	}
	p.Add("b")
	for i := range 10 {
		if s, _ := p.Pick(nil); s != "b" {
			t.Errorf("pick %d is %s, want b, which has fewer clients", i, s)
		}
	}
}

func TestPickAmongThoseThatFit(t *testing.T) {
	p := newPool("a1", "a2", "b1")
	fits := func(s string) bool { return s[0] == 'a' }
	for range 10 {
		p.Pick(fits)
	}
	if a1, a2, b := p.Clients("a1"), p.Clients("a2"), p.Clients("b1"); a1 != 5 || a2 != 5 || b != 0 {
		t.Errorf("%d, %d and %d clients, want 5, 5 and 0", a1, a2, b)
	}
	p.Retire("a1")
	p.Retire("a2")
	if s, ok := p.Pick(fits); ok {
		t.Errorf("Pick() = %q, want none: those that fit are retired", s)
	}
}

func TestNobodyToPick(t *testing.T) {
	tests := []struct {
		name string
		pool *balancer.Pool[string]
		do   func(*balancer.Pool[string])
	}{
		{"empty", newPool(), func(*balancer.Pool[string]) {}},
		{"removed", newPool("a"), func(p *balancer.Pool[string]) { p.Remove("a") }},
		{"retired", newPool("a"), func(p *balancer.Pool[string]) { p.Retire("a") }},
		{"unknown ones released and retired", newPool(), func(p *balancer.Pool[string]) { p.Release("x"); p.Retire("x"); p.Remove("x") }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.do(tt.pool)
			if s, ok := tt.pool.Pick(nil); ok || s != "" {
				t.Errorf("Pick() = %q, %v; want none", s, ok)
			}
		})
	}
}

// Whatever happens, the one picked is eligible and has the fewest clients.
func TestPoolAgreesWithAModel(t *testing.T) {
	type server struct {
		clients int
		retired bool
	}
	rapid.Check(t, func(t *rapid.T) {
		var p balancer.Pool[string]
		model, made := map[string]*server{}, 0
		one := func(t *rapid.T) string {
			if len(model) == 0 {
				t.Skip("no server connection")
			}
			names := make([]string, 0, len(model))
			for name := range model {
				names = append(names, name)
			}
			slices.Sort(names)
			return rapid.SampledFrom(names).Draw(t, "server")
		}
		t.Repeat(map[string]func(*rapid.T){
			"add": func(*rapid.T) {
				made++
				p.Add(fmt.Sprint(made))
				model[fmt.Sprint(made)] = &server{}
			},
			"remove": func(t *rapid.T) {
				s := one(t)
				p.Remove(s)
				delete(model, s)
			},
			"retire": func(t *rapid.T) {
				s := one(t)
				p.Retire(s)
				model[s].retired = true
			},
			"release": func(t *rapid.T) {
				s := one(t)
				if model[s].clients == 0 {
					t.Skip("no client")
				}
				p.Release(s)
				model[s].clients--
			},
			"pick": func(t *rapid.T) {
				s, ok := p.Pick(nil)
				fewest := -1
				for _, m := range model {
					if !m.retired && (fewest < 0 || m.clients < fewest) {
						fewest = m.clients
					}
				}
				if ok != (fewest >= 0) {
					t.Fatalf("Pick() ok = %v, want %v", ok, fewest >= 0)
				}
				if !ok {
					return
				}
				if m := model[s]; m == nil || m.retired || m.clients != fewest {
					t.Fatalf("Pick() = %s (%+v), want an eligible one with %d clients", s, m, fewest)
				}
				model[s].clients++
			},
			"": func(t *rapid.T) {
				if p.Len() != len(model) {
					t.Fatalf("Len() = %d, want %d", p.Len(), len(model))
				}
				for name, m := range model {
					if got := p.Clients(name); got != m.clients {
						t.Fatalf("Clients(%s) = %d, want %d", name, got, m.clients)
					}
				}
			},
		})
	})
}

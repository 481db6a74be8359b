package pairing_test

import (
	"errors"
	"slices"
	"sync"
	"testing"

	"switchboard/internal/pairing"
)

// The table asks its ends for nothing but their identity.
type client struct {
	pairing.Client
	id string
}

func (c *client) ID() string { return c.id }

type server struct {
	pairing.Server
	id string // so that two servers are not one
}

func bind(t *testing.T, table *pairing.Table, id string, s pairing.Server) *pairing.Pair {
	t.Helper()
	p, err := table.Bind(&client{id: id}, s)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// ids returns the sorted connection ids of pairs.
func ids(pairs func(func(*pairing.Pair) bool)) []string {
	var all []string
	for p := range pairs {
		all = append(all, p.Client.ID())
	}
	slices.Sort(all)
	return all
}

func TestTable(t *testing.T) {
	var table pairing.Table
	s1, s2 := &server{id: "s1"}, &server{id: "s2"}
	a, b := bind(t, &table, "a", s1), bind(t, &table, "b", s1)
	bind(t, &table, "c", s2)

	check := func(step string, all, of1, of2 []string) {
		t.Helper()
		if got := ids(table.All); !slices.Equal(got, all) || table.Len() != len(all) {
			t.Errorf("%s: All = %v, Len = %d; want %v", step, got, table.Len(), all)
		}
		if got := ids(table.Of(s1)); !slices.Equal(got, of1) {
			t.Errorf("%s: Of(s1) = %v, want %v", step, got, of1)
		}
		if got := ids(table.Of(s2)); !slices.Equal(got, of2) {
			t.Errorf("%s: Of(s2) = %v, want %v", step, got, of2)
		}
	}
	check("three bound", []string{"a", "b", "c"}, []string{"a", "b"}, []string{"c"})
	if got := table.Find("a"); got != a {
		t.Errorf("Find(a) = %v, want its pair", got)
	}
	if !table.Unbind(a) || table.Find("a") != nil {
		t.Error("a is in the table after Unbind")
	}
	check("a unbound", []string{"b", "c"}, []string{"b"}, []string{"c"})
	if table.Unbind(a) {
		t.Error("a second Unbind found the pair")
	}
	table.Unbind(b)
	check("b unbound", []string{"c"}, nil, []string{"c"})
}

func TestTableRefusesAnOpenID(t *testing.T) {
	var table pairing.Table
	s := &server{}
	first := bind(t, &table, "a", s)
	if p, err := table.Bind(&client{id: "a"}, s); !errors.Is(err, pairing.ErrDuplicate) || p != nil {
		t.Errorf("Bind = %v, %v; want ErrDuplicate", p, err)
	}
	table.Unbind(first)
	second := bind(t, &table, "a", s)
	if table.Unbind(first) {
		t.Error("Unbind of the old pair took the new one")
	}
	if table.Find("a") != second {
		t.Error("the new pair is not in the table")
	}
}

func TestEmptyTable(t *testing.T) {
	var table pairing.Table
	if table.Find("a") != nil || table.Len() != 0 || ids(table.All) != nil || ids(table.Of(&server{})) != nil {
		t.Error("the zero table is not empty")
	}
	if table.Unbind(&pairing.Pair{Client: &client{id: "a"}, Server: &server{}}) {
		t.Error("Unbind found a pair in the zero table")
	}
}

func TestIterationMayStop(t *testing.T) {
	var table pairing.Table
	s := &server{}
	bind(t, &table, "a", s)
	bind(t, &table, "b", s)
	for name, pairs := range map[string]func(func(*pairing.Pair) bool){"All": table.All, "Of": table.Of(s)} {
		n := 0
		for range pairs {
			n++
			break
		}
		if n != 1 {
			t.Errorf("%s went on for %d pairs after the loop was left", name, n)
		}
	}
}

// Operators look reasons up by their code, so no two may share one.
func TestReasons(t *testing.T) {
	codes := map[string]bool{}
	for _, r := range pairing.Reasons {
		if r.Code == "" || r.Category == "" || codes[r.Code] || r.String() != r.Code {
			t.Errorf("reason %+v: code or category is missing, or the code is used twice", r)
		}
		codes[r.Code] = true
	}
}

// What one message is compressed to is made once, and not left to the next message.
func TestSharedIsCompressedOnce(t *testing.T) {
	made := 0
	compress := func(to, from []byte) []byte {
		made++
		return append(append(to, "small "...), from...)
	}
	for _, text := range []string{"first", "second"} { // its memory is used again
		s := pairing.NewShared([]byte(text))
		var asking sync.WaitGroup
		for range 8 {
			s.Retain()
			asking.Go(func() {
				defer s.Release()
				if got := string(s.Compressed(compress)); got != "small "+text {
					t.Errorf("Compressed = %q", got)
				}
			})
		}
		asking.Wait()
		if string(s.Bytes()) != text {
			t.Errorf("Bytes = %q", s.Bytes())
		}
		s.Release()
	}
	if made != 2 {
		t.Errorf("two messages were compressed %d times", made)
	}
}

package loadgen_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"switchboard/internal/loadgen"
)

func TestHistogramQuantiles(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var h loadgen.Histogram
	var all []time.Duration
	for range 20_000 {
		d := time.Duration(math.Exp(random.Float64() * 25)) // from a nanosecond to a minute
		h.Record(d)
		all = append(all, d)
	}
	slices.Sort(all)
	for _, q := range []float64{0.0001, 0.1, 0.5, 0.9, 0.99, 0.999, 1} {
		want := all[int(math.Ceil(q*float64(len(all))))-1]
		if got := h.Quantile(q); math.Abs(float64(got-want)) > 0.008*float64(want) {
			t.Errorf("Quantile(%v) = %v, want %v within 0.8 %%", q, got, want)
		}
	}
	if got, want := h.Count(), uint64(len(all)); got != want {
		t.Errorf("Count = %d, want %d", got, want)
	}
	if got, want := h.Max(), all[len(all)-1]; got != want {
		t.Errorf("Max = %v, want %v", got, want)
	}
}

func TestHistogramOfNothing(t *testing.T) {
	var h loadgen.Histogram
	if h.Count() != 0 || h.Max() != 0 || h.Mean() != 0 || h.Quantile(0.5) != 0 || len(h.Buckets()) != 0 {
		t.Errorf("an empty histogram tells %d, %v, %v, %v, %v", h.Count(), h.Max(), h.Mean(), h.Quantile(0.5), h.Buckets())
	}
}

func TestHistogramOfExtremes(t *testing.T) {
	var h loadgen.Histogram
	h.Record(-time.Second) // of two clocks that disagree
	if got := h.Quantile(1); got != 0 {
		t.Errorf("a negative duration counts as %v, want 0", got)
	}
	h.Record(math.MaxInt64)
	if got := h.Quantile(1); got < math.MaxInt64/100*99 {
		t.Errorf("the longest duration counts as %v", got)
	}
}

func TestHistogramMerges(t *testing.T) {
	var one, other, both loadgen.Histogram
	for i := range 1000 {
		d := time.Duration(i) * time.Millisecond
		both.Record(d)
		if i%3 == 0 {
			one.Record(d)
		} else {
			other.Record(d)
		}
	}
	one.Merge(other.Buckets(), other.Max())
	if !slices.Equal(one.Buckets(), both.Buckets()) || one.Max() != both.Max() || one.Mean() != both.Mean() {
		t.Error("two halves that were merged differ from the whole")
	}
	one.Reset()
	if one.Count() != 0 || len(one.Buckets()) != 0 {
		t.Errorf("after Reset there are %d", one.Count())
	}
}

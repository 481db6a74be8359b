package loadgen

import (
	"math/bits"
	"time"
)

// Buckets of a Histogram: below 256 ns one each, then 128 for every doubling,
// which is an error of less than 0.8 %.
const (
	fineBits = 7
	fine     = 1 << fineBits
)

// A Histogram counts durations, from a nanosecond to hours. The zero value is
// empty. It is not for concurrent use.
type Histogram struct {
	counts []uint64 // by bucket, as long as the highest bucket in use asks for
	total  uint64
	max    int64
}

// A Bucket is one count of a histogram on its way to another process.
type Bucket struct {
	Index uint32
	Count uint64
}

// Record counts d. A negative duration, which only two clocks that disagree can
// make, counts as 0.
func (h *Histogram) Record(d time.Duration) {
	n := max(int64(d), 0)
	h.add(bucketOf(n), 1)
	h.max = max(h.max, n)
}

func (h *Histogram) add(bucket int, count uint64) {
	if bucket >= len(h.counts) {
		h.counts = append(h.counts, make([]uint64, bucket+1-len(h.counts))...)
	}
	h.counts[bucket] += count
	h.total += count
}

// Merge adds what Buckets and Max of another histogram told.
func (h *Histogram) Merge(buckets []Bucket, longest time.Duration) {
	for _, b := range buckets {
		h.add(int(b.Index), b.Count)
	}
	h.max = max(h.max, int64(longest))
}

// Buckets returns the counts that are not zero, lowest first.
func (h *Histogram) Buckets() []Bucket {
	var list []Bucket
	for i, n := range h.counts {
		if n > 0 {
			list = append(list, Bucket{uint32(i), n})
		}
	}
	return list
}

// Reset empties the histogram and keeps its memory.
func (h *Histogram) Reset() {
	clear(h.counts)
	h.total, h.max = 0, 0
}

// Count returns the number of durations that were recorded.
func (h *Histogram) Count() uint64 { return h.total }

// Max returns the longest duration, exactly.
func (h *Histogram) Max() time.Duration { return time.Duration(h.max) }

// Mean returns the average, within the error of the buckets.
func (h *Histogram) Mean() time.Duration {
	if h.total == 0 {
		return 0
	}
	sum := 0.0
	for i, n := range h.counts {
		sum += float64(n) * float64(middle(i))
	}
	return time.Duration(sum / float64(h.total))
}

// Quantile returns the duration that the share q of all is not longer than, 0 if
// there are none. q is between 0 and 1; 1 gives Max.
func (h *Histogram) Quantile(q float64) time.Duration {
	rank := uint64(q * float64(h.total))
	if float64(rank) < q*float64(h.total) || rank == 0 {
		rank++
	}
	seen := uint64(0)
	for i, n := range h.counts {
		if seen += n; seen >= rank {
			return time.Duration(min(middle(i), h.max))
		}
	}
	return h.Max()
}

func bucketOf(n int64) int {
	shift := bits.Len64(uint64(n)) - fineBits - 1
	if shift <= 0 {
		return int(n)
	}
	return shift<<fineBits + int(n>>shift)
}

// middle returns the middle of a bucket, which stands for all that is in it.
func middle(bucket int) int64 {
	if bucket < 2*fine {
		return int64(bucket)
	}
	shift := bucket>>fineBits - 1
	low := int64(bucket-shift<<fineBits) << shift
	return low + 1<<shift/2
}

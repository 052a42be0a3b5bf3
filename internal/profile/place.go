// Package profile counts samples by the place in the program where they were taken: those of a
// heap, and those of waits. It knows nothing of objects or threads.
package profile

import (
	"context"
	"hash/maphash"
	"runtime"
	"runtime/pprof"
	"slices"
	"strings"
)

// maxStack bounds the frames of a place, as in Go's own profiles of the heap.
const maxStack = 128

// place is where a goroutine was: the frames of its stack, and the labels of a context. It is
// large, and belongs on the stack.
type place struct {
	frames int
	pcs    [maxStack]uintptr
	labels string // name and value of each, in the order of names, a zero byte behind each
}

// take notes the callers of the function that calls it. The labels are those of ctx, which may be
// nil.
func (p *place) take(ctx context.Context) {
	p.frames = runtime.Callers(3, p.pcs[:])
	if ctx == nil {
		return
	}
	var labels []string
	pprof.ForLabels(ctx, func(name, value string) bool {
		labels = append(labels, name+"\x00"+value+"\x00")
		return true
	})
	slices.Sort(labels)
	p.labels = strings.Join(labels, "")
}

func (p *place) stack() []uintptr { return p.pcs[:p.frames] }

var seed = maphash.MakeSeed()

func (p *place) hash() uint64 {
	var h maphash.Hash
	h.SetSeed(seed)
	_, _ = h.WriteString(p.labels) // it returns no error
	for _, pc := range p.stack() {
		maphash.WriteComparable(&h, pc)
	}
	return h.Sum64()
}

// Record has the sum of the samples of one kind that were taken at one place.
type Record[K comparable, V any] struct {
	Stack   []uintptr // the program counters that runtime.Callers returns, innermost first. Not changed
	Kind    K
	Sum     V
	Samples int64

	labels string
	next   *Record[K, V] // with the same hash
}

// Labels returns the labels of the place, or nil if there are none.
func (x *Record[K, V]) Labels() map[string]string {
	if x.labels == "" {
		return nil
	}
	labels := map[string]string{}
	texts := strings.Split(x.labels, "\x00")
	for i := 0; i+1 < len(texts); i += 2 {
		labels[texts[i]] = texts[i+1]
	}
	return labels
}

// records has a record for each place and kind. It is used under a lock.
type records[K comparable, V any] map[uint64]*Record[K, V]

// at returns the record for a place, whose hash is given, and a kind.
func (r records[K, V]) at(hash uint64, p *place, kind K) *Record[K, V] {
	for x := r[hash]; x != nil; x = x.next {
		if x.Kind == kind && x.labels == p.labels && slices.Equal(x.Stack, p.stack()) {
			return x
		}
	}
	x := &Record[K, V]{Stack: slices.Clone(p.stack()), Kind: kind, labels: p.labels, next: r[hash]}
	r[hash] = x
	return x
}

// all returns copies of the records, in no order.
func (r records[K, V]) all() []Record[K, V] {
	list := make([]Record[K, V], 0, len(r))
	for _, x := range r {
		for ; x != nil; x = x.next {
			list = append(list, *x)
		}
	}
	return list
}

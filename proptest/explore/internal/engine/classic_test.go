//go:build explore

package engine

import (
	"errors"
	"testing"
	"unsafe"

	"github.com/ichor-go/ichor/internal/point"
)

// Classic bugs of reference counting, each with its correct twin. The explorer must find
// the bug with at most two preemptions, and no failure in the twin.

var errLost = errors.New("an update was lost")

// lostUpdate counts down with a load and a store.
func lostUpdate() Program {
	w := &word{2}
	dec := func() { w.store(w.load() - 1) }
	return Program{Threads: []func(){dec, dec}, Check: func() error {
		if w.v != 0 {
			return errLost
		}
		return nil
	}}
}

func noLostUpdate() Program {
	w := &word{2}
	dec := func() { w.add(-1) }
	return Program{Threads: []func(){dec, dec}, Check: func() error {
		if w.v != 0 {
			return errLost
		}
		return nil
	}}
}

// upgrade makes a reference from a weak one, while the last reference is given up.
func upgrade(correct bool) func() Program {
	return func() Program {
		count := &word{1}
		freed, got := false, false
		return Program{Threads: []func(){
			func() {
				if count.add(-1) == 0 {
					freed = true
				}
			},
			func() {
				for {
					n := count.load()
					if n == 0 {
						return
					}
					if correct && !count.cas(n, n+1) {
						continue
					}
					if !correct {
						count.add(1)
					}
					got = true
					return
				}
			},
		}, Check: func() error {
			if freed && got {
				return errors.New("a freed object has a reference")
			}
			return nil
		}}
	}
}

// freeList is a stack of three slots whose head has a tag, or none.
func freeList(tagged bool) func() Program {
	return func() Program {
		head := &word{1}
		next := [4]word{{0}, {2}, {3}, {0}}
		taken := [4]int{}
		bump := func(h int32) int32 {
			if tagged {
				return h&^0xff + 0x100
			}
			return 0
		}
		pop := func() int32 {
			for {
				h := head.load()
				i := h & 0xff
				if i == 0 {
					return 0
				}
				n := next[i].load()
				if head.cas(h, n|bump(h)) {
					taken[i]++
					return i
				}
			}
		}
		push := func(i int32) {
			for {
				h := head.load()
				next[i].store(h & 0xff)
				if head.cas(h, i|bump(h)) {
					taken[i]--
					return
				}
			}
		}
		return Program{Threads: []func(){
			func() { pop() },
			func() {
				a := pop()
				pop()
				if a != 0 {
					push(a)
				}
			},
		}, Check: func() error {
			for i := head.v & 0xff; i != 0; i = next[i].v {
				if taken[i] != 0 {
					return errors.New("a slot is taken and free")
				}
			}
			return nil
		}}
	}
}

// biasedMerge ends the ownership of an object in two steps, the flag and then the owner's count,
// while another thread gives up its reference. The correct twin does both in one step.
func biasedMerge(correct bool) func() Program {
	const merged = 1
	return func() Program {
		shared := &word{1 << 1} // count << 1 | merged
		local := int32(1)
		freed := 0
		return Program{Threads: []func(){
			func() { // the owner gives up its last reference, and merges
				local--
				if correct {
					for {
						s := shared.load()
						if shared.cas(s, s|merged) {
							if s>>1 == 0 {
								freed++
							}
							return
						}
					}
				}
				shared.add(merged)
				if shared.load()>>1 == 0 {
					freed++
				}
			},
			func() { // the other thread
				if s := shared.add(-2); s == merged {
					freed++
				}
			},
		}, Check: func() error {
			if freed != 1 {
				return errors.New("freed more than once, or never")
			}
			return nil
		}}
	}
}

// immortalize tests and then counts, while another thread makes the object immortal.
func immortalize(correct bool) func() Program {
	const immortal = -1 << 31
	return func() Program {
		w := &word{1}
		return Program{Threads: []func(){
			func() {
				for {
					v := w.load()
					if v < 0 || correct && w.cas(v, v+1) {
						return
					}
					if !correct {
						w.store(v + 1)
						return
					}
				}
			},
			func() { w.store(immortal) },
		}, Check: func() error {
			if w.v != immortal {
				return errors.New("the immortal's word has changed")
			}
			return nil
		}}
	}
}

// published publishes a plain word with a flag, or without.
func published(correct bool) func() Program {
	return func() Program {
		var data int32
		var flag word
		return Program{Threads: []func(){
			func() {
				point.Write(&data)
				data = 1
				flag.store(1)
			},
			func() {
				if flag.load() == 1 || !correct {
					point.Read(&data)
					_ = data
				}
			},
		}}
	}
}

// overlap writes the two halves of a word, or overlapping parts of it.
func overlap(correct bool) func() Program {
	return func() Program {
		var data [2]int32
		upper := &data[1]
		if !correct {
			upper = (*int32)(unsafe.Add(unsafe.Pointer(&data), 2))
		}
		return Program{Threads: []func(){
			func() { point.Write(&data[0]) },
			func() { point.Write(upper) },
		}}
	}
}

// afterFree writes to memory that another thread has freed. The twin writes to memory that was
// allocated again.
func afterFree(correct bool) func() Program {
	return func() Program {
		data := new([4]int32)
		var gone word
		return Program{Threads: []func(){
			func() {
				if gone.load() == 0 {
					return
				}
				if correct {
					point.Born(data, 16)
				}
				point.Write(&data[3])
			},
			func() {
				point.Write(&data[3])
				point.Freed(data, 16)
				gone.store(1)
			},
		}}
	}
}

func TestClassicBugs(t *testing.T) {
	for _, x := range []struct {
		name      string
		bug, twin func() Program
		says      string
	}{
		{"lost update", lostUpdate, noLostUpdate, "lost"},
		{"check-then-add upgrade", upgrade(false), upgrade(true), "freed object has"},
		{"ABA", freeList(false), freeList(true), "taken and free"},
		{"flag-then-read merge", biasedMerge(false), biasedMerge(true), "more than once"},
		{"immortalize against a store", immortalize(false), immortalize(true), "has changed"},
		{"publication", published(false), published(true), "race"},
		{"overlapping writes", overlap(false), overlap(true), "race"},
		{"use after free", afterFree(false), afterFree(true), "given back"},
	} {
		t.Run(x.name, func(t *testing.T) {
			wantFailure(t, Bounded(x.bug, 2), x.says)
			wantFailure(t, Unbounded(x.bug), x.says)
			wantFailure(t, Random(x.bug, 2000, 3, 1), x.says)
			wantNone(t, Bounded(x.twin, 3))
			wantNone(t, Unbounded(x.twin))
			wantNone(t, Random(x.twin, 200, 3, 1))
		})
	}
}

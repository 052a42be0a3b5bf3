package runtime

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/ichor-go/ichor/internal/arena"
)

// TestManyThatWait has ten thousand attached goroutines wait, with a few objects each. Besides
// the objects they take at most twice the spans that are not lent yet, and those of 100 threads
// that do not wait yet: 40 MB, where a span for each would be 655. They are all woken, and
// leave nothing. The race detector has room for 8128 goroutines.
func TestManyThatWait(t *testing.T) {
	threads := 10_000
	if raceEnabled {
		threads = 2000
	}
	const starts = 100
	most := int64(2*arena.LendAfter+starts) * arena.SpanSize
	for _, o := range []Options{{Mode: GIL}, {Mode: LockFree}, {Mode: LockFree, Counting: Biased}} {
		o.MemoryLimit = 64 << 20
		for _, each := range []int{1, 30} { // the first slots only, or more
			t.Run(fmt.Sprintf("%s/%s/objects=%d", o.Mode, o.Counting, each), func(t *testing.T) {
				r := newRuntime(t, o)
				wake, starting := make(chan bool), make(chan bool, starts)
				errs := make([]error, threads)
				var up, done sync.WaitGroup
				up.Add(threads)
				for i := range threads {
					starting <- true
					done.Go(func() {
						errs[i] = r.Do(func(x *Thread) error {
							refs := make([]Ref, each)
							err := makeSome(x, refs)
							x.Blocking(func() {
								<-starting
								up.Done()
								<-wake
							})
							x.DecRefs(refs)
							return err
						})
					})
				}
				up.Wait()
				if m, slots := r.Memory(), int64(threads*each*32); m.Committed > slots+most {
					t.Errorf("%d bytes are committed for %d", m.Committed, slots)
				}
				close(wake)
				done.Wait()
				if m := r.Memory(); m.Objects != 0 {
					t.Errorf("after all were freed: %+v", m)
				}
				if err := errors.Join(append(errs, r.Close())...); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

// makeSome fills refs with objects of 32 bytes.
func makeSome(x *Thread, refs []Ref) (err error) {
	for i := range refs {
		if refs[i], _, err = x.New(boxType, 8); err != nil {
			return err
		}
	}
	return nil
}

// TestManyAttached does the same with threads that do not wait, and have only their first
// slots.
func TestManyAttached(t *testing.T) {
	forLockFree(t, func(t *testing.T, o Options) {
		o.MemoryLimit = 1 << 20
		r := newRuntime(t, o)
		threads := make([]*Thread, 1000)
		refs := make([]Ref, 8*len(threads))
		for i := range threads {
			threads[i] = must(r.Attach())
			must0(t, makeSome(threads[i], refs[8*i:8*i+8]))
		}
		if m := r.Memory(); m.Committed > 9<<16 {
			t.Errorf("%d bytes are committed for %d, a cache line for each object", m.Committed, 64*8000)
		}
		for i, x := range threads {
			x.DecRefs(refs[8*i : 8*i+8])
			x.Detach()
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
}

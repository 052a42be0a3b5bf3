package objects

import (
	"errors"
	"fmt"
	"testing"

	"go.uber.org/atomic"

	rt "github.com/ichor-go/ichor/runtime"
)

// atomics returns the errors of all calls that look at an entry and change it in one step,
// with a key for which all of them fail.
func (d Dict) atomics(th *rt.Thread, key rt.Ref) []error {
	a, loaded, noLoad := d.LoadOrStore(th, key, rt.None)
	b, taken, noDelete := d.LoadAndDelete(th, key)
	c, had, noSwap := d.Swap(th, key, rt.None)
	swapped, noCAS := d.CompareAndSwap(th, key, rt.None, rt.None)
	deleted, noCAD := d.CompareAndDelete(th, key, rt.None)
	if a != rt.Nil || b != rt.Nil || c != rt.Nil || loaded || taken || had || swapped || deleted {
		panic("a call that failed has returned something")
	}
	return []error{noLoad, noDelete, noSwap, noCAS, noCAD}
}

func TestDictAtomicErrors(t *testing.T) {
	forAllModes(t, func(t *testing.T, o rt.Options) {
		clean(t, o, func(th *rt.Thread) {
			d := must(NewDict(th))
			must0(t, d.Set(th, rt.None, rt.True))
			third := func(_, _ any, err error) error { return err }
			for _, c := range []struct {
				got  error
				want string
			}{
				{third(d.LoadOrStore(th, rt.None, rt.Nil)), "ichor: dict: value: nil reference"},
				{third(d.Swap(th, rt.None, rt.Nil)), "ichor: dict: value: nil reference"},
				{undone(d.CompareAndSwap(th, rt.None, rt.True, rt.Nil)), "ichor: dict: value: nil reference"},
				{undone(d.CompareAndSwap(th, rt.None, rt.Nil, rt.True)), "ichor: dict: value to compare with: nil reference"},
				{undone(d.CompareAndSwap(th, rt.False, rt.Nil, rt.True)), "ichor: dict: value to compare with: nil reference"},
				{undone(d.CompareAndDelete(th, rt.False, rt.Nil)), "ichor: dict: value to compare with: nil reference"},
			} {
				if c.got == nil || c.got.Error() != c.want {
					t.Errorf("got  %v\nwant %s", c.got, c.want)
				}
			}
			f := must(th.Freeze(d))
			x := Dict(f.Root())
			for i, err := range append(x.atomics(th, rt.None), third(x.PopFirst(th))) {
				if !errors.Is(err, rt.ErrFrozen) {
					t.Errorf("call %d on a frozen dict: %v", i, err)
				}
			}
			must0(t, th.Unload(f))
			k, v, err := d.PopFirst(th)
			if err != nil || k != rt.None || v != rt.True {
				t.Errorf("popped %s: %s, %v", k, v, err)
			}
			for range 2 {
				if _, _, err = d.PopFirst(th); err != ErrEmpty {
					t.Errorf("popped of an empty dict: %v", err)
				}
			}
			th.DecRef(d)
		})
		if o.Checked {
			return
		}
		o.MemoryLimit = 1 << 20
		clean(t, o, func(th *rt.Thread) { // a failed call takes no counts, and deleting needs no memory
			d := must(NewDict(th))
			for i := range 300 {
				must0(t, d.Set(th, smallInt(i), rt.True))
			}
			v := newBig(th, 1)
			held := append(hog(t, th), d, v)
			var err error
			n := 0
			for ; err == nil; n++ {
				err = d.Set(th, smallInt(1000+n), rt.True)
			}
			_, loaded, noLoad := d.LoadOrStore(th, rt.None, v)
			_, had, noSwap := d.Swap(th, rt.None, v)
			if loaded || had || !errors.Is(noLoad, rt.ErrMemoryLimit) || !errors.Is(noSwap, rt.ErrMemoryLimit) {
				t.Errorf("load or store: %v; swap: %v", noLoad, noSwap)
			}
			audit(t, th, held...)
			for i := range d.Len(th) {
				k, _, err := d.PopFirst(th)
				if want := smallInt(i); i < 300 && k != want || err != nil {
					t.Fatalf("popped %s, %v; want %s", k, err, want)
				}
			}
			audit(t, th, held...)
			th.DecRefs(held)
		})
	})
}

// TestPopFirstIsAmortised: while a table is not rebuilt, no dead entry is looked at twice.
func TestPopFirstIsAmortised(t *testing.T) {
	clean(t, rt.Options{Mode: rt.LockFree}, func(th *rt.Thread) {
		d := must(NewDict(th))
		for i := range 1000 {
			must0(t, d.Set(th, smallInt(i), rt.None))
		}
		r := th.Body(d).LoadRef(boxBlock)
		for i := range 400 { // less than half
			if i%10 == 3 {
				continue // was deleted before
			}
			must(d.Delete(th, smallInt(i/10*10+3)))
			k, _, err := d.PopFirst(th)
			if err != nil || k != smallInt(i) {
				t.Fatalf("popped %s, %v; want %d", k, err, i)
			}
			b := th.Block(r)
			if n := b.Word(dictOldest); int(n) != i {
				t.Fatalf("after entry %d, %d are known to be dead", i, n)
			}
		}
		if th.Body(d).LoadRef(boxBlock) != r {
			t.Error("the table was replaced")
		}
		for th.Body(d).LoadRef(boxBlock) == r {
			_, _, err := d.PopFirst(th)
			must0(t, err)
		}
		if n := table(th, d).Word(dictOldest); n != 0 {
			t.Errorf("in a new table %d entries are known to be dead", n)
		}
		th.DecRef(d)
	})
}

// TestOldestOfAllDead: a table may have no live entry.
func TestOldestOfAllDead(t *testing.T) {
	clean(t, rt.Options{}, func(th *rt.Thread) {
		d := must(NewDict(th))
		must0(t, d.Set(th, rt.None, rt.None))
		b := table(th, d)
		remove(b, shapeOf(b).entry(1))
		if e := oldest(b); e != 0 {
			t.Errorf("the oldest entry is at %d", e)
		}
		large := must(NewDict(th))
		for i := range 20 {
			must0(t, large.Set(th, smallInt(i), rt.None))
		}
		l := table(th, large)
		l.SetWord(dictOldest, 5) // the search begins there
		if e := oldest(l); e != shapeOf(l).entry(6) {
			t.Errorf("behind 5 dead entries the oldest entry is at %d", e)
		}
		l.SetWord(dictOldest, 0)
		th.DecRef(large)
		if _, _, err := d.PopFirst(th); err != ErrEmpty || th.Kind(d) != rt.TypeDict {
			t.Errorf("popped: %v", err)
		}
		th.DecRef(d)
	})
}

// TestDictAtomicChaos has threads make all calls on a few keys of a dict, with gates and
// without. A value is an integer that is stored once. Each comes out once, or is there in
// the end.
func TestDictAtomicChaos(t *testing.T) {
	for name, fill := range map[string]int{"small": 0, "gates": 40} {
		t.Run(name, func(t *testing.T) {
			withGates(t, 30)
			forModes(t, func(t *testing.T, o rt.Options) {
				withRuntime(t, o, func(r *rt.Runtime) { atomicChaos(t, r, fill) })
			})
		})
	}
}

func atomicChaos(t *testing.T, r *rt.Runtime, fill int) {
	const workers, keys = 4, 3
	n := scaled(40_000)
	var d Dict
	must0(t, r.Do(func(th *rt.Thread) error {
		d = must(NewDict(th))
		for i := range fill {
			ok(d.Set(th, smallInt(1000+i), rt.None))
		}
		return nil
	}))
	outs := make([]atomic.Int32, workers*n)
	out := func(th *rt.Thread, v rt.Ref) error {
		if m := bigOf(th, v); m < 0 || outs[m].Inc() != 1 {
			return fmt.Errorf("%s came out twice, or was never stored", Format(th, v))
		}
		return nil
	}
	run(t, r, workers, func(th *rt.Thread, w int) (err error) {
		for i := range n {
			k := smallInt((i + i/7) % keys)
			v := newBig(th, w*n+i)
			in := false // v has been stored
			var gone rt.Ref
			switch (i + w) % 5 {
			case 0:
				var x rt.Ref
				var loaded bool
				x, loaded, err = d.LoadOrStore(th, k, v)
				if in = !loaded; in && x != v {
					return errors.New("the returned value is not the stored one")
				}
				th.DecRef(x)
			case 1:
				gone, _, err = d.LoadAndDelete(th, k)
			case 2:
				gone, _, err = d.Swap(th, k, v)
				in = true
			case 3:
				if old, err := d.Get(th, k); err == nil {
					in = must(d.CompareAndSwap(th, k, old, v))
					if gone = old; !in {
						th.DecRef(old)
						gone = rt.Nil
					}
				}
			case 4:
				if old, err := d.Get(th, k); err == nil {
					if gone = old; !must(d.CompareAndDelete(th, k, old)) {
						th.DecRef(old)
						gone = rt.Nil
					}
				}
			}
			if err == nil && gone != rt.Nil {
				err = out(th, gone)
				th.DecRef(gone)
			}
			if !in && err == nil { // count it as one that came out
				err = out(th, v)
			}
			th.DecRef(v)
			if l := d.Len(th); l < fill || l > fill+keys {
				err = fmt.Errorf("length %d", l)
			}
			if err != nil {
				return err
			}
			if i%16 == 0 {
				th.Checkpoint()
			}
		}
		return nil
	})
	must0(t, r.Do(func(th *rt.Thread) error {
		for range fill {
			if k, v, err := d.PopFirst(th); err != nil || v != rt.None {
				t.Errorf("popped %s: %s, %v", k, v, err)
			}
		}
		for d.Len(th) > 0 {
			_, v, err := d.PopFirst(th)
			ok(err)
			ok(out(th, v))
			th.DecRef(v)
		}
		for i := range outs {
			if outs[i].Load() != 1 {
				t.Errorf("value %d came out %d times", i, outs[i].Load())
			}
		}
		audit(t, th, d)
		th.DecRef(d)
		return nil
	}))
}

// TestQueues has threads append to a list and a dict, and others pop the first. The entries
// of one thread come out once, and in order.
func TestQueues(t *testing.T) {
	forModes(t, func(t *testing.T, o rt.Options) {
		withRuntime(t, o, func(r *rt.Runtime) {
			const half = 2
			n := scaled(20_000)
			var l List
			var d Dict
			must0(t, r.Do(func(th *rt.Thread) error {
				l, d = must(NewList(th)), must(NewDict(th))
				return nil
			}))
			var got [2]atomic.Int64
			run(t, r, 2*half, func(th *rt.Thread, w int) error {
				if w < half {
					for i := range n {
						k := newBig(th, i*half+w)
						ok(l.Append(th, k))
						ok(d.Set(th, k, k))
						th.DecRef(k)
						if i%16 == 0 {
							th.Checkpoint()
						}
					}
					return nil
				}
				last := [2][half]int{{-1, -1}, {-1, -1}}
				for i := 0; got[0].Load() < int64(half*n) || got[1].Load() < int64(half*n); i++ {
					q := i % 2
					var k, v rt.Ref
					var err error
					if q == 0 {
						v, err = l.PopFirst(th)
					} else if k, v, err = d.PopFirst(th); k != v {
						return fmt.Errorf("popped %s with the value %s", k, v)
					}
					if err == nil {
						got[q].Inc()
						m := bigOf(th, v)
						if m < 0 || m <= last[q][m%half] {
							return fmt.Errorf("%d came after %d", m, last[q])
						}
						last[q][m%half] = m
						th.DecRefs([]rt.Ref{k, v})
					} else if err != ErrEmpty {
						return err
					}
					th.Checkpoint()
				}
				return nil
			})
			if got[0].Load() != int64(half*n) || got[1].Load() != int64(half*n) {
				t.Errorf("%d and %d came out of %d", got[0].Load(), got[1].Load(), half*n)
			}
			must0(t, r.Do(func(th *rt.Thread) error {
				audit(t, th, l, d)
				th.DecRefs([]rt.Ref{l, d})
				return nil
			}))
		})
	})
}

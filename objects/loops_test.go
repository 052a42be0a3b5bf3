package objects

import (
	"iter"
	goruntime "runtime"
	"slices"
	"testing"

	rt "github.com/ichor-go/ichor/runtime"
)

// TestLoopsAcrossSafePoints: a loop sees the entries that were there when it began,
// whatever its body drops, and gives up its counts however it ends.
func TestLoopsAcrossSafePoints(t *testing.T) {
	forAllModes(t, func(t *testing.T, o rt.Options) {
		clean(t, o, func(th *rt.Thread) {
			const n = 5
			items := func() (rs []rt.Ref) {
				for i := range n {
					rs = append(rs, newBig(th, i))
				}
				return rs
			}
			for what, make := range map[string]func() (all iter.Seq2[int, rt.Ref], drop func()){
				"list": func() (iter.Seq2[int, rt.Ref], func()) {
					l := must(NewListSteal(th, items()...))
					return l.All(th), func() { th.DecRef(l) }
				},
				"list that is emptied": func() (iter.Seq2[int, rt.Ref], func()) {
					l := must(NewListSteal(th, items()...))
					return l.All(th), func() { ok(l.Clear(th)); th.DecRef(l) }
				},
				"tuple": func() (iter.Seq2[int, rt.Ref], func()) {
					s := must(NewTupleSteal(th, items()...))
					return s.All(th), func() { th.DecRef(s) }
				},
			} {
				all, drop := make()
				i := 0
				for k, r := range all {
					if i == 0 {
						drop()
					}
					th.Checkpoint()
					th.Checkpoint()
					audit(t, th)
					if k != i || bigOf(th, r) != i {
						t.Errorf("%s: item %d is %s", what, i, Format(th, r))
					}
					i++
				}
				if i != n {
					t.Errorf("%s: the loop ends after %d items", what, i)
				}
				all, drop = make()
				for range all {
					break
				}
				func() {
					defer func() { _ = recover() }()
					for range all {
						panic("in a loop")
					}
				}()
				next, stop := iter.Pull2(all)
				next()
				drop()
				th.Checkpoint()
				if k, r, more := next(); k != 1 || !more || bigOf(th, r) != 1 {
					t.Errorf("%s: item 1 is %s", what, Format(th, r))
				}
				stop()
				audit(t, th)
			}
		})
	})
}

// TestFrozenLoops tests loops and snapshots of frozen containers, and of objects of other
// kinds.
func TestFrozenLoops(t *testing.T) {
	forAllModes(t, func(t *testing.T, o rt.Options) {
		clean(t, o, func(th *rt.Thread) {
			text := must(NewString(th, "text"))
			l, s := must(NewList(th, text, smallInt(1))), must(NewTuple(th, text, smallInt(1)))
			both := must(NewListSteal(th, l, s))
			f := must(th.Freeze(both))
			frozen := List(f.Root()).Snapshot(th, []rt.Ref{rt.None})
			if len(frozen) != 3 || frozen[0] != rt.None || th.Kind(frozen[1]) != rt.TypeList || th.Kind(frozen[2]) != rt.TypeTuple {
				t.Fatalf("a snapshot of %s", Format(th, f.Root()))
			}
			for _, all := range []iter.Seq2[int, rt.Ref]{List(frozen[1]).All(th), Tuple(frozen[2]).All(th)} {
				n := 0
				for i, r := range all {
					th.Checkpoint()
					if err := th.Unload(f); err == nil {
						t.Fatal("a graph was unloaded during a loop over it")
					}
					if n++; i == 0 && !Equal(th, r, text) || i == 1 && r != smallInt(1) {
						t.Errorf("item %d is %s", i, Format(th, r))
					}
				}
				if n != 2 {
					t.Errorf("%d items", n)
				}
			}
			for _, not := range []rt.Ref{rt.Nil, rt.None, smallInt(1), text, frozen[2]} {
				if got := List(not).Snapshot(th, nil); len(got) > 0 {
					t.Errorf("a snapshot of %s: %v", Format(th, not), got)
				}
				for range List(not).All(th) {
					t.Error("an object that is not a list has items")
				}
			}
			for _, not := range []rt.Ref{rt.Nil, rt.None, rt.EmptyTuple, frozen[1]} {
				for range Tuple(not).All(th) {
					t.Error("an object that is not a tuple, or is an empty one, has items")
				}
			}
			must0(t, th.Unload(f))
			th.DecRefs([]rt.Ref{text, both})
		})
	})
}

// TestSnapshotAllocatesOnce: a snapshot makes room for all items at once, also of a frozen
// list.
func TestSnapshotAllocatesOnce(t *testing.T) {
	clean(t, rt.Options{}, func(th *rt.Thread) {
		l := must(NewList(th, slices.Repeat([]rt.Ref{rt.None}, 1000)...))
		f := must(th.Freeze(l))
		for _, x := range []List{l, List(f.Root())} {
			if n := testing.AllocsPerRun(10, func() { x.Snapshot(th, nil) }); n != 1 && !raceEnabled {
				t.Errorf("%g allocations, frozen: %v", n, x.IsFrozen())
			}
		}
		must0(t, th.Unload(f))
		th.DecRef(l)
	})
}

// TestSnapshotWaits: while another thread has the list's lock, a snapshot waits, and then
// has the new items.
func TestSnapshotWaits(t *testing.T) {
	if goruntime.GOOS == "js" {
		t.Skip("SKIPPED: needs several threads, and there is only one here")
	}
	withRuntime(t, rt.Options{Mode: rt.LockFree}, func(r *rt.Runtime) {
		var l List
		must0(t, r.Do(func(th *rt.Thread) error {
			l = must(NewList(th, smallInt(1), smallInt(2)))
			return nil
		}))
		waitsAtUntil(t, r, r.Body(l).Lock(boxLock), func() {
			must0(t, r.Do(func(th *rt.Thread) error { // this thread has the lock
				o := th.Body(l)
				b := openList(th, o)
				b.popFirst()
				b.add(smallInt(3))
				return nil
			}))
		}, func(th *rt.Thread) {
			if got := l.Snapshot(th, nil); !slices.Equal(got, []rt.Ref{smallInt(2), smallInt(3)}) {
				t.Errorf("a snapshot of %v", got)
			}
		})
		must0(t, r.Do(func(th *rt.Thread) error {
			th.DecRef(l)
			return nil
		}))
	})
}

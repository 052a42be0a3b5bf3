package objects

import (
	"errors"
	goruntime "runtime"
	"sync/atomic"
	"testing"

	"github.com/ichor-go/ichor/locks"
	rt "github.com/ichor-go/ichor/runtime"
)

// waitsAt fails unless op, on a thread of its own, waits for a lock word that is held.
func waitsAt(t *testing.T, r *rt.Runtime, word *uint32, op func(th *rt.Thread)) {
	t.Helper()
	waitsAtUntil(t, r, word, func() {}, op)
}

// waitsAtUntil is waitsAt, and calls until before the lock is released.
func waitsAtUntil(t *testing.T, r *rt.Runtime, word *uint32, until func(), op func(th *rt.Thread)) {
	t.Helper()
	locks.Lock(word)
	before := lockWaits(r)
	alone := atomic.LoadUint32(word)
	done := make(chan error, 1)
	go func() {
		done <- r.Do(func(th *rt.Thread) error {
			op(th)
			return nil
		})
	}()
	for atomic.LoadUint32(word) == alone { // no thread is parked there
		select {
		case err := <-done:
			t.Errorf("it did not wait for the lock: %v", err)
			until()
			locks.Unlock(word)
			return
		default:
			goruntime.Gosched()
		}
	}
	until()
	locks.Unlock(word)
	must0(t, <-done)
	if r.ContentionProfileRate() > 0 && lockWaits(r) == before {
		t.Error("the wait is not in the contention profile")
	}
	if v := atomic.LoadUint32(word); v != 0 {
		t.Errorf("it has left %#x in the lock word", v)
	}
}

// lockWaits returns how many waits for locks are in the contention profile.
func lockWaits(r *rt.Runtime) (n int64) {
	for _, x := range r.ContentionProfile() {
		if x.For == rt.WaitLock {
			n += x.Samples
		}
	}
	return n
}

// lockedBox has containers, and the arguments to make any call on them.
type lockedBox struct {
	l, m List // of ten ints each
	d, e Dict // of ten small keys each; five are in both
	key  rt.Ref
	fl   List // frozen ones
	fd   Dict
}

func newLockedBox(th *rt.Thread) lockedBox {
	x := lockedBox{l: numbered(th, 10), m: numbered(th, 10), d: must(NewDict(th)), e: must(NewDict(th))}
	for i := range 10 {
		ok(x.d.SetSteal(th, smallInt(i), newBig(th, i)))
		ok(x.e.SetSteal(th, smallInt(5+i), newBig(th, i)))
	}
	x.key = must(NewTuple(th, smallInt(1), smallInt(2)))
	ok(x.d.Set(th, x.key, rt.True))
	return x
}

func (x lockedBox) all() []rt.Ref {
	return []rt.Ref{x.l, x.m, x.d, x.e, x.key}
}

func freezeAndUnload(th *rt.Thread, r rt.Ref) { ok(th.Unload(must(th.Freeze(r)))) }

// TestLocksAreTaken: every call that changes or copies a container waits for its lock,
// releases it afterwards, and keeps no other lock.
func TestLocksAreTaken(t *testing.T) {
	if goruntime.GOOS == "js" {
		t.Skip("SKIPPED: needs several threads, and there is only one here")
	}
	type call struct {
		name string
		box  func(x lockedBox) []rt.Ref // the containers whose locks it takes
		op   func(th *rt.Thread, x lockedBox)
	}
	list := func(x lockedBox) []rt.Ref { return []rt.Ref{x.l} }
	lists := func(x lockedBox) []rt.Ref { return []rt.Ref{x.l, x.m} }
	dict := func(x lockedBox) []rt.Ref { return []rt.Ref{x.d} }
	dicts := func(x lockedBox) []rt.Ref { return []rt.Ref{x.d, x.e} }
	fails := func(err error) {
		if err == nil {
			panic("no error")
		}
	}
	calls := []call{
		{"append", list, func(th *rt.Thread, x lockedBox) { ok(x.l.Append(th, rt.None)) }},
		{"append, and growth", list, func(th *rt.Thread, x lockedBox) {
			for range 10 {
				ok(x.l.Append(th, rt.None))
			}
		}},
		{"list set", list, func(th *rt.Thread, x lockedBox) { ok(x.l.Set(th, 0, rt.None)) }},
		{"list set outside", list, func(th *rt.Thread, x lockedBox) { fails(x.l.Set(th, 10, rt.None)) }},
		{"list pop", list, func(th *rt.Thread, x lockedBox) { th.DecRef(must(x.l.Pop(th))) }},
		{"insert", list, func(th *rt.Thread, x lockedBox) { ok(x.l.Insert(th, 3, rt.None)) }},
		{"insert outside", list, func(th *rt.Thread, x lockedBox) { fails(x.l.Insert(th, 11, rt.None)) }},
		{"remove", list, func(th *rt.Thread, x lockedBox) { ok(x.l.Remove(th, 3)) }},
		{"remove outside", list, func(th *rt.Thread, x lockedBox) { fails(x.l.Remove(th, 10)) }},
		{"list pop first", list, func(th *rt.Thread, x lockedBox) { th.DecRef(must(x.l.PopFirst(th))) }},
		{"snapshot", list, func(th *rt.Thread, x lockedBox) { th.DecRefs(x.l.Snapshot(th, nil)) }},
		{"list clear", list, func(th *rt.Thread, x lockedBox) { ok(x.l.Clear(th)) }},
		{"extend", lists, func(th *rt.Thread, x lockedBox) { ok(x.l.Extend(th, x.m)) }},
		{"extend by a frozen list", list, func(th *rt.Thread, x lockedBox) { ok(x.l.Extend(th, x.fl)) }},
		{"freeze a list", list, func(th *rt.Thread, x lockedBox) { freezeAndUnload(th, x.l) }},
		{"length of a list that moves", list, func(th *rt.Thread, x lockedBox) {
			if n := lengthWhenMoved(th, th.Body(x.l)); n != 10 {
				panic("it has another length")
			}
		}},
		{"item of a list that moves", list, func(th *rt.Thread, x lockedBox) {
			if r, found := atWhenMoved(th, th.Body(x.l), 4); !found || bigOf(th, r) != 4 {
				panic("it has another item")
			}
		}},
		{"dict set", dict, func(th *rt.Thread, x lockedBox) { ok(x.d.Set(th, smallInt(3), rt.None)) }},
		{"dict set, a new key", dict, func(th *rt.Thread, x lockedBox) { ok(x.d.Set(th, smallInt(30), rt.None)) }},
		{"dict set, a tuple", dict, func(th *rt.Thread, x lockedBox) { ok(x.d.Set(th, x.key, rt.None)) }},
		{"dict delete", dict, func(th *rt.Thread, x lockedBox) { must(x.d.Delete(th, smallInt(3))) }},
		{"dict delete, nothing", dict, func(th *rt.Thread, x lockedBox) { must(x.d.Delete(th, smallInt(30))) }},
		{"dict pop, a tuple", dict, func(th *rt.Thread, x lockedBox) { th.DecRef(must(x.d.Pop(th, x.key))) }},
		{"load or store", dict, func(th *rt.Thread, x lockedBox) { ok(second2(x.d.LoadOrStore(th, smallInt(30), rt.None))) }},
		{"dict swap", dict, func(th *rt.Thread, x lockedBox) {
			old, _, err := x.d.Swap(th, smallInt(3), rt.None)
			ok(err)
			th.DecRef(old)
		}},
		{"dict swap, a new key", dict, func(th *rt.Thread, x lockedBox) { ok(second2(x.d.Swap(th, smallInt(30), rt.None))) }},
		{"dict compare and swap", dict, func(th *rt.Thread, x lockedBox) {
			old, _ := x.d.Lookup(th, smallInt(3))
			if !must(x.d.CompareAndSwap(th, smallInt(3), old, rt.None)) {
				panic("it was not swapped")
			}
		}},
		{"dict compare and delete", dict, func(th *rt.Thread, x lockedBox) {
			old, _ := x.d.Lookup(th, smallInt(3))
			if !must(x.d.CompareAndDelete(th, smallInt(3), old)) {
				panic("it was not deleted")
			}
		}},
		{"dict pop first", dict, func(th *rt.Thread, x lockedBox) {
			_, v, err := x.d.PopFirst(th)
			ok(err)
			th.DecRef(v)
		}},
		{"dict clear", dict, func(th *rt.Thread, x lockedBox) { ok(x.d.Clear(th)) }},
		{"update", dicts, func(th *rt.Thread, x lockedBox) { ok(x.d.Update(th, x.e)) }},
		{"update by a frozen dict", dict, func(th *rt.Thread, x lockedBox) { ok(x.d.Update(th, x.fd)) }},
		{"freeze a dict", dict, func(th *rt.Thread, x lockedBox) { freezeAndUnload(th, x.d) }},
	}
	for _, counting := range []rt.Counting{rt.Atomic, rt.Biased} {
		withRuntime(t, rt.Options{Mode: rt.LockFree, Counting: counting, ContentionProfileRate: 1}, func(r *rt.Runtime) {
			for _, c := range calls {
				t.Run(c.name, func(t *testing.T) {
					var x lockedBox
					var fl, fd *rt.Frozen
					for i := range len(c.box(x)) {
						must0(t, r.Do(func(th *rt.Thread) error {
							x = newLockedBox(th)
							fl, fd = must(th.Freeze(x.m)), must(th.Freeze(x.e))
							x.fl, x.fd = List(fl.Root()), Dict(fd.Root())
							return nil
						}))
						word := r.Body(c.box(x)[i]).Lock(boxLock)
						waitsAt(t, r, word, func(th *rt.Thread) {
							c.op(th, x)
							for _, b := range x.all()[:4] { // before a safe point, which would release it
								if v := th.Body(b).Load(boxLock); v != 0 {
									t.Errorf("it has left %#x in a lock word", v)
								}
							}
						})
						must0(t, r.Do(func(th *rt.Thread) error {
							audit(t, th, x.all()...)
							th.DecRefs(x.all())
							must0(t, th.Unload(fl))
							return th.Unload(fd)
						}))
					}
				})
			}
		})
	}
}

// TestGatesAreShut: a call that replaces or copies a table with gates waits at each gate,
// and opens them again. A call that overwrites a value waits at the thread's own gate.
func TestGatesAreShut(t *testing.T) {
	if goruntime.GOOS == "js" {
		t.Skip("SKIPPED: needs several threads, and there is only one here")
	}
	withGates(t, 8)
	const n = 20
	make20 := func(th *rt.Thread) Dict {
		d := must(NewDict(th))
		for i := range n {
			ok(d.SetSteal(th, smallInt(i), newBig(th, i)))
		}
		return d
	}
	for name, op := range map[string]func(th *rt.Thread, d, two, empty Dict){
		"growth": func(th *rt.Thread, d, _, _ Dict) {
			for i := range 2 * n {
				ok(d.Set(th, smallInt(n+i), rt.None))
			}
		},
		"shrinking": func(th *rt.Thread, d, _, _ Dict) {
			for i := range n - 1 {
				must(d.Delete(th, smallInt(i)))
			}
		},
		"the last one deleted": func(th *rt.Thread, d, _, _ Dict) {
			for i := range n {
				must(d.Delete(th, smallInt(i)))
			}
		},
		"clear":  func(th *rt.Thread, d, _, _ Dict) { ok(d.Clear(th)) },
		"update": func(th *rt.Thread, d, two, _ Dict) { ok(d.Update(th, two)) },
		"update of another": func(th *rt.Thread, d, _, empty Dict) {
			ok(empty.Update(th, d))
			for i := range n {
				if v, _ := empty.Lookup(th, smallInt(i)); bigOf(th, v) != i {
					panic("it has another value")
				}
			}
		},
		"compare and delete": func(th *rt.Thread, d, _, _ Dict) {
			old, _ := d.Lookup(th, smallInt(3))
			if !must(d.CompareAndDelete(th, smallInt(3), old)) {
				panic("it was not deleted")
			}
		},
		"freeze": func(th *rt.Thread, d, _, _ Dict) { freezeAndUnload(th, d) },
	} {
		t.Run(name, func(t *testing.T) {
			withRuntime(t, rt.Options{Mode: rt.LockFree, ContentionProfileRate: 1}, func(r *rt.Runtime) {
				for i := range gates {
					var d, two, empty Dict
					must0(t, r.Do(func(th *rt.Thread) error {
						d, two, empty = make20(th), make20(th), must(NewDict(th))
						for i := range n - 2 {
							must(two.Delete(th, smallInt(i)))
						}
						return nil
					}))
					b := r.Block(r.Body(d).LoadRef(boxBlock))
					waitsAt(t, r, b.Lock(gate(b, i)+gateLock), func(th *rt.Thread) {
						op(th, d, two, empty)
						for k := range gates {
							if v := b.Load(gate(b, k) + gateLock); v != 0 { // no safe point since: the old table still exists
								t.Errorf("gate %d is left as %#x", k, v)
							}
						}
					})
					must0(t, r.Do(func(th *rt.Thread) error {
						all := []rt.Ref{d, two, empty}
						audit(t, th, all...)
						th.DecRefs(all)
						return nil
					}))
				}
			})
		})
	}
	t.Run("overwrite", func(t *testing.T) {
		withRuntime(t, rt.Options{Mode: rt.LockFree, ContentionProfileRate: 1}, func(r *rt.Runtime) {
			var d Dict
			id := 0
			must0(t, r.Do(func(th *rt.Thread) error {
				d, id = make20(th), int(th.ID())
				return nil
			}))
			b := r.Block(r.Body(d).LoadRef(boxBlock))
			waitsAt(t, r, b.Lock(gate(b, id%gates)+gateLock), func(th *rt.Thread) {
				if int(th.ID()) != id {
					panic("the thread has another number than the one before")
				}
				ok(d.Set(th, smallInt(3), rt.None))
			})
			must0(t, r.Do(func(th *rt.Thread) error {
				for i := range gates {
					if v, version := b.Load(gate(b, i)+gateLock), b.Load(gate(b, i)+gateVersion); v != 0 || (version == 1) != (i == id%gates) {
						t.Errorf("gate %d, the thread's is %d: lock word %#x, version %d", i, id%gates, v, version)
					}
				}
				th.DecRef(d)
				return nil
			}))
		})
	})
}

// TestEveryChangeHasItsVersion: Freeze copies while others write, and learns of each change
// from the version. The version of a record is raised on both sides of the change.
func TestEveryChangeHasItsVersion(t *testing.T) {
	forModes(t, func(t *testing.T, o rt.Options) {
		clean(t, o, func(th *rt.Thread) {
			x := newLockedBox(th)
			fl, fd := must(th.Freeze(x.m)), must(th.Freeze(x.e))
			for _, c := range []struct {
				name string
				of   rt.Ref
				op   func()
			}{
				{"append", x.l, func() { ok(x.l.Append(th, rt.None)) }},
				{"list set", x.l, func() { ok(x.l.Set(th, 0, rt.None)) }},
				{"list pop", x.l, func() { th.DecRef(must(x.l.Pop(th))) }},
				{"insert", x.l, func() { ok(x.l.Insert(th, 3, rt.None)) }},
				{"remove", x.l, func() { ok(x.l.Remove(th, 3)) }},
				{"extend", x.l, func() { ok(x.l.Extend(th, x.m)) }},
				{"extend by a frozen list", x.l, func() { ok(x.l.Extend(th, List(fl.Root()))) }},
				{"list clear", x.l, func() { ok(x.l.Clear(th)) }},
				{"dict set", x.d, func() { ok(x.d.Set(th, smallInt(3), rt.None)) }},
				{"dict set, a tuple", x.d, func() { ok(x.d.Set(th, x.key, rt.None)) }},
				{"dict delete", x.d, func() { must(x.d.Delete(th, smallInt(3))) }},
				{"update", x.d, func() { ok(x.d.Update(th, x.e)) }},
				{"update by a frozen dict", x.d, func() { ok(x.d.Update(th, Dict(fd.Root()))) }},
				{"dict clear", x.d, func() { ok(x.d.Clear(th)) }},
			} {
				was := th.Body(c.of).Load(boxVersion)
				c.op()
				if now := th.Body(c.of).Load(boxVersion); now != was+1 {
					t.Errorf("%s: version %d after %d", c.name, now, was)
				}
			}
			for what, r := range map[string]rt.Ref{"list": x.m, "dict": x.e} {
				was := th.Body(r).Load(boxVersion)
				freezeAndUnload(th, r)
				if r == x.m {
					ok(x.l.Extend(th, x.m))
				} else {
					ok(x.d.Update(th, x.e))
				}
				if now := th.Body(r).Load(boxVersion); now != was {
					t.Errorf("%s: version %d after %d, without a change", what, now, was)
				}
			}
			y := must(DefineRecord("of versions", "x"))
			rec := must(y.New(th, rt.None))
			for i, change := range []func(){
				func() { ok(rec.Set(th, 0, rt.True)) },
				func() { must(rec.Swap(th, 0, rt.False)) },
				func() { must(rec.CompareAndSwap(th, 0, rt.False, rt.None)) },
			} {
				change()
				if v := th.Body(rec).Load(recordVersion); v != uint32(2*(i+1)) {
					t.Errorf("a record's version is %d after %d changes", v, i+1)
				}
			}
			th.DecRefs(append(x.all(), rec))
			must0(t, th.Unload(fl))
			must0(t, th.Unload(fd))
		})
	})
}

// TestLocksAreLetGo: whatever the outcome of a write, it releases its locks itself, not at
// the next safe point: with memory, and without.
func TestLocksAreLetGo(t *testing.T) {
	broken, failing := errors.New("broken"), false
	inject := func(what rt.Injection) error {
		if failing && what == rt.AllocateObject {
			return broken
		}
		return nil
	}
	for _, counting := range []rt.Counting{rt.Atomic, rt.Biased} {
		clean(t, rt.Options{Mode: rt.LockFree, Counting: counting, Checked: true, Inject: inject}, func(th *rt.Thread) {
			x := newLockedBox(th)
			empty := List(must(NewList(th)))
			none := Dict(must(NewDict(th)))
			fl, fd := must(th.Freeze(rt.Ref(x.m))), must(th.Freeze(rt.Ref(x.e)))
			long := List(must(NewList(th)))
			for range 100 {
				ok(long.Append(th, rt.None))
			}
			all := append(x.all(), rt.Ref(empty), rt.Ref(none), rt.Ref(long))
			for name, op := range map[string]func() error{
				"append": func() error {
					return errors.Join(x.l.Append(th, rt.None), x.l.Append(th, rt.None), x.l.Append(th, rt.None), x.l.Append(th, rt.None), x.l.Append(th, rt.None))
				},
				"append to nothing":       func() error { return empty.Append(th, rt.None) },
				"append nil":              func() error { return x.l.Append(th, rt.Nil) },
				"list set":                func() error { return x.l.Set(th, 0, rt.None) },
				"list set outside":        func() error { return x.l.Set(th, 1000, rt.None) },
				"list pop":                func() error { r, err := x.l.Pop(th); th.DecRef(r); return err },
				"list pop, nothing":       func() error { ok(empty.Clear(th)); _, err := empty.Pop(th); return err },
				"insert":                  func() error { return x.l.Insert(th, 3, rt.None) },
				"insert at the end":       func() error { return x.l.Insert(th, x.l.Len(th), rt.None) },
				"insert outside":          func() error { return x.l.Insert(th, 1000, rt.None) },
				"remove":                  func() error { return x.m.Remove(th, 3) },
				"remove first":            func() error { return x.m.Remove(th, 0) },
				"remove outside":          func() error { return x.l.Remove(th, 1000) },
				"extend":                  func() error { return x.l.Extend(th, long) },
				"extend by itself":        func() error { return x.m.Extend(th, x.m) },
				"extend by a frozen list": func() error { return x.m.Extend(th, List(fl.Root())) },
				"list clear":              func() error { return empty.Clear(th) },
				"dict set":                func() error { return x.d.Set(th, smallInt(3), rt.None) },
				"dict set, new keys": func() (err error) {
					for i := range 20 {
						err = errors.Join(err, x.d.Set(th, smallInt(100+i), rt.None))
					}
					return err
				},
				"dict set, the first key": func() error { ok(none.Clear(th)); return none.Set(th, smallInt(1), rt.None) },
				"dict set, a tuple":       func() error { return x.d.Set(th, x.key, rt.None) },
				"dict delete":             func() error { _, err := x.e.Delete(th, smallInt(7)); return err },
				"dict pop, nothing":       func() error { _, err := x.e.Pop(th, smallInt(1000)); return err },
				"dict clear":              func() error { return none.Clear(th) },
				"update":                  func() error { return x.d.Update(th, x.e) },
				"update by a frozen dict": func() error { ok(none.Clear(th)); return none.Update(th, Dict(fd.Root())) },
				"freeze a list":           func() error { return freezeOrNot(th, rt.Ref(x.l)) },
				"freeze a dict":           func() error { return freezeOrNot(th, rt.Ref(x.d)) },
			} {
				for _, failing = range []bool{true, false} {
					err := op()
					failing = false
					for _, r := range all {
						if r == x.key {
							continue
						}
						if v := th.Body(r).Load(boxLock); v != 0 {
							t.Errorf("%s has left %#x in a lock word; its error: %v", name, v, err)
						}
					}
				}
			}
			th.DecRefs(all)
			must0(t, th.Unload(fl))
			must0(t, th.Unload(fd))
		})
	}
}

// freezeOrNot freezes r, and unloads the result if it succeeds.
func freezeOrNot(th *rt.Thread, r rt.Ref) error {
	f, err := th.Freeze(r)
	if err == nil {
		err = th.Unload(f)
	}
	return err
}

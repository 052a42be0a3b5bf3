// Package ichor is the front page of a module with an object runtime for many goroutines:
// reference-counted objects outside the Go heap, without a global lock.
//
// An object dies when its last reference is given up, and its memory is free at once. The
// same program runs under a global lock, as in CPython, or without one. Both can run side by
// side in one process, so they can be compared. Immortal objects, as in PEP 683, are counted by
// no thread, and their headers never change. Frozen graphs are sealed read-only and can be
// files that many processes map.
//
// This package holds no code. What to import:
//
//   - [github.com/ichor-go/ichor/runtime], as rt: heaps, threads, counting, immortality,
//     freezing, images, collection of cycles, statistics, and types of your own;
//   - [github.com/ichor-go/ichor/objects]: Int, String, Tuple, List, Dict, Record, Cell, Weak
//     and the other kinds, JSON, conversion from and to Go values;
//   - [github.com/ichor-go/ichor/runtime/metrics]: statistics by name, and for expvar;
//   - [github.com/ichor-go/ichor/proptest]: property tests for your own types, in every mode;
//   - [github.com/ichor-go/ichor/proptest/explore]: tests of concurrent Go code under all
//     schedules;
//   - [github.com/ichor-go/ichor/bench/experiment]: experiments of your own on many cores;
//   - [github.com/ichor-go/ichor/locks] and [github.com/ichor-go/ichor/sched]: the locks and
//     grace periods underneath, usable alone.
//
// A first program:
//
//	r, err := rt.New(rt.Options{}) // lock-free; or rt.Options{Mode: rt.GIL}
//	if err != nil {
//		return err
//	}
//	err = r.Do(func(t *rt.Thread) error {
//		return t.Scope(func(s *rt.Scope) { // gives up at its end what it owns
//			list := rt.Own(objects.NewList(t)).In(s)
//			s.Check(list.Append(t, s.Own(objects.NewString(t, "tea"))))
//			fmt.Println(objects.Format(t, list))
//		})
//	})
//	return errors.Join(err, r.Close()) // Close says what leaked
//
// The README has results and links to the guides.
package ichor

package traffic

import (
	"strings"
	"sync/atomic"
	"testing"
	"unsafe"

	"github.com/ichor-go/ichor/internal/pagemap"
	"github.com/ichor-go/ichor/proptest/internal/heap"
	"github.com/ichor-go/ichor/proptest/internal/modes"
	"github.com/ichor-go/ichor/proptest/internal/property"
	"github.com/ichor-go/ichor/proptest/internal/suite"
	rt "github.com/ichor-go/ichor/runtime"
)

// TestStores performs 26 million operations on immortals in every mode, and looks for stores.
func TestStores(t *testing.T) {
	ops := int64(100_000)
	if suite.Race {
		ops /= 50
	}
	for _, o := range modes.All(rt.Options{}) {
		if !o.Checked { // Run covers checked mode, with fewer operations
			t.Run(modes.Name(o), func(t *testing.T) {
				Check(t, o, 3, ops)
			})
		}
	}
}

// deals returns a program that has each step once.
func deals() (steps []step) {
	for code := range opcodes {
		steps = append(steps, step{code, uint16(code) * 97, 48})
	}
	return steps
}

// TestEstate demands that an estate is as the oracle needs it: pages of their own for objects
// of each sort, in place and in a region, and headers at the end of some pages.
func TestEstate(t *testing.T) {
	o := newWatch(t)
	s := property.Must(heap.Open(rt.Options{}, heap.OnDemand))
	property.Check(s.Do(func(h *heap.Heap) error {
		e := newEstate(h.Thread, o)
		sorts := map[rt.TypeID][2]int{}
		for _, r := range e.still {
			if _, own := e.pages[h.Thread.Address(r)&^(pageSize-1)]; own {
				n := sorts[h.Thread.TypeOf(r).ID()]
				if r.ImmortalByAddress() {
					n[1]++
				} else {
					n[0]++
				}
				sorts[h.Thread.TypeOf(r).ID()] = n
			}
		}
		if want := len(e.sorts(h.Thread)); len(sorts) != want || len(e.changing) < 2 {
			t.Errorf("%d of %d sorts have pages, and %d headers are at the end of one", len(sorts), want, len(e.changing))
		}
		for y, n := range sorts {
			if n[0] < 10 || n[1] < 10 {
				t.Errorf("type %d: %d in place and %d by address", y, n[0], n[1])
			}
		}
		err := e.close()
		h.Thread.DecRef(e.control)
		h.Sample()
		return err
	}))
	property.Check(s.Close())
}

// TestStoresAreSeen plants stores that do not change any value.
func TestStoresAreSeen(t *testing.T) {
	for name, store := range map[string]func(w *uint32){
		"add 0":       func(w *uint32) { atomic.AddUint32(w, 0) },
		"plus, minus": func(w *uint32) { atomic.AddUint32(w, 1); atomic.AddUint32(w, ^uint32(0)) },
		"the same":    func(w *uint32) { atomic.StoreUint32(w, atomic.LoadUint32(w)) },
		"nothing":     nil,
	} {
		o := newWatch(t)
		s := property.Must(heap.Open(rt.Options{}, heap.OnDemand))
		property.Check(s.Do(func(h *heap.Heap) error {
			e := newEstate(h.Thread, o)
			if store != nil {
				store(headerAt(h.Thread.Address(e.changing[0])))
			}
			err := e.close()
			if seen := err != nil && strings.Contains(err.Error(), string(property.Stores)); seen != (store != nil) {
				t.Errorf("%s: %v", name, err)
			}
			h.Thread.DecRef(e.control)
			h.Sample()
			return nil
		}))
		property.Check(s.Close())
	}
}

// TestSealed runs programs while the pages of immortals are read-only, so that a store to one
// faults.
func TestSealed(t *testing.T) {
	if _, err := pagemap.NewSeal(); err != nil {
		t.Skipf("SKIPPED: the system cannot seal pages, so nothing shows that a store to an immortal faults: %v", err)
	}
	for _, o := range modes.All(rt.Options{}) {
		t.Run(modes.Name(o), func(t *testing.T) {
			ops := int64(1_000_000)
			if o.Checked || suite.Race {
				ops /= 50
			}
			made := property.Must(run(o, property.Must(pagemap.NewSeal()), [][]step{deals(), deals(), deals()}, ops))
			t.Logf("%d operations on immortals under seal", made)
		})
	}
	stores := map[string]func(w *uint32){"plus": func(w *uint32) { *w++ }}
	if !suite.Race { // the detector's atomic operations are C code, in which a fault ends the process
		stores["add 0"] = func(w *uint32) { atomic.AddUint32(w, 0) }
	}
	for name, store := range stores {
		if err := sealed(store); err == nil || !strings.Contains(err.Error(), string(property.Stores)) {
			t.Errorf("%s under seal: %v", name, err)
		}
	}
}

// sealed calls store on the header of a sealed immortal.
func sealed(store func(w *uint32)) (err error) {
	seal := property.Must(pagemap.NewSeal())
	defer func() { property.Check(seal.Close()) }()
	defer property.Catch(&err)
	defer property.Guarded()()
	s := property.Must(heap.Open(rt.Options{}, heap.OnDemand))
	return s.Do(func(h *heap.Heap) error {
		e := newEstate(h.Thread, seal)
		store(headerAt(h.Thread.Address(e.changing[0])))
		return e.close()
	})
}

// headerAt returns the first word of a header.
func headerAt(a uintptr) *uint32 {
	// Safety: the object is alive; the indirection hides the conversion from vet.
	return *(**uint32)(unsafe.Pointer(&a))
}

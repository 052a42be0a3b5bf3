package traffic

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"unsafe"

	"github.com/ichor-go/ichor/internal/pagemap"
	"github.com/ichor-go/ichor/objects"
	"github.com/ichor-go/ichor/proptest/internal/property"
	rt "github.com/ichor-go/ichor/runtime"
)

// An estate is a set of immortal objects that have pages of memory to themselves, so that
// the system's answer about a page is an answer about their headers:
//
//	still      all objects on the page are immortal, and no thread changes their contents:
//	           no byte of the page is stored to
//	changing   records whose header is at the end of such a page. Their contents
//	           begin on the next page, which is not watched
//
// An oracle asks the system; the bytes are compared as well.
type estate struct {
	still    []rt.Ref
	changing []rt.Ref
	text     []rt.Ref // the still objects that serve as keys
	frozen   []rt.Ref
	control  rt.Ref // mortal; its page is watched like the others
	pages    map[uintptr][]byte
	witness  uintptr // the control's page
	oracle   oracle
	seen     bool // the oracle saw the control's page
}

// oracle reports which of the pages given to it were stored to: a pagemap.Watch, or a
// pagemap.Seal, under which a store is a fault.
type oracle interface {
	Add(start, end uintptr) error
	Written() ([]uintptr, error)
	Close() error
}

// tract is a record that fills an odd number of granules: in a row of tracts, some
// have their header at the end of a page.
var tract = property.Must(objects.DefineRecord("proptest tract", "a", "b", "c", "d", "e", "f"))

// sorts returns the constructors of an estate's objects. All objects of a sort have the same size.
func (e *estate) sorts(t *rt.Thread) []func(i int) (rt.Ref, error) {
	some := func(i int) rt.Ref { return e.still[i%len(e.still)] }
	return []func(i int) (rt.Ref, error){
		func(i int) (rt.Ref, error) { return objects.NewString(t, fmt.Sprintf("estate %06d", i)) },
		func(i int) (rt.Ref, error) { return objects.NewInt(t, 1<<40+int64(i)) },
		func(i int) (rt.Ref, error) { return objects.NewFloat(t, float64(i)+0.5) },
		func(i int) (rt.Ref, error) { return objects.NewBytes(t, []byte{1, byte(i)}) },
		func(i int) (rt.Ref, error) { return objects.NewTuple(t, some(i), some(i+1)) },
		func(i int) (rt.Ref, error) { return objects.NewList(t, some(i), rt.None) },
		func(i int) (rt.Ref, error) { return e.dict(t, some(0), some(i)) },
		func(i int) (rt.Ref, error) { return objects.NewCell(t, some(i)) },
		func(i int) (rt.Ref, error) { return objects.NewWeak(t, some(i)) },
		func(i int) (rt.Ref, error) { return objects.NewForeign(t, i, nil) },
		func(i int) (rt.Ref, error) { return tract.New(t, some(i), some(i), some(i), some(i), some(i), some(i)) },
	}
}

func (e *estate) dict(t *rt.Thread, key, v rt.Ref) (rt.Ref, error) {
	d, err := objects.NewDict(t)
	if err == nil {
		err = d.Set(t, key, v)
	}
	return d, err
}

// newEstate makes the objects, in place and in a region, and gives their pages to o. No other
// thread is attached.
func newEstate(t *rt.Thread, o oracle) *estate {
	e := &estate{oracle: o, pages: map[uintptr][]byte{}}
	e.furnish(t, e.sorts(t), func(rs []rt.Ref) { property.Check(t.Immortalize(rs...)) })
	property.Check(t.Immortally(func() error {
		e.furnish(t, e.sorts(t), func([]rt.Ref) {})
		return nil
	}))
	for page := range e.pages {
		property.Check(o.Add(page, page+pageSize))
		e.pages[page] = bytes.Clone(pageAt(page))
		property.Stores.Claim(page, pageSize)
	}
	e.hire(t)
	tuple := property.Must(objects.NewTuple(t, e.text[:8]...))
	f := property.Must(t.Freeze(tuple))
	t.DecRef(tuple)
	items, _ := objects.Tuple(f.Root()).FrozenItems(t)
	for _, r := range items.All() {
		e.frozen = append(e.frozen, r)
	}
	return e
}

// furnish makes rows of each sort, and makes them immortal.
func (e *estate) furnish(t *rt.Thread, sorts []func(i int) (rt.Ref, error), immortalize func([]rt.Ref)) {
	for kind, make := range sorts {
		enough, mayChange := 1, kind == len(sorts)-1
		if mayChange {
			enough = 4 // every third page ends with a header
		}
		row, pages := rowOf(t, enough, make)
		immortalize(row)
		e.settle(t, row, pages, mayChange)
		if kind == 0 {
			e.text = append(e.text, row...)
		}
	}
}

// rowOf makes objects until they fill enough pages, and returns the objects and the pages.
func rowOf(t *rt.Thread, enough int, make func(i int) (rt.Ref, error)) (row []rt.Ref, pages []uintptr) {
	for more := 64; len(pages) < enough && len(row) < 8<<10; {
		for range more {
			row = append(row, property.Must(make(len(row))))
		}
		var size uintptr
		pages, size = wholePages(addresses(t, row))
		more = int(pageSize / size)
	}
	return row, pages
}

// settle adds a row of objects to the estate. If the objects may change, and one has its header
// at the end of a page, the next page is not watched.
func (e *estate) settle(t *rt.Thread, row []rt.Ref, pages []uintptr, mayChange bool) {
	for _, p := range pages {
		e.pages[p] = nil
	}
	for _, r := range row {
		a := t.Address(r)
		if end := a&^(pageSize-1) + pageSize; mayChange && a+headerSize == end && slices.Contains(pages, end-pageSize) {
			delete(e.pages, end)
			e.changing = append(e.changing, r)
		} else {
			e.still = append(e.still, r)
		}
	}
}

// hire makes the control: a mortal on a page full of similar objects.
func (e *estate) hire(t *rt.Thread) {
	row, pages := rowOf(t, 1, func(i int) (rt.Ref, error) { return objects.NewString(t, fmt.Sprintf("control %022d", i)) })
	e.witness = pages[0]
	for _, r := range row {
		if t.Address(r)&^(pageSize-1) == e.witness {
			e.control = r
		}
	}
	t.IncRef(e.control)
	t.DecRefs(row)
	if _, sealed := e.oracle.(*pagemap.Seal); !sealed {
		property.Check(e.oracle.Add(e.witness, e.witness+pageSize))
	}
}

const headerSize = 16

var pageSize = uintptr(os.Getpagesize())

func pageAt(p uintptr) []byte {
	// Safety: p is a page that is full of objects of a runtime that is open.
	return unsafe.Slice(*(**byte)(unsafe.Pointer(&p)), pageSize)
}

func addresses(t *rt.Thread, rs []rt.Ref) (as []uintptr) {
	for _, r := range rs {
		as = append(as, t.Address(r))
	}
	slices.Sort(as)
	return as
}

// wholePages returns the pages that are full of objects of one size. starts has the addresses
// of their headers in ascending order. The size is the smallest distance between two of them.
func wholePages(starts []uintptr) (pages []uintptr, size uintptr) {
	size = ^uintptr(0)
	for i := 1; i < len(starts); i++ {
		size = min(size, starts[i]-starts[i-1])
	}
	for i := 0; i < len(starts); {
		first, end := starts[i], starts[i]
		for ; i < len(starts) && starts[i] == end; i++ {
			end += size
		}
		for p := (first + pageSize - 1) &^ (pageSize - 1); p+pageSize <= end; p += pageSize {
			pages = append(pages, p)
		}
	}
	return pages, size
}

// inspect asks the oracle which pages were stored to. One goroutine at a time.
func (e *estate) inspect() error {
	written, err := e.oracle.Written()
	if err != nil {
		return err
	}
	var stored []uintptr
	for _, p := range written {
		if p == e.witness {
			e.seen = true
		} else {
			stored = append(stored, p)
		}
	}
	if len(stored) > 0 {
		return property.Stores.Broken("stores to the pages %#x", stored)
	}
	return nil
}

// close inspects for the last time, compares the bytes, and closes the oracle. The threads
// have ended.
func (e *estate) close() error {
	err := e.inspect()
	for p, was := range e.pages {
		property.Disclaim(p)
		if !bytes.Equal(pageAt(p), was) {
			err = errors.Join(err, property.Headers.Broken("the bytes of page %#x have changed", p))
		}
	}
	return errors.Join(err, e.oracle.Close())
}

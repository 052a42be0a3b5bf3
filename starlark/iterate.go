package starlark

import (
	"errors"
	"fmt"
	"unicode/utf8"

	rt "github.com/ichor-go/ichor/runtime"
)

// An iterator is one of those that a thread has open. They end in the reverse order.
type iterator struct {
	v    Value // the iterable, with a count
	kind kind
	mode uint32
	i    int // the next item, or value of a range
	n    int // items that are left, of a range
	step int
	host HostIterator
}

// iteratorSize is the size of an iterator, at least.
const iteratorSize = 88

// keptIterators is how many iterators a thread keeps room for without counting it.
const keptIterators = 1 << 10

// errStop ends Thread.each without an error.
var errStop = errors.New("stop")

// iterate opens an iterator over v, and reports whether v is iterable. It borrows v.
func (th *Thread) iterate(v Value) bool {
	it := iterator{kind: th.kind(v)}
	switch it.kind {
	case kRange:
		r := th.rangeOf(v)
		it.i, it.n, it.step = r.start, r.len, r.step
		th.its = append(th.its, it)
		return true
	case kList, kTuple, kDict, kSet:
	case kElems:
		_, it.mode = th.elemsOf(v)
	case kHost:
		h, ok := th.host(v).(HostIterable)
		if !ok {
			return false
		}
		it.host = h.Iterate(th)
	default:
		return false
	}
	it.v = th.dup(v)
	th.its = append(th.its, it)
	return true
}

// iterateRange opens an iterator over a range that is no object.
func (th *Thread) iterateRange(start, stop, step int) {
	th.its = append(th.its, iterator{kind: kRange, i: start, n: lengthOfRange(start, stop, step), step: step})
}

// iterates reports whether the thread has an open iterator over the container r.
func (th *Thread) iterates(r rt.Ref) bool {
	for i := range th.its {
		if th.its[i].v.ref() == r && th.its[i].v != 0 {
			return true
		}
	}
	return false
}

// endIterators closes all iterators but the first n.
func (th *Thread) endIterators(n int) {
	for len(th.its) > n {
		it := &th.its[len(th.its)-1]
		th.drop(it.v)
		if it.host != nil {
			it.host.Done()
		}
		*it = iterator{}
		th.its = th.its[:len(th.its)-1]
	}
}

// next returns the next value of an open iterator with a count of its own, or 0 at the end.
func (th *Thread) next(at int) (Value, error) {
	it := &th.its[at]
	switch it.kind {
	case kRange:
		if it.n == 0 {
			return 0, nil
		}
		it.n--
		v := it.i
		it.i += it.step
		return th.newInt(int64(v))
	case kList:
		r := th.listSlot(it.v, it.i)
		if r.IsNil() {
			return 0, nil
		}
		it.i++
		return th.load(r), nil
	case kTuple:
		if it.i >= th.tupleLen(it.v) {
			return 0, nil
		}
		it.i++
		return th.load(th.t.Body(it.v.ref()).Ref(tupleSlots + it.i - 1)), nil
	case kDict, kSet:
		k, _, next := th.tableNext(it.v, it.i)
		it.i = next
		return th.dup(k), nil
	case kElems:
		text, _ := th.elemsOf(it.v)
		s := th.text(text)[it.i:]
		if s == "" {
			return 0, nil
		}
		switch it.mode {
		case elemStrings:
			it.i++
			return th.m.chars[s[0]], nil
		case elemOrds, byteInts:
			it.i++
			return mkInt(int64(s[0])), nil
		}
		r, n := utf8.DecodeRuneInString(s)
		it.i += n
		if it.mode == pointOrds {
			return mkInt(int64(r)), nil
		}
		return th.newString(string(r))
	}
	return it.host.Next(th)
}

// each calls f with each item of an iterable, which is borrowed and good during the call. If f
// returns errStop, each ends.
func (th *Thread) each(v Value, f func(x Value) error) error {
	n := len(th.its)
	if !th.iterate(v) {
		return fmt.Errorf("%s value is not iterable", th.typeName(v))
	}
	defer th.endIterators(n)
	for {
		if err := th.step(); err != nil {
			return err
		}
		x, err := th.next(n)
		if x == 0 || err != nil {
			return err
		}
		err = f(x)
		th.drop(x)
		if err == errStop {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// iterable reports whether v can be iterated.
func (th *Thread) iterable(v Value) bool {
	switch th.kind(v) {
	case kRange, kList, kTuple, kDict, kSet, kElems:
		return true
	case kHost:
		_, ok := th.host(v).(HostIterable)
		return ok
	}
	return false
}

package objects

import (
	"math"

	rt "github.com/ichor-go/ichor/runtime"
)

// sameKey reports whether two keys with the same hash are equal.
func sameKey(t *rt.Thread, a, b rt.Ref) bool {
	same, _ := compareKeys(t, a, b, math.MaxInt)
	return same
}

// compareKeys is sameKey with bounded work. After looking at more than most pairs of
// references it gives up and returns false. looks is the number of pairs that it has looked
// at.
func compareKeys(t *rt.Thread, a, b rt.Ref, most int) (same bool, looks int) {
	if a == b {
		return true, 0
	}
	if a.IsInt() || b.IsInt() {
		return false, 0 // equal small integers are the same reference
	}
	kind := t.Kind(a)
	if kind != t.Kind(b) {
		return false, 1
	}
	oa, ob := t.Body(a), t.Body(b)
	switch kind {
	case rt.TypeString, rt.TypeNumber, rt.TypeBytes:
		return textOf(oa) == textOf(ob), 1
	case rt.TypeInt:
		return oa.Uint64(0) == ob.Uint64(0), 1
	case rt.TypeFloat:
		x, _, _ := t.Float(a)
		y, _, _ := t.Float(b)
		return x == y || math.Float64bits(x) == math.Float64bits(y), 1
	case rt.TypeTuple:
		return compareTuples(t, a, b, most)
	}
	return false, 1
}

// classesFrom is the number of looks after which compareTuples begins to note which objects
// it assumes to be equal. Hardly any key needs as many. A guess.
const classesFrom = 32

// compareTuples is compareKeys for two tuples. It keeps the pairs that remain to be
// compared in a list, so deep nesting needs no deep stack. Tuples may share parts, so the
// number of paths to the parts can be much larger than the number of parts. Therefore,
// after the first looks, the two objects of a pair are put in one class before they are
// compared, and a pair within one class is not compared again: if its objects differ, a
// comparison has found that, or will find it. Each comparison joins two classes. So there
// are fewer comparisons than objects, and fewer looks than slots in all these objects.
func compareTuples(t *rt.Thread, a, b rt.Ref, most int) (same bool, looks int) {
	type pair struct{ a, b rt.Ref }
	var equal classes
	again := func(x, y rt.Ref) bool { return looks > classesFrom && !equal.join(x.Handle, y.Handle) }
	for work := []pair{{a, b}}; len(work) > 0; {
		p := work[len(work)-1]
		work = work[:len(work)-1]
		if again(p.a, p.b) {
			continue
		}
		oa, ob := t.Body(p.a), t.Body(p.b)
		n := int(oa.Word(tupleLen))
		if n != int(ob.Word(tupleLen)) || tupleHashOf(t, p.a, oa) != tupleHashOf(t, p.b, ob) {
			return false, looks
		}
		for i := range n {
			if looks++; looks > most {
				return false, looks
			}
			x, y := t.Slot(p.a, oa, tupleSlots+i), t.Slot(p.b, ob, tupleSlots+i)
			switch {
			case x == y:
			case isTuple(t, x) && isTuple(t, y):
				work = append(work, pair{x, y})
			case x.IsInt() || y.IsInt():
				return false, looks
			case again(x, y):
			default:
				if same, _ := compareKeys(t, x, y, 1); !same {
					return false, looks
				}
			}
		}
	}
	return true, looks
}

// classes are disjoint sets of objects, as a union-find structure: each object maps to
// another member of its set, up to the one that represents the set.
type classes map[rt.Handle]rt.Handle

// join merges the classes of x and y, and reports whether they were different.
func (c *classes) join(x, y rt.Handle) bool {
	if *c == nil {
		*c = make(classes)
	}
	x, y = c.find(x), c.find(y)
	if x == y {
		return false
	}
	(*c)[x] = y
	return true
}

func (c classes) find(x rt.Handle) rt.Handle {
	for {
		up, ok := c[x]
		if !ok {
			return x
		}
		if further, ok := c[up]; ok {
			c[x] = further // halves the path
		}
		x = up
	}
}

func isTuple(t *rt.Thread, r rt.Ref) bool {
	_, ok := t.Object(r, rt.TypeTuple)
	return ok
}

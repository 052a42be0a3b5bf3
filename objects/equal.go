package objects

import rt "github.com/ichor-go/ichor/runtime"

// Equal reports whether a and b are the same object, or of the same kind and equal.
// Numbers, strings and bytes are equal as keys are, so 1 and 1.0 differ. Tuples and lists
// are equal if their items are, in order. Dicts are equal if they have equal keys with
// equal values, in any order. Records of one type are equal if their fields are. All other
// objects are equal only to themselves.
//
// Graphs may have cycles: a pair whose comparison is in progress counts as equal. The time
// is proportional to the size of both graphs, with a lookup for each entry of a dict,
// however many paths lead to an object. Deep nesting takes no stack. Equal reaches no safe
// point. While other threads write to the graphs, it sees some state of each slot. a and b
// are borrowed. Attached thread.
func Equal(t *rt.Thread, a, b rt.Ref) bool {
	c := comparison{t: t}
	for equal := c.pair(a, b); equal; {
		n := len(c.open) - 1
		if n < 0 {
			return true
		}
		p := c.open[n]
		c.open = c.open[:n]
		equal = c.contents(p)
	}
	return false
}

// comparison is an Equal in progress. As in compareTuples, the pairs that remain to be
// compared are in a list, and after the first looks, objects are put in one class before
// they are compared.
type comparison struct {
	t     *rt.Thread
	open  []containers // pairs that remain to be compared
	looks int
	equal classes
	dict  []rt.Ref // entries of the dict that is being compared, borrowed
}

// containers are two containers of the same kind.
type containers struct {
	a, b rt.Ref
	kind rt.TypeID
}

// pair reports whether x and y can be equal. If they are containers, it adds them to open,
// and they are equal if everything in open is.
func (c *comparison) pair(x, y rt.Ref) bool {
	if x == y {
		return true
	}
	if x.IsNil() || y.IsNil() || x.IsInt() || y.IsInt() {
		return false // equal small integers are the same reference
	}
	kind := c.t.Kind(x)
	if kind != c.t.Kind(y) {
		return false
	}
	if c.looks++; c.looks > classesFrom && !c.equal.join(x.Handle, y.Handle) {
		return true // if they differ, a comparison has found that, or will
	}
	switch kind {
	case rt.TypeTuple, rt.TypeList, rt.TypeDict:
	case rt.TypeInt, rt.TypeFloat, rt.TypeNumber, rt.TypeString, rt.TypeBytes:
		return sameKey(c.t, x, y)
	default:
		if recordTypeAt(kind) == nil {
			return false
		}
	}
	c.open = append(c.open, containers{x, y, kind})
	return true
}

// contents is pair for the contents of two containers.
func (c *comparison) contents(p containers) bool {
	t := c.t
	switch p.kind {
	case rt.TypeTuple:
		a, b := Tuple(p.a), Tuple(p.b)
		x, y := t.Body(a).Load(tupleHash), t.Body(b).Load(tupleHash)
		if x != y && x != 0 && y != 0 {
			return false // equal items have equal hashes
		}
		return c.items(a.Len(t), b.Len(t), a.At, b.At)
	case rt.TypeList:
		a, b := List(p.a), List(p.b)
		return c.items(a.Len(t), b.Len(t), a.At, b.At)
	case rt.TypeDict:
		return c.entries(Dict(p.a), Dict(p.b))
	}
	n := len(recordTypeAt(p.kind).fields)
	return c.items(n, n, Record(p.a).At, Record(p.b).At)
}

// items is pair for each of n items. It fails if n and m differ.
func (c *comparison) items(n, m int, a, b func(t *rt.Thread, i int) (rt.Ref, bool)) bool {
	if n != m {
		return false
	}
	for i := range n {
		x, _ := a(c.t, i) // Nil, which equals no item, if a list has become shorter
		y, ok := b(c.t, i)
		if !ok || !c.pair(x, y) {
			return false
		}
	}
	return true
}

// entries is pair for each value of a and the value of the same key in b.
func (c *comparison) entries(a, b Dict) bool {
	c.dict = a.appendBorrowed(c.t, c.dict[:0])
	if len(c.dict) != 2*b.Len(c.t) {
		return false
	}
	for i := 0; i < len(c.dict); i += 2 {
		y, ok := b.Lookup(c.t, c.dict[i])
		if !ok || !c.pair(c.dict[i+1], y) {
			return false
		}
	}
	return true
}

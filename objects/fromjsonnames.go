package objects

import (
	"hash/maphash"

	rt "github.com/ichor-go/ichor/runtime"
)

// jsonNames has the names of the members of a document. A document has few different names,
// and most of them many times. So a name is interned once, and found here from then on.
//
// jsonNames also finds out whether an object has a name twice. Each container has a number,
// and each name keeps the number of the object that had it last.
//
//	63 ................................. 16  15 ........ 0
//	how many containers have begun so far    depth
//
// If an object has a name that an object around it has too, the name's old number comes back
// when the inner one ends. Two objects that are open at the same time differ in depth. So
// only a number of a lower depth has to come back.
//
// The document keeps its names alive: jsonNames holds no counts. The hash has a secret seed,
// because the names come from outside.
type jsonNames struct {
	seed  maphash.Seed
	table []uint64 // hash << 32 | index in names + 1; 0 for a free place
	names []jsonName
	begun uint64    // the number of the last container
	old   []jsonOld // numbers that come back
}

type jsonName struct {
	ref rt.Ref
	in  uint64 // the object that had the name last
}

type jsonOld struct {
	name uint32 // index in names
	in   uint64
}

const (
	jsonDepthBits = 16
	jsonDepth     = 1<<jsonDepthBits - 1

	// namesAtFirst is the size of the smallest table, and namesKept the number of names in the
	// largest one that is kept for the next document. Guesses.
	namesAtFirst = 64
	namesKept    = 512
)

func newJSONNames() jsonNames {
	return jsonNames{seed: maphash.MakeSeed(), table: make([]uint64, namesAtFirst)}
}

// container returns the number of a new container.
func (n *jsonNames) container(depth int) uint64 {
	n.begun = (n.begun|jsonDepth)&^jsonDepth + 1<<jsonDepthBits | uint64(depth)
	return n.begun
}

// reference returns a new reference to the name with the given text, which the object in has
// now. again says that it had the name already.
func (n *jsonNames) reference(t *rt.Thread, in uint64, text []byte) (r rt.Ref, again bool, err error) {
	h := uint32(maphash.Bytes(n.seed, text))
	i := n.place(h)
	for ; n.table[i] != 0; i = n.behind(i) {
		p := n.table[i]
		if uint32(p>>32) != h {
			continue
		}
		at := uint32(p) - 1
		x := &n.names[at]
		if textOf(t.Body(x.ref)) != string(text) {
			continue
		}
		if x.in == in {
			return rt.Nil, true, nil
		}
		if x.in&jsonDepth < in&jsonDepth {
			n.old = append(n.old, jsonOld{at, x.in})
		}
		x.in = in
		t.IncRef(x.ref)
		return x.ref, false, nil
	}
	if r, err = intern(t, text); err != nil {
		return rt.Nil, false, err
	}
	n.names = append(n.names, jsonName{r, in})
	n.table[i] = uint64(h)<<32 | uint64(len(n.names))
	if 2*len(n.names) > len(n.table) {
		n.grow()
	}
	return r, false, nil
}

// place returns the place of the table where a search for the hash h begins, and behind the
// one after place i.
func (n *jsonNames) place(h uint32) int { return int(h) & (len(n.table) - 1) }
func (n *jsonNames) behind(i int) int   { return (i + 1) & (len(n.table) - 1) }

func (n *jsonNames) grow() {
	full := n.table
	n.table = make([]uint64, 2*len(full))
	for _, p := range full {
		if p != 0 {
			i := n.place(uint32(p >> 32))
			for n.table[i] != 0 {
				i = n.behind(i)
			}
			n.table[i] = p
		}
	}
}

// leave ends the object that began when there were so many old numbers.
func (n *jsonNames) leave(old int) {
	for _, x := range n.old[old:] {
		n.names[x.name].in = x.in
	}
	n.old = n.old[:old]
}

// forget makes n ready for the next document.
func (n *jsonNames) forget() {
	if len(n.names) > namesKept {
		*n = newJSONNames()
		return
	}
	clear(n.table)
	n.names, n.old = n.names[:0], n.old[:0]
}

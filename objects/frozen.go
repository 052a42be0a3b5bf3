package objects

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/ichor-go/ichor/internal/mutant"
	rt "github.com/ichor-go/ichor/runtime"
)

// The bodies of frozen objects. docs/images.md describes the rest of the format.
//
//	String, Bytes, Number, Int, Tuple, Record   as in objects that are not frozen
//	Float                                       likewise: a header alone
//	List                                        0  length
//	                                            1  items
//	Dict                                        see frozendict.go
//
// A frozen List has its items in its body, where other lists have the reference to a block.
// That saves a reader one cache miss, and a short list half of its memory.
const (
	frozenLength = 0
	frozenSlots  = 1
)

// frozenLen returns the length of a frozen List or Dict; 0 if r is of another kind.
func frozenLen(t *rt.Thread, r rt.Ref, kind rt.TypeID) int {
	o, ok := t.Object(r, kind)
	if !ok {
		return 0
	}
	return int(o.Word(frozenLength))
}

// frozenItem is List.At for a frozen list.
func frozenItem(t *rt.Thread, r rt.Ref, i int) (rt.Ref, bool) {
	o, ok := t.Object(r, rt.TypeList)
	if !ok || uint(i) >= uint(o.Word(frozenLength)) {
		return rt.Nil, false
	}
	if mutant.On && mutant.Is(mutant.FrozenWritten) {
		o.Store(frozenLength, o.Word(frozenLength)) // atomic, because the compiler drops a plain store of a value that was just loaded
	}
	return t.Slot(r, o, frozenSlots+i), true
}

// frozenItems returns the items of a frozen List, as references relative to home.
func frozenItems(t *rt.Thread, r rt.Ref) (home rt.Home, items []rt.Ref) {
	o := t.Body(r)
	return t.Home(r), o.Refs(frozenSlots, int(o.Word(frozenLength)))
}

// appendFrozenItems appends the items of the frozen object r to dst; none if r is not a
// List.
func appendFrozenItems(t *rt.Thread, dst []rt.Ref, r rt.Ref) []rt.Ref {
	if _, ok := t.Object(r, rt.TypeList); !ok {
		return dst
	}
	home, items := frozenItems(t, r)
	dst = slices.Grow(dst, len(items))
	for _, x := range items {
		dst = append(dst, home.Ref(x))
	}
	return dst
}

var listFreezing = rt.Freezing{
	Layout:  "length, items",
	Copy:    copyList,
	Version: func(_ rt.Heap, o rt.Body) uint64 { return uint64(o.Load(boxVersion)) },
	Check: func(k *rt.Check) error {
		n, err := checkedLength(k, frozenSlots)
		if err == nil {
			err = k.Exactly(4 * (frozenSlots + n))
		}
		if err == nil {
			err = k.Slots(frozenSlots, n)
		}
		return err
	},
	Label: func(_ *rt.Thread, _ rt.Ref, i int) string { return fmt.Sprintf("[%d]", i) },
}

func copyList(c *rt.Copy) error {
	t := c.Thread()
	r, o := c.Source()
	if r.IsFrozen() {
		home, items := frozenItems(t, r)
		return copyItems(c, len(items), func(i int) rt.Ref { return home.Ref(items[i]) })
	}
	lockToRead(t, o)
	defer unlock(t, o)
	b := openList(t, o)
	return copyItems(c, b.len(), func(i int) rt.Ref { return b.LoadRef(b.slot(i)) })
}

func copyItems(c *rt.Copy, n int, at func(i int) rt.Ref) error {
	to, err := c.Alloc(4 * (frozenSlots + n))
	if err != nil {
		return err
	}
	to.SetWord(frozenLength, uint32(n))
	for i := range n {
		c.Slot(frozenSlots+i, at(i))
	}
	return nil
}

// checkedLength returns the length in word 0 of a body. It fails if that many words do not
// fit after the first ones.
func checkedLength(k *rt.Check, first int) (int, error) {
	if k.Bytes() < 4*first {
		return 0, fmt.Errorf("a body of %d bytes", k.Bytes())
	}
	n := k.Body().Word(0)
	if uint64(n) > uint64(k.Bytes()/4-first) {
		return 0, fmt.Errorf("length %d in a body of %d bytes", n, k.Bytes())
	}
	return int(n), nil
}

var tupleFreezing = rt.Freezing{
	Layout: "length, hash, items",
	Copy:   rt.CopySlots,
	Hash:   func(o rt.Body) uint32 { return o.Load(tupleHash) },
	Check: func(k *rt.Check) error {
		n, err := checkedLength(k, tupleSlots)
		if err == nil && n == 0 {
			err = errors.New("an empty tuple that is not the singleton")
		}
		if err == nil {
			err = k.Exactly(4 * (tupleSlots + n))
		}
		if err == nil {
			err = k.Slots(tupleSlots, n)
		}
		return err
	},
	CheckDeep: func(k *rt.Check) error {
		h := uint32(tupleMark)
		for i := range int(k.Body().Word(tupleLen)) {
			x, ok := hashOfKey(k, k.Ref(tupleSlots+i))
			if !ok {
				h = 0
				break
			}
			h = addHash(h, x)
		}
		if h != k.Body().Word(tupleHash) && !(mutant.On && mutant.Is(mutant.HashUnchecked)) {
			return errors.New("its hash is wrong")
		}
		return nil
	},
	Label: func(_ *rt.Thread, _ rt.Ref, i int) string { return fmt.Sprintf("[%d]", i) },
}

// recordFreezing returns the Freezing of records with the given fields. Writers of records
// take no lock.
func recordFreezing(fields []string) *rt.Freezing {
	quoted := make([]string, len(fields))
	for i, f := range fields {
		quoted[i] = strconv.Quote(f)
	}
	n := len(fields)
	return &rt.Freezing{
		Layout:   "record: version, " + strings.Join(quoted, ", "),
		Copy:     copyRecord,
		Version:  func(_ rt.Heap, o rt.Body) uint64 { return uint64(o.Load(recordVersion)) },
		Lockless: true,
		Check: func(k *rt.Check) error {
			err := k.Exactly(4 * (recordSlots + n))
			if err == nil && k.Body().Word(recordVersion) != 0 {
				err = errors.New("its version is not zero")
			}
			if err == nil {
				err = k.Slots(recordSlots, n)
			}
			return err
		},
		Label: func(_ *rt.Thread, _ rt.Ref, i int) string { return label(fields[i]) },
	}
}

// copyRecord copies a record without its version.
func copyRecord(c *rt.Copy) error {
	err := rt.CopySlots(c)
	if err == nil && !(mutant.On && mutant.Is(mutant.VersionFrozen)) {
		c.Body().SetWord(recordVersion, 0)
	}
	return err
}

// label returns the name of a field or a key in a path: .x, or ["x y"].
func label(name string) string {
	for i, r := range name {
		if r != '_' && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (i == 0 || r < '0' || r > '9') {
			return "[" + strconv.Quote(name) + "]"
		}
	}
	return "." + name
}

var intFreezing = rt.Freezing{
	Layout: "64 bits",
	Copy:   rt.CopyBody(8),
	Check: func(k *rt.Check) error {
		if err := k.Exactly(8); err != nil {
			return err
		}
		if _, small := rt.Int(int64(k.Body().Uint64(0))); small {
			return errors.New("its value fits in a reference")
		}
		return nil
	},
}

var floatFreezing = rt.Freezing{
	Layout: "none: note, number in the header",
	Copy:   func(*rt.Copy) error { return errors.New("a float is copied by its header") },
	Check: func(k *rt.Check) error {
		v, note, _ := k.Reader().Float(k.Object())
		if f := floatFormatting(note); f != shortest && (!f.valid() || math.IsNaN(v) || math.IsInf(v, 0)) {
			return fmt.Errorf("its format is unknown: %#x", note)
		}
		return nil
	},
}

// textFreezing returns the Freezing of String, Bytes or Number. check validates a text and
// returns its hash.
func textFreezing(check func(text []byte) (hash uint32, err error)) *rt.Freezing {
	return &rt.Freezing{
		Layout: "xxHash64 with seed 0, folded; length, bytes",
		Copy: func(c *rt.Copy) error {
			_, o := c.Source()
			n := int(o.Word(textLen))
			to, err := c.Alloc(4*textBytes + n)
			if err == nil {
				to.SetWord(textHash, o.Load(textHash))
				to.SetWord(textLen, uint32(n))
				copy(to.Bytes(textBytes, n), o.Bytes(textBytes, n))
			}
			return err
		},
		Check: func(k *rt.Check) error {
			o := k.Body()
			if k.Bytes() < 4*textBytes || uint64(o.Word(textLen)) > uint64(k.Bytes()-4*textBytes) {
				return fmt.Errorf("a text in a body of %d bytes", k.Bytes())
			}
			n := int(o.Word(textLen))
			if err := k.Exactly(4*textBytes + n); err != nil {
				return err
			}
			if n == 0 {
				return errors.New("an empty text that is not the singleton")
			}
			hash, err := check(o.Bytes(textBytes, n))
			if err == nil && hash != o.Word(textHash) {
				err = errors.New("its hash is wrong")
			}
			return err
		},
	}
}

func checkString(b []byte) (uint32, error) {
	if !utf8.Valid(b) {
		return 0, errors.New("it is not valid UTF-8")
	}
	return fold(hashText(b)), nil
}

func checkBytes(b []byte) (uint32, error) { return fold(hashText(b)) ^ bytesMark, nil }

// checkNumber ensures that JSON with the number in it is valid JSON.
func checkNumber(b []byte) (uint32, error) {
	if !isJSONNumber(b) {
		return 0, errors.New("it is not a JSON number")
	}
	return fold(hashText(b)), nil
}

// isJSONNumber reports whether b is a JSON number (RFC 8259, section 6).
func isJSONNumber(b []byte) bool {
	digits := func() bool {
		rest := bytes.TrimLeft(b, "0123456789")
		ok := len(rest) < len(b)
		b = rest
		return ok
	}
	b = bytes.TrimPrefix(b, []byte("-"))
	leading := len(b) > 1 && b[0] == '0' && b[1] >= '0' && b[1] <= '9'
	if leading || !digits() {
		return false
	}
	if len(b) > 0 && b[0] == '.' {
		if b = b[1:]; !digits() {
			return false
		}
	}
	if len(b) > 0 && (b[0] == 'e' || b[0] == 'E') {
		b = b[1:]
		if len(b) > 0 && (b[0] == '+' || b[0] == '-') {
			b = b[1:]
		}
		if !digits() {
			return false
		}
	}
	return len(b) == 0
}

package objects

import (
	"bytes"
	"math"
	"slices"
	"testing"

	rt "github.com/ichor-go/ichor/runtime"
)

// TestImageKindsAreChecked: for each kind, an object with one defect is refused for that
// defect.
func TestImageKindsAreChecked(t *testing.T) {
	const (
		text, byteText, number = uint32(rt.TypeString), uint32(rt.TypeBytes), uint32(rt.TypeNumber)
		list, dict, boxed      = uint32(rt.TypeList), uint32(rt.TypeDict), uint32(rt.TypeInt)
		nowhere                = forgedSelf + 1<<20
	)
	hashOf := func(s string) uint32 { return fold(hashText([]byte(s))) }
	none := addHash(tupleMark, fold(mix(uint64(rt.None.Handle))))
	hostile(t, func(r *rt.Runtime, empty func() *forgery) {
		for _, c := range []struct {
			what string
			want string // "" if it is accepted
			meta uint32
			body []uint32
		}{
			{"a tuple", "", forgedTuple, []uint32{1, none, forgedNone}},
			{"a tuple without a length", "a body of 0 bytes", forgedTuple, nil},
			{"a tuple longer than its body", "length 3 in a body of 16 bytes", forgedTuple, []uint32{3, none, forgedNone}},
			{"a tuple shorter than its body", "a body of 12 bytes in a space of 32", forgedTuple, []uint32{1, none, forgedNone, 0, 0}},
			{"an empty tuple", "an empty tuple that is not the singleton", forgedTuple, []uint32{0, tupleMark, 0, 0}},
			{"a tuple with a reference to nothing", "word 2", forgedTuple, []uint32{1, 0, nowhere}},
			{"a tuple with another hash", "its hash is wrong", forgedTuple, []uint32{1, none + 1, forgedNone}},
			{"a tuple that is marked as unhashable", "its hash is wrong", forgedTuple, []uint32{1, 0, forgedNone}},
			{"a list", "", list, []uint32{3, forgedNone, forgedNone, forgedNone}},
			{"a list longer than its body", "length 4 in a body of 16 bytes", list, []uint32{4, forgedNone, forgedNone, forgedNone}},
			{"a list shorter than its body", "a body of 12 bytes in a space of 32", list, []uint32{2, forgedNone, forgedNone, 0, 0}},
			{"a list with a reference to nothing", "word 1", list, []uint32{1, nowhere}},
			{"a list with a nil reference", "word 1", list, []uint32{1, 0}},
			{"an empty dict", "", dict, []uint32{0, 0}},
			{"a dict longer than its body", "length 5 in a body of 16 bytes", dict, []uint32{5, 0, 0, 0}},
			{"a dict shorter than its body", "a body of 20 bytes in a space of 48", dict, []uint32{1, 0, hashInt(1), uint32(smallInt(1).Handle), forgedNone, 0, 0, 0, 0}},
			{"a dict of another form", "an index of form 0x1, which does not fit 1 entries", dict, []uint32{1, 1, hashInt(1), uint32(smallInt(1).Handle), forgedNone}},
			{"a keyed dict of bytes", "an index of form 0x100, which does not fit 0 entries", dict, []uint32{0, frozenKeyed, 1, 2, 3, 4}},
			{"a dict with a value that refers to nothing", "word 4", dict, []uint32{1, 0, hashInt(1), uint32(smallInt(1).Handle), nowhere}},
			{"a dict with a key that refers to nothing", "word 3", dict, []uint32{1, 0, hashInt(1), nowhere, forgedNone}},
			{"a dict with another hash", "entry 0 does not have the hash of its key", dict, []uint32{1, 0, hashInt(2), uint32(smallInt(1).Handle), forgedNone}},
			{"a dict with one key twice", "entries 0 and 1 have the same key", dict,
				[]uint32{2, 0, hashInt(1), uint32(smallInt(1).Handle), forgedNone, hashInt(1), uint32(smallInt(1).Handle), forgedNone}},
			{"a dict in itself", "entry 0 has an invalid key", dict, []uint32{1, 0, 0, forgedSelf, forgedNone}},
			{"an int", "", boxed, []uint32{0, 1}},
			{"an int that fits a reference", "its value fits in a reference", boxed, []uint32{7, 0}},
			{"a long int", "a body of 8 bytes in a space of 32", boxed, []uint32{0, 1, 0, 0, 0}},
			{"a string", "", text, []uint32{hashOf("abc"), 3, wordOf("abc")}},
			{"a string with another hash", "its hash is wrong", text, []uint32{hashOf("abc") + 1, 3, wordOf("abc")}},
			{"a string without a length", "a text in a body of 0 bytes", text, nil},
			{"a string longer than its body", "a text in a body of 16 bytes", text, []uint32{hashOf("abc"), 9, wordOf("abc")}},
			{"a string shorter than its body", "a body of 11 bytes in a space of 32", text, []uint32{hashOf("abc"), 3, wordOf("abc"), 0, 0}},
			{"an empty string", "an empty text that is not the singleton", text, []uint32{hashOf(""), 0}},
			{"a string that is not UTF-8", "it is not valid UTF-8", text, []uint32{hashOf("\xff"), 1, wordOf("\xff")}},
			{"bytes", "", byteText, []uint32{hashOf("\xff") ^ bytesMark, 1, wordOf("\xff")}},
			{"bytes with a string's hash", "its hash is wrong", byteText, []uint32{hashOf("abc"), 3, wordOf("abc")}},
			{"a number", "", number, []uint32{hashOf("-1e9"), 4, wordOf("-1e9")}},
			{"a number that is not one", "it is not a JSON number", number, []uint32{hashOf("-1e"), 3, wordOf("-1e")}},
			{"a number with another hash", "its hash is wrong", number, []uint32{hashOf("-1e9") + 1, 4, wordOf("-1e9")}},
		} {
			m := empty()
			m.root = m.next()
			m.add(c.meta, c.body...)
			if c.want != "" {
				refuse(t, r, c.what, bytes.NewReader(m.image()), c.want)
				continue
			}
			accept(t, r, c.what, m.image(), func(*rt.Thread, rt.Ref) {})
		}
	})
}

func wordOf(s string) (w uint32) {
	for i := range len(s) {
		w |= uint32(s[i]) << (8 * i)
	}
	return w
}

// TestImageRecordsAreChecked: a record in an image has version 0, and its fields are
// objects.
func TestImageRecordsAreChecked(t *testing.T) {
	image := imageOf(t, func(th *rt.Thread) rt.Ref {
		return must(imagePoint.New(th, slices.Repeat([]rt.Ref{rt.True}, len(imagePoint.Fields()))...))
	})
	withRuntime(t, rt.Options{AddressSpace: smallSpace}, func(r *rt.Runtime) {
		for what, c := range map[string]struct {
			at   int
			v    uint32
			want string
		}{
			"a version":                        {recordVersion, 2, "its version is not zero"},
			"a field with a nil reference":     {recordSlots, 0, "word 1"},
			"a field that refers to nothing":   {recordSlots, forgedSelf + 77, "word 1"},
			"the last field refers to nothing": {len(imagePoint.Fields()), forgedSelf + 77, "word 2"},
			"nothing":                          {recordVersion, 0, ""},
		} {
			m := forge(image)
			m.words[forgedHeader+c.at] = c.v
			if c.want != "" {
				refuse(t, r, what, bytes.NewReader(m.image()), c.want)
				continue
			}
			accept(t, r, what, m.image(), func(*rt.Thread, rt.Ref) {})
		}
	})
}

// TestJSONNumbers: which texts are JSON numbers (RFC 8259, section 6).
func TestJSONNumbers(t *testing.T) {
	for _, s := range []string{"0", "-0", "7", "-12", "0.5", "10.25", "1e5", "1E5", "1e+5", "1e-05", "-1.5E+10", "0e0", "0.0e-0", "123456789012345678901234567890"} {
		if !isJSONNumber([]byte(s)) {
			t.Errorf("%s is not a JSON number", s)
		}
		if _, err := checkNumber([]byte(s)); err != nil {
			t.Error(err)
		}
	}
	for _, s := range []string{"", "-", "+1", "--1", "01", "-01", "00", ".5", "-.5", "1.", "1.e5", "1e", "1e+", "1E-", "1e+-5", "1e5.0", "e5", "1 ", " 1", "1x", "0x1", "1_0", "1,0", "Inf", "NaN", "-e1", "1.5.5", "1ee5", "1e5e5"} {
		if isJSONNumber([]byte(s)) {
			t.Errorf("%q is a JSON number", s)
		}
	}
}

// TestImageDictIsCheckedOnce: the keys of a dict are checked once. If all are leaves, Check
// checks everything.
func TestImageDictIsCheckedOnce(t *testing.T) {
	was := dictFreezing.CheckDeep
	defer func() { dictFreezing.CheckDeep = was }()
	deep := 0
	dictFreezing.CheckDeep = func(k *rt.Check) error {
		deep++
		return was(k)
	}
	hostile(t, func(r *rt.Runtime, empty func() *forgery) {
		for want, build := range []func(m *forgery){
			func(m *forgery) { m.root = m.dict(uint32(smallInt(1).Handle), m.text("abc")) },
			func(m *forgery) { m.root = m.dict(uint32(smallInt(1).Handle), m.tuple(forgedNone)) },
		} {
			m := empty()
			build(m)
			deep = 0
			accept(t, r, "a dict", m.image(), func(*rt.Thread, rt.Ref) {})
			if deep != want {
				t.Errorf("checked %d times once more, want %d", deep, want)
			}
		}
	})
}

// TestImageKeysOfOneHash: keys of one hash are told apart by their contents, whatever their
// kinds.
func TestImageKeysOfOneHash(t *testing.T) {
	hostile(t, func(r *rt.Runtime, empty func() *forgery) {
		numbers := colliding(3)
		floats := unhash(2, floatMark, 0x1234_5678)
		for what, c := range map[string]struct {
			keys func(m *forgery) []uint32
			want string
		}{
			"ints": {func(m *forgery) []uint32 { return []uint32{m.int(numbers[0]), m.int(numbers[1])} }, ""},
			"an int and a float": {func(m *forgery) []uint32 {
				return []uint32{m.int(numbers[0]), m.float(math.Float64frombits(uint64(floats[0])))}
			}, ""},
			"floats": {func(m *forgery) []uint32 {
				return []uint32{m.float(math.Float64frombits(uint64(floats[0]))), m.float(math.Float64frombits(uint64(floats[1])))}
			}, ""},
			"equal floats": {func(m *forgery) []uint32 {
				return []uint32{m.float(0.5), m.float(0.5)}
			}, "the same key"},
			"zeros":      {func(m *forgery) []uint32 { return []uint32{m.float(0), m.float(math.Copysign(0, -1))} }, "the same key"},
			"equal ints": {func(m *forgery) []uint32 { return []uint32{m.int(numbers[0]), m.int(numbers[0])} }, "the same key"},
			"tuples": {func(m *forgery) []uint32 {
				return []uint32{
					m.tuple(uint32(smallInt(1).Handle), forgedNone, m.int(numbers[0])), m.tuple(uint32(smallInt(1).Handle), forgedNone, m.int(numbers[1])),
					m.tuple(uint32(smallInt(1).Handle), forgedNone, m.int(numbers[2])),
				}
			}, ""},
			"equal tuples": {func(m *forgery) []uint32 {
				return []uint32{m.tuple(uint32(smallInt(1).Handle), forgedNone, m.int(numbers[0])), m.tuple(uint32(smallInt(1).Handle), forgedNone, m.int(numbers[0]))}
			}, "the same key"},
			"tuples of tuples": {func(m *forgery) []uint32 {
				a, b := m.tuple(m.int(numbers[0])), m.tuple(m.int(numbers[1]))
				return []uint32{m.tuple(a, b), m.tuple(b, a), m.tuple(a, a), m.tuple(b, b)}
			}, ""},
			"equal tuples of tuples": {func(m *forgery) []uint32 {
				a, b := m.tuple(m.int(numbers[0])), m.tuple(m.int(numbers[0]))
				return []uint32{m.tuple(a, b), m.tuple(b, a)}
			}, "the same key"},
			"strings": {func(m *forgery) []uint32 { return []uint32{m.text("abc"), m.text("abc")} }, "the same key"},
		} {
			m := empty()
			keys := c.keys(m)
			m.root = m.dict(keys...)
			if c.want != "" {
				refuse(t, r, what, bytes.NewReader(m.image()), c.want)
				continue
			}
			accept(t, r, what, m.image(), func(th *rt.Thread, root rt.Ref) {
				for k, v := range Dict(root).All(th) {
					if got, _ := Dict(root).Lookup(th, k); got != v {
						t.Errorf("%s: a lookup finds the value of another key", what)
					}
				}
			})
		}
	})
}

// TestImageCrowdedToTheLimit: two equal keys are found, whether they are compared in pairs
// or by a set, and also at the limit between the two.
func TestImageCrowdedToTheLimit(t *testing.T) {
	hostile(t, func(r *rt.Runtime, empty func() *forgery) {
		for collide := 28; collide < 36; collide++ { // 32 keys of one hash take 496 comparisons, which are 8*62
			for _, twice := range []bool{false, true} {
				const n = 62
				m, keys := empty(), []uint32{}
				for _, v := range withHash(collide, 16) {
					keys = append(keys, m.int(v))
				}
				for i := collide; i < n-2; i++ { // each alone at its place
					keys = append(keys, m.int(withHash(1, uint32(20+i))[0]))
				}
				last := withHash(2, 110)
				if twice {
					last[1] = last[0]
				}
				m.root = m.dict(append(keys, m.int(last[0]), m.int(last[1]))...)
				if twice {
					refuse(t, r, "a key twice", bytes.NewReader(m.image()), "the same key")
				} else {
					accept(t, r, "no key twice", m.image(), func(*rt.Thread, rt.Ref) {})
				}
			}
		}
	})
}

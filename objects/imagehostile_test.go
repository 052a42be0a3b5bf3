package objects

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"testing"

	rt "github.com/ichor-go/ichor/runtime"
)

// hostile calls f with a runtime and a function that makes an empty forgery. In the end
// nothing of a refused image may be left.
func hostile(t *testing.T, f func(r *rt.Runtime, empty func() *forgery)) {
	t.Helper()
	image := imageOf(t, newKinds)
	withRuntime(t, rt.Options{AddressSpace: 2 * smallSpace}, func(r *rt.Runtime) {
		must0(t, r.Do(func(th *rt.Thread) error { th.DecRef(newBig(th, 1)); return nil })) // takes a span
		before := r.Memory()
		f(r, func() *forgery { return forge(image).empty() })
		after := r.Memory()
		if after.FrozenGraphs != 0 || after.Frozen != before.Frozen || after.Committed != before.Committed {
			t.Errorf("memory before: %+v\nafter: %+v", before, after)
		}
	})
}

// refuse fails unless the image is refused with an error that contains want.
func refuse(t *testing.T, r *rt.Runtime, what string, image io.ReaderAt, want string) {
	t.Helper()
	f, err := r.OpenImageAt(image)
	if err == nil {
		must0(t, r.Unload(f))
	}
	var e *rt.ImageError
	if err == nil || !errors.As(err, &e) || !strings.Contains(err.Error(), want) || len(err.Error()) > 1000 {
		t.Errorf("%s: error %.1000v, want one with %q", what, err, want)
	}
}

// accept opens the image, and calls look with its root.
func accept(t *testing.T, r *rt.Runtime, what string, image []byte, look func(th *rt.Thread, root rt.Ref)) {
	t.Helper()
	f, err := r.OpenImageAt(bytes.NewReader(image))
	if err != nil {
		t.Errorf("%s: %v", what, err)
		return
	}
	must0(t, r.Do(func(th *rt.Thread) error {
		look(th, f.Root())
		return th.Unload(f)
	}))
}

const forgedTuple = uint32(rt.TypeTuple)

var forgedNone = uint32(rt.None.Handle)

// TestImageTuplesInThemselves: no tuple is inside itself, whatever its hash. Lists may be.
func TestImageTuplesInThemselves(t *testing.T) {
	hostile(t, func(r *rt.Runtime, empty func() *forgery) {
		for _, hash := range []uint32{0, 1, 77} {
			for what, make := range map[string]func(m *forgery){
				"itself":     func(m *forgery) { m.add(forgedTuple, 1, hash, m.next()) },
				"its second": func(m *forgery) { m.add(forgedTuple, 2, hash, forgedNone, m.next()) },
				"another":    func(m *forgery) { m.add(forgedTuple, 1, hash, m.next()+2); m.add(forgedTuple, 1, 0, m.next()-2) },
				"a chain": func(m *forgery) {
					first := m.next()
					for range 1000 {
						m.add(forgedTuple, 1, hash, m.next()+2)
					}
					m.add(forgedTuple, 1, hash, first+1000)
				},
				"behind a good one": func(m *forgery) {
					m.tuple(forgedNone)
					m.add(forgedTuple, 2, hash, m.next()-2, m.next())
				},
			} {
				m := empty()
				m.root = forgedSelf
				make(m)
				refuse(t, r, what, bytes.NewReader(m.image()), "it refers back to itself")
			}
		}
		m := empty()
		m.root = m.list(forgedSelf+2, forgedSelf+4)
		m.tuple(m.root, forgedNone)
		m.tuple(forgedSelf + 2)
		accept(t, r, "by a list", m.image(), func(th *rt.Thread, root rt.Ref) { wander(th, root, map[rt.Ref]bool{}) })
	})
}

// TestImageTupleHashes: the hash of a tuple is computed from its items, at any depth and in
// any order of objects.
func TestImageTupleHashes(t *testing.T) {
	oneGoroutine(t)
	const depth = 20_000 // no check recurses
	hostile(t, func(r *rt.Runtime, empty func() *forgery) {
		for _, change := range []int{-1, 0, 1, depth / 2, depth} {
			for _, down := range []bool{true, false} {
				m := empty()
				for i := range depth {
					x := forgedNone
					if i > 0 {
						x = m.next() - 2
					}
					m.tuple(x)
				}
				m.root = m.next() - 2
				if !down { // the same, with each tuple before the one that it leads to
					for i, j := 0, len(m.words)-8; i < j; i, j = i+8, j-8 {
						for _, w := range []int{4, 5} {
							m.words[i+w], m.words[j+w] = m.words[j+w], m.words[i+w]
						}
					}
					for i := 0; i < len(m.words); i += 8 {
						m.words[i+6] = forgedSelf + uint32(i/4+2)
					}
					m.words[len(m.words)-2] = forgedNone
					m.root = forgedSelf
				}
				if change < 0 {
					accept(t, r, "a chain of tuples", m.image(), func(th *rt.Thread, root rt.Ref) {
						if n := Tuple(root).Len(th); n != 1 {
							t.Errorf("%d items", n)
						}
					})
					continue
				}
				m.words[8*min(change, depth-1)+5] ^= 1
				refuse(t, r, fmt.Sprintf("hash of tuple %d", change), bytes.NewReader(m.image()), "its hash is wrong")
			}
		}
	})
}

// TestImageForgedKeys: keys are compared only when everything that they lead to has passed
// its checks.
func TestImageForgedKeys(t *testing.T) {
	hostile(t, func(r *rt.Runtime, empty func() *forgery) {
		two := func(m *forgery, a, b uint32) { // a dict of two keys whose hashes are said to be 77
			m.root = m.add(uint32(rt.TypeDict), 2, 0, 77, a, forgedNone, 77, b, forgedNone)
		}
		for what, c := range map[string]struct {
			want string
			make func(m *forgery)
		}{
			"without an end": {"it refers back to itself", func(m *forgery) {
				two(m, forgedSelf+3, forgedSelf+5)
				for _, x := range []uint32{7, 9} {
					m.add(forgedTuple, 1, 77, forgedSelf+x)
				}
				for _, x := range []uint32{7, 9} {
					m.add(forgedTuple, 2, 0, forgedSelf+x, forgedSelf+x)
				}
			}},
			"with records": {"its hash is wrong", func(m *forgery) {
				two(m, forgedSelf+3, forgedSelf+5)
				for _, x := range []uint32{7, 9} {
					m.add(forgedTuple, 1, 77, forgedSelf+x)
				}
				for range 2 {
					m.add(forgedLocal, 0, forgedNone, forgedNone)
				}
			}},
			"records":           {"an invalid key", func(m *forgery) { x := m.add(forgedLocal, 0, forgedNone, forgedNone); two(m, x, x) }},
			"lists":             {"an invalid key", func(m *forgery) { x := m.list(forgedNone); two(m, x, x) }},
			"tuples of a list":  {"an invalid key", func(m *forgery) { x := m.tuple(m.list()); two(m, x, x) }},
			"the dict itself":   {"an invalid key", func(m *forgery) { two(m, forgedSelf, forgedSelf) }},
			"hashes":            {"does not have the hash of its key", func(m *forgery) { two(m, forgedNone, m.int(bigBase)) }},
			"tuples' hashes":    {"does not have the hash of its key", func(m *forgery) { two(m, m.tuple(forgedNone), forgedNone) }},
			"one object":        {"entries 0 and 1 have the same key", func(m *forgery) { x := m.int(bigBase); m.root = m.dict(x, x) }},
			"small integers":    {"entries 0 and 2 have the same key", func(m *forgery) { x := uint32(smallInt(7).Handle); m.root = m.dict(x, forgedNone, x) }},
			"equal integers":    {"the same key", func(m *forgery) { m.root = m.dict(m.int(bigBase), m.int(bigBase)) }},
			"equal texts":       {"the same key", func(m *forgery) { m.root = m.dict(m.text("x"), m.text("x")) }},
			"equal floats":      {"the same key", func(m *forgery) { m.root = m.dict(m.float(1.5), m.float(1.5)) }},
			"two zeros":         {"the same key", func(m *forgery) { m.root = m.dict(m.float(0), m.float(math.Copysign(0, -1))) }},
			"equal tuples":      {"the same key", func(m *forgery) { m.root = m.dict(m.tuple(m.text("x"), m.float(0)), m.tuple(m.text("x"), m.float(0))) }},
			"equal ones deeper": {"the same key", func(m *forgery) { m.root = m.dict(sharedTuples(m, 100), forgedNone, sharedTuples(m, 100)) }},
			"of many": {"the same key", func(m *forgery) {
				keys := []uint32{m.text("x"), m.tuple(m.text("x"))}
				for i := range 20 {
					keys = append(keys, m.int(bigBase+int64(i)))
				}
				m.root = m.dict(append(keys, m.tuple(m.text("x")))...)
			}},
		} {
			m := empty()
			c.make(m)
			refuse(t, r, what, bytes.NewReader(m.image()), c.want)
		}
		m := empty()
		m.root = m.dict(m.text("x"), m.float(0), m.int(bigBase), m.tuple(m.text("x")), m.tuple(m.tuple(m.text("x"))), forgedNone, uint32(smallInt(0).Handle))
		accept(t, r, "different keys", m.image(), func(th *rt.Thread, root rt.Ref) { wander(th, root, map[rt.Ref]bool{}) })
	})
}

// sharedTuples adds a tuple with the given number of levels, each of which holds the one
// below twice.
func sharedTuples(m *forgery, levels int) uint32 {
	x := m.tuple(forgedNone)
	for range levels {
		x = m.tuple(x, x)
	}
	return x
}

// TestImageSharedTuples: tuples that share parts are compared in time proportional to the
// number of objects, not of paths: equal ones, and different ones with the same hashes.
func TestImageSharedTuples(t *testing.T) {
	hostile(t, func(r *rt.Runtime, empty func() *forgery) {
		m, keys, same := empty(), []uint32{}, colliding(2)
		for _, v := range same {
			x := m.int(v)
			for range 100 {
				x = m.tuple(x, x)
			}
			keys = append(keys, x)
		}
		if a, _ := m.hash(keys[0]); true {
			if b, _ := m.hash(keys[1]); a != b {
				t.Fatal("the hashes differ")
			}
		}
		m.root = m.dict(keys...)
		accept(t, r, "different tuples", m.image(), func(*rt.Thread, rt.Ref) {})
	})
}

// TestImagePlaces: each key of a dict is at the place that its hash leads to, and nothing else
// is. Other keys with the same hash are twins, in order.
func TestImagePlaces(t *testing.T) {
	hostile(t, func(r *rt.Runtime, empty func() *forgery) {
		for _, n := range []int{linearMax + 1, 40, 300} {
			same, late := colliding(3), withHash(2, 0x9234_5678) // entry 2, with the twins 4 and 6; entry 1, with the twin 3
			made := func() (*forgery, frozenTable, []uint32) {
				m := empty()
				var keys []uint32
				for i := range n {
					key := uint32(smallInt(i).Handle)
					switch i {
					case 2, 4, 6:
						key = m.int(same[i/2-1])
					case 1, 3:
						key = m.int(late[i/2])
					}
					keys = append(keys, key)
				}
				m.root = m.dict(keys...)
				b := m.at(m.root)[forgedHeader:]
				f, ok := layoutOf(b)
				if !ok || f.twins() != 3 || f.keyIn(b, 4) != f.twin(0)+entryKey || f.keyIn(b, 6) != f.twin(1)+entryKey || f.keyIn(b, 3) != f.twin(2)+entryKey {
					t.Fatalf("%d keys: %d twins, want the entries 4, 6 and 3", n, f.twins())
				}
				return m, f, b
			}
			free := func(b []uint32, f frozenTable) uint32 { // an empty place
				for p := range f.places {
					if b[f.at(p)] == 0 {
						return p
					}
				}
				return 0
			}
			order := func(b []uint32, f frozenTable, i int) uint32 { return narrowIn(b, f.order, i, f.wide()) }
			set := func(b []uint32, f frozenTable, i int, p uint32) { setNarrowIn(b, f.order, i, f.wide(), p) }
			swap := func(b []uint32, f frozenTable, i, j int) { // their keys and values
				x, y := f.keyIn(b, i), f.keyIn(b, j)
				b[x], b[y], b[x+1], b[y+1] = b[y], b[x], b[y+1], b[x+1]
			}
			for what, c := range map[string]struct {
				want   string
				change func(b []uint32, f frozenTable)
			}{
				"too far": {"entry 5 is at place", func(b []uint32, f frozenTable) { set(b, f, 5, f.places+3) }},
				"shared":  {"as another one", func(b []uint32, f frozenTable) { set(b, f, 5, order(b, f, 7)) }},
				"left behind": {"is not empty, and no entry is there", func(b []uint32, f frozenTable) {
					p := free(b, f)
					copy(b[f.at(p):][:2], b[f.keyIn(b, 5):][:2])
					set(b, f, 5, p)
				}},
				"elsewhere": {"entry 5 is not at the place of its hash", func(b []uint32, f frozenTable) {
					w, p := f.keyIn(b, 5), free(b, f)
					copy(b[f.at(p):][:2], b[w:][:2])
					clear(b[w:][:2])
					set(b, f, 5, p)
				}},
				"exchanged": {"is not at the place of its hash", func(b []uint32, f frozenTable) { swap(b, f, 5, 7) }},
				"other pilots": {"is not at the place of its hash", func(b []uint32, f frozenTable) {
					for i := f.pilots; i < f.order; i++ {
						b[i] = ^b[i]
					}
				}},
				"not empty": {"is not empty, and no entry is there", func(b []uint32, f frozenTable) { b[f.at(free(b, f))+1] = uint32(rt.None.Handle) }},
				"grown":     {"an index of form", func(b []uint32, f frozenTable) { b[frozenPlaces] *= 2 }},
				"moved":     {"an index of form", func(b []uint32, f frozenTable) { b[frozenFirst] += 2 }},
				"buckets":   {"an index of form", func(b []uint32, f frozenTable) { b[frozenBuckets]++ }},
				"order":     {"an index of form", func(b []uint32, f frozenTable) { b[frozenOrder]-- }},
				"bits":      {"an index of form", func(b []uint32, f frozenTable) { b[frozenForm] |= 4 }},
				"no form":   {"an index of form 0x0", func(b []uint32, f frozenTable) { b[frozenForm] = 0 }},
				"many twins": {"an index of form", func(b []uint32, f frozenTable) {
					b[frozenForm] += uint32(n) << twinShift
				}},
				"a twin's hash": {"entry 6 does not have the hash of its key", func(b []uint32, f frozenTable) { b[f.twin(1)]++ }},
				"twins in disorder": {"twin 1 is not in order", func(b []uint32, f frozenTable) {
					x, y := [3]uint32(b[f.twin(0):]), [3]uint32(b[f.twin(2):])
					copy(b[f.twin(0):], y[:])
					copy(b[f.twin(2):], x[:])
					set(b, f, 3, f.places)
					set(b, f, 4, f.places+2)
				}},
				"equal twins":           {"entries 4 and 6 have the same key", func(b []uint32, f frozenTable) { b[f.keyIn(b, 6)] = b[f.keyIn(b, 4)] }},
				"a twin equal to first": {"entries 2 and 4 have the same key", func(b []uint32, f frozenTable) { b[f.keyIn(b, 4)] = b[f.keyIn(b, 2)] }},
			} {
				m, f, b := made()
				c.change(b, f)
				refuse(t, r, fmt.Sprintf("%d keys, %s", n, what), bytes.NewReader(m.image()), c.want)
			}
			m, f, b := made()
			swap(b, f, 4, 6) // which twin comes first does not matter
			accept(t, r, "a dict", m.image(), func(th *rt.Thread, root rt.Ref) { wander(th, root, map[rt.Ref]bool{}) })
		}
	})
}

// TestImageReaders: a reader that breaks the contract of io.ReaderAt causes an error. One
// that panics leaves nothing behind.
func TestImageReaders(t *testing.T) {
	hostile(t, func(r *rt.Runtime, empty func() *forgery) {
		m := empty()
		m.root = m.list(m.text("x"))
		image := m.image()
		for _, from := range []int64{0, imageData, int64(len(image) - len(m.table))} {
			lie := func(n int, err error) io.ReaderAt {
				return readerAt(func(b []byte, at int64) (int, error) {
					if at >= from && len(b) > 1 {
						return n, err
					}
					return bytes.NewReader(image).ReadAt(b, at)
				})
			}
			for _, n := range []int{0, 1, -1, math.MaxInt} {
				refuse(t, r, fmt.Sprintf("%d bytes from %d on", n, from), lie(n, nil), "the reader returned")
			}
			refuse(t, r, "too many bytes", lie(1<<20, io.EOF), "the reader returned")
			refuse(t, r, "an error", lie(0, errors.New("on fire")), "on fire")
			refuse(t, r, "an early end", lie(0, io.EOF), "")
			func() {
				defer func() {
					if p := recover(); p != "burning" {
						t.Errorf("the panic is %v", p)
					}
				}()
				_, _ = r.OpenImageAt(readerAt(func(b []byte, at int64) (int, error) {
					if at >= from {
						panic("burning")
					}
					return bytes.NewReader(image).ReadAt(b, at)
				}))
			}()
		}
		accept(t, r, "with its end", image, func(*rt.Thread, rt.Ref) {})
		f, err := r.OpenImageAt(readerAt(func(b []byte, at int64) (int, error) { // all bytes, and io.EOF as well
			n, _ := bytes.NewReader(image).ReadAt(b, at)
			return n, io.EOF
		}))
		must0(t, err)
		must0(t, r.Unload(f))
	})
}

type readerAt func(b []byte, at int64) (int, error)

func (f readerAt) ReadAt(b []byte, at int64) (int, error) { return f(b, at) }

// TestImageLongTypes: an error quotes the type names of a file, and shortens them.
func TestImageLongTypes(t *testing.T) {
	hostile(t, func(r *rt.Runtime, empty func() *forgery) {
		for _, c := range []struct{ name, layout, want string }{
			{strings.Repeat("n", 1<<20), "l", "nnn\"... (1048576 bytes) with the layout \"l\""},
			{"n", strings.Repeat("l", 1<<20), "\"n\" with the layout \"lll"},
			{"\x1b[2J\nn", "\xff", `no type "\x1b[2J\nn" with the layout "\xff"`},
			{strings.Repeat("n", 1<<20+1), "l", "a type name or layout of 1048577 bytes, want at most 1048576"},
			{"n", strings.Repeat("l", 1<<20+1), "a type name or layout of 1048577 bytes, want at most 1048576"},
		} {
			m := empty()
			m.root, m.types = forgedNone, 1
			m.table = nil
			for _, s := range []string{c.name, c.layout} {
				m.table = append(binary.LittleEndian.AppendUint32(m.table, uint32(len(s))), s...)
			}
			refuse(t, r, c.want, bytes.NewReader(m.image()), c.want)
		}
	})
	if _, err := DefineRecord(strings.Repeat("n", 1<<20+1)); err == nil || len(err.Error()) > 1000 {
		t.Errorf("a record with a name of a MiB: error %.100v", err)
	}
	if _, err := DefineRecord("n", strings.Repeat("l", 1<<20)); err == nil || len(err.Error()) > 1000 {
		t.Errorf("a record with a layout of a MiB: error %.100v", err)
	}
}

package objects

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"strings"
	"testing"
	"time"

	rt "github.com/ichor-go/ichor/runtime"
)

// TestImageCrowds: keys that an attacker has chosen are checked in the time that other keys
// take, and are refused if a search would look at too many places.
func TestImageCrowds(t *testing.T) {
	hostile(t, func(r *rt.Runtime, empty func() *forgery) {
		for _, n := range []int{2, linearMax, 200, runMax, runMax + 1, scaled(1 << 16)} {
			numbers := colliding(n)
			for _, twice := range []bool{false, true} {
				m := empty()
				var keys []uint32
				for i, v := range numbers {
					if twice && i == n-1 {
						v = numbers[n/2-1]
					}
					keys = append(keys, m.int(v))
				}
				m.root = m.dict(keys...)
				what := fmt.Sprintf("%d keys with one hash", n)
				if n > runMax {
					refuse(t, r, what, bytes.NewReader(m.image()), "keys collide")
					continue
				}
				if twice {
					refuse(t, r, what, bytes.NewReader(m.image()), fmt.Sprintf("entries %d and %d have the same key", n/2-1, n-1))
					continue
				}
				image, before := m.image(), goAllocated()
				accept(t, r, what, image, func(th *rt.Thread, root rt.Ref) {
					if took := goAllocated() - before; took > 6*uint64(len(image))+1<<20 {
						t.Errorf("%s in %d bytes: %d bytes of memory", what, len(image), took)
					}
					for _, i := range []int{0, 1, n / 2, n - 1} {
						key := must(NewInt(th, numbers[i]))
						if v, ok := Dict(root).Lookup(th, key); !ok || !sameKey(th, v, key) {
							t.Errorf("%s: key %d is not found", what, i)
						}
						th.DecRef(key)
					}
				})
			}
		}
	})
}

// TestImageCrowdedFloats: floats are the smallest keys, so the bookkeeping for each is
// largest in proportion.
func TestImageCrowdedFloats(t *testing.T) {
	hostile(t, func(r *rt.Runtime, empty func() *forgery) {
		m, keys, dicts := empty(), []uint32{}, []uint32{}
		for _, v := range unhash(1<<14, floatMark, 1) {
			if keys = append(keys, m.float(math.Float64frombits(uint64(v)))); len(keys) == runMax {
				dicts, keys = append(dicts, m.dict(keys...)), nil
			}
		}
		m.root = m.list(dicts...)
		image, before := m.image(), goAllocated()
		accept(t, r, "floats", image, func(*rt.Thread, rt.Ref) {
			took := goAllocated() - before
			if took > 6*uint64(len(image))+1<<19 {
				t.Errorf("%d bytes of memory for an image of %d", took, len(image))
			}
		})
	})
}

// TestImageLongKeys: a long text is examined once, although it is a key in many dicts
// beside another key with the same hash.
func TestImageLongKeys(t *testing.T) {
	oneGoroutine(t)
	hostile(t, func(r *rt.Runtime, empty func() *forgery) {
		a, b := collidingTexts(strings.Repeat("x", 1<<20))
		c := "y" + b[1:]
		open := func(a, b string) time.Duration {
			m := empty()
			x, y := m.text(a), m.text(b)
			for range 20_000 {
				m.dict(x, y)
			}
			m.root = x
			image := m.image()
			best := time.Hour
			for range 3 {
				began := time.Now()
				accept(t, r, "two texts", image, func(*rt.Thread, rt.Ref) {})
				best = min(best, time.Since(began))
			}
			return best
		}
		// 20 GB are compared if each dict does it.
		if same, other := open(a, b), open(a, c); same > 20*other {
			t.Errorf("%v where hashes are the same, %v where not", same, other)
		}
	})
}

// claims is a reader of an image whose header claims more bytes than it has.
type claims struct {
	image []byte
	far   bool // it has a byte at the end of what the header claims, and no more
	read  func(b []byte, at int64) (int, error)
	seen  func()
}

func (c *claims) ReadAt(b []byte, at int64) (int, error) {
	if c.seen != nil {
		c.seen()
	}
	if at < int64(len(c.image)) && at+int64(len(b)) <= int64(len(c.image)) || at == 0 {
		n := copy(b, c.image[at:])
		if n < len(b) {
			return n, io.EOF
		}
		return n, nil
	}
	if c.far && len(b) == 1 {
		c.far = false
		return 1, nil
	}
	if c.read != nil {
		return c.read(b, at)
	}
	return 0, io.EOF
}

// TestImageClaims: bytes that an image claims cost nothing. Bytes that it has may cost
// memory.
func TestImageClaims(t *testing.T) {
	claim := func(image []byte, data, types uint64) []byte {
		b := bytes.Clone(image)
		binary.LittleEndian.PutUint64(b[24:], data)
		binary.LittleEndian.PutUint64(b[48:], types)
		copy(b[72:], sumOf(b[:72]))
		return b
	}
	hostile(t, func(r *rt.Runtime, empty func() *forgery) {
		m := empty()
		m.root, m.types, m.table = m.list(m.text(strings.Repeat("x", 3<<20))), 0, nil
		image := m.image()
		base := r.Memory().Committed
		for _, data := range []uint64{4 << 20, 8 << 20} {
			for _, types := range []uint64{0, 64 << 20} {
				for _, far := range []bool{false, true} {
					c := &claims{image: claim(image, data, types), far: far}
					most := int64(0)
					c.seen = func() { most = max(most, r.Memory().Committed-base) }
					before := goAllocated()
					refuse(t, r, "a claim", c, "cut short: it ends before byte")
					if took := goAllocated() - before; took > 4<<20 {
						t.Errorf("objects %d, types %d: %d bytes of Go memory", data, types, took)
					}
					if most > int64(len(image))+4<<20 || !far && most > 0 {
						t.Errorf("objects %d, types %d: %d bytes of memory", data, types, most)
					}
				}
			}
		}
		refuse(t, r, "objects in no bytes", bytes.NewReader(func() []byte {
			m.objects = len(m.words)
			return m.image()
		}()), "objects in")
	})
}

// TestFreezeErrorLongKey: a key of 1 MiB does not appear in the path of an error.
func TestFreezeErrorLongKey(t *testing.T) {
	withRuntime(t, rt.Options{AddressSpace: smallSpace}, func(r *rt.Runtime) {
		must0(t, r.Do(func(th *rt.Thread) error {
			d, key, cell := must(NewDict(th)), must(NewString(th, strings.Repeat("k", 1<<20))), must(NewCell(th, rt.None))
			must0(t, d.Set(th, key, cell))
			_, err := th.Freeze(d)
			if err == nil || len(err.Error()) > 300 || !strings.Contains(err.Error(), `root["kkk`) {
				t.Errorf("error %.400v", err)
			}
			th.DecRefs([]rt.Ref{d, key, cell})
			return nil
		}))
	})
}

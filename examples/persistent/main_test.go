package main

import (
	"io"
	"maps"
	"strings"
	"testing"

	"github.com/ichor-go/ichor/objects"
	"github.com/ichor-go/ichor/proptest"
	rt "github.com/ichor-go/ichor/runtime"
)

func TestRun(t *testing.T) {
	var out strings.Builder
	if err := run(&out, rt.Options{Checked: true}); err != nil {
		t.Fatal(err)
	}
	if want := "100 versions with 49600 keys in all\n"; !strings.HasPrefix(out.String(), want) {
		t.Errorf("got %q, want %q first", out.String(), want)
	}
}

// TestNoRoom lets memory run out at each possible place: nothing leaks.
func TestNoRoom(t *testing.T) {
	for limit := int64(64 << 10); ; limit += 64 << 10 {
		err := run(io.Discard, rt.Options{MemoryLimit: limit})
		if err == nil {
			return
		}
		if err.Error() != rt.ErrMemoryLimit.Error() {
			t.Fatalf("with %d bytes: got %v, want %v alone", limit, err, rt.ErrMemoryLimit)
		}
	}
}

// TestMap runs random programs on maps and on Go's map.
func TestMap(t *testing.T) {
	proptest.Conformance(t, proptest.Config{}, proptest.Subject[map[uint32]int]{
		New:     func(t *rt.Thread) (rt.Ref, error) { return Empty.Set(t, 0, rt.None) },
		Model:   map[uint32]int{0: -1},
		Freezes: true,
		Ops: []proptest.Op[map[uint32]int]{
			{Name: "set", Derive: set, Model: modelSet},
			{Name: "delete", Derive: remove, Model: modelDelete},
			{Name: "get", Do: get, Model: modelGet, Linearizable: true},
			{Name: "len", Do: length, Model: modelLen, Linearizable: true},
		},
	})
}

// boxed is beyond the range of small integers, so that values are counted objects.
const boxed = 1 << 40

// key maps two operands to each key, so that values are replaced.
func key(n int) uint32 { return uint32(n / 2) }

func set(t *rt.Thread, r rt.Ref, n int) (rt.Ref, error) {
	v, err := objects.NewInt(t, boxed+int64(n))
	if err != nil {
		return rt.Nil, err
	}
	defer t.DecRef(v)
	return Map(r).Set(t, key(n), v)
}

func remove(t *rt.Thread, r rt.Ref, n int) (rt.Ref, error) { return Map(r).Delete(t, key(n)) }

// get returns the number of a key's value, -1 for None, or -2 if the key is missing.
func get(t *rt.Thread, r rt.Ref, n int) (any, error) {
	v := Map(r).Get(t, key(n))
	if v == rt.Nil {
		return -2, nil
	}
	defer t.DecRef(v)
	if v == rt.None {
		return -1, nil
	}
	i, _ := objects.Int(v).Value(t)
	return int(i - boxed), nil
}

func length(t *rt.Thread, r rt.Ref, _ int) (any, error) { return Map(r).Len(t), nil }

func modelSet(m map[uint32]int, n int) (map[uint32]int, any) {
	m = maps.Clone(m)
	m[key(n)] = n
	return m, nil
}

func modelDelete(m map[uint32]int, n int) (map[uint32]int, any) {
	m = maps.Clone(m)
	delete(m, key(n))
	return m, nil
}

func modelGet(m map[uint32]int, n int) (map[uint32]int, any) {
	if v, ok := m[key(n)]; ok {
		return m, v
	}
	return m, -2
}

func modelLen(m map[uint32]int, _ int) (map[uint32]int, any) { return m, len(m) }

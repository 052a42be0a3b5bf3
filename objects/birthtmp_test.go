package objects

import (
	"testing"

	rt "github.com/ichor-go/ichor/runtime"
)

func BenchmarkBirth(b *testing.B) {
	for _, k := range []struct {
		name string
		new  func(t *rt.Thread, i int) (rt.Ref, error)
	}{
		{"float", func(t *rt.Thread, i int) (rt.Ref, error) { return NewFloat(t, float64(i)) }},
		{"tuple2", func(t *rt.Thread, i int) (rt.Ref, error) { return NewTuple(t, rt.None, rt.None) }},
		{"dict", func(t *rt.Thread, i int) (rt.Ref, error) { return NewDict(t) }},
		{"string11", func(t *rt.Thread, i int) (rt.Ref, error) { return NewString(t, "hello world") }},
		{"list3", func(t *rt.Thread, i int) (rt.Ref, error) { return NewList(t, rt.None, rt.None, rt.None) }},
	} {
		b.Run(k.name, func(b *testing.B) {
			r, _ := rt.New(rt.Options{Mode: rt.LockFree, Counting: rt.Biased})
			_ = r.Do(func(t *rt.Thread) error {
				var ring [1024]rt.Ref
				i := 0
				for b.Loop() {
					x, _ := k.new(t, i)
					t.DecRef(ring[i%1024])
					ring[i%1024] = x
					i++
				}
				t.DecRefs(ring[:])
				return nil
			})
			r.Close()
		})
	}
}

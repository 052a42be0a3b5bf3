package proptest

import (
	"fmt"
	"testing"

	rt "github.com/ichor-go/ichor/runtime"
)

// TestSubjects demands a clear error for each subject that is not complete.
func TestSubjects(t *testing.T) {
	makes := func(*rt.Thread) (rt.Ref, error) { return rt.Nil, nil }
	does := func(*rt.Thread, rt.Ref, int) (any, error) { return nil, nil }
	model := func(m, _ int) (int, any) { return m, nil }
	op := Op[int]{Name: "x", Do: does, Model: model}
	changed := func(change func(o *Op[int])) Subject[int] {
		o := op
		change(&o)
		return Subject[int]{New: makes, Ops: []Op[int]{op, o}}
	}
	for _, x := range []struct {
		s    Subject[int]
		says string
	}{
		{Subject[int]{}, "proptest: the subject has no New"},
		{Subject[int]{New: makes}, "proptest: the subject has no Ops"},
		{changed(func(o *Op[int]) { o.Name = "" }), "proptest: operation 1 of the subject has no Name"},
		{changed(func(o *Op[int]) { o.Name, o.Do = "y", nil }), "proptest: operation y has neither Do nor Derive"},
		{changed(func(o *Op[int]) {
			o.Name, o.Derive = "y", func(*rt.Thread, rt.Ref, int) (rt.Ref, error) { return rt.Nil, nil }
		}), "proptest: operation y has both Do and Derive"},
		{changed(func(o *Op[int]) { o.Name, o.Model = "y", nil }), "proptest: operation y has no Model"},
		{changed(func(o *Op[int]) {}), "proptest: two operations of the subject are named x"},
		{changed(func(o *Op[int]) { o.Name = "y" }), "<nil>"},
	} {
		if got := fmt.Sprint(x.s.wrong()); got != x.says {
			t.Errorf("found %q, want %q", got, x.says)
		}
	}
}

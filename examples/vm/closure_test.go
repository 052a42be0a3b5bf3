package main

import (
	"slices"
	"testing"

	"github.com/ichor-go/ichor/objects"
	"github.com/ichor-go/ichor/proptest"
	rt "github.com/ichor-go/ichor/runtime"
)

// TestFn runs random programs on functions, and on slices of their captured values.
func TestFn(t *testing.T) {
	proptest.Conformance(t, proptest.Config{}, proptest.Subject[[]int]{
		New:   func(t *rt.Thread) (rt.Ref, error) { return boxedFn(t, []int{1, 2, 3}) },
		Model: []int{1, 2, 3},
		Ops: []proptest.Op[[]int]{
			{Name: "captured", Linearizable: true,
				Do:    func(t *rt.Thread, r rt.Ref, n int) (any, error) { return unboxed(t, fnCaptured(t, r, n%3)), nil },
				Model: func(m []int, n int) ([]int, any) { return m, m[n%3] }},
			{Name: "capture another", // as opMake does: captured values of one function go into the next
				Derive: func(t *rt.Thread, r rt.Ref, n int) (rt.Ref, error) {
					v, err := objects.NewInt(t, boxed+int64(n))
					if err != nil {
						return rt.Nil, err
					}
					captured := []rt.Ref{v, fnCaptured(t, r, 0), fnCaptured(t, r, 1)}
					t.IncRefs(captured[1:])
					fn, err := newFn(t, 7, captured)
					if err != nil {
						t.DecRefs(captured)
					}
					return fn, err
				},
				Model: func(m []int, n int) ([]int, any) { return []int{n, m[0], m[1]}, nil }},
			{Name: "code", Linearizable: true,
				Do: func(t *rt.Thread, r rt.Ref, _ int) (any, error) {
					number, _ := fnCode(t, r)
					return number, nil
				},
				Model: func(m []int, _ int) ([]int, any) { return m, 7 }},
		},
	})
}

// boxed is beyond the small integers, so that values are counted.
const boxed = 1 << 40

func boxedFn(t *rt.Thread, captured []int) (fn rt.Ref, err error) {
	err = t.Scope(func(s *rt.Scope) {
		var values []rt.Ref
		for _, n := range captured {
			values = append(values, s.Own(objects.NewInt(t, boxed+int64(n))))
		}
		fn, err = newFn(t, 7, values)
		s.Check(err)
		t.IncRefs(values) // newFn has stolen these counts, and the scope gives them up too
	})
	return fn, err
}

func unboxed(t *rt.Thread, r rt.Ref) int {
	n, _ := objects.Int(r).Value(t)
	return int(n - boxed)
}

// TestConstants compiles the demo. No instruction pushes a constant that is counted, and
// functions that capture nothing are constants.
func TestConstants(t *testing.T) {
	r, err := rt.New(rt.Options{Checked: true})
	if err != nil {
		t.Fatal(err)
	}
	c := &compiler{globals: map[string]rt.Ref{}, file: "demo.lisp"}
	err = r.Do(func(th *rt.Thread) error {
		c.t = th
		return th.Immortally(func() error {
			forms, err := read("prelude.lisp", prelude+demo)
			if err != nil {
				return err
			}
			_, err = c.compile(forms)
			return err
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	consts, constantFns, made := 0, 0, 0
	err = r.Do(func(th *rt.Thread) error {
		for _, p := range c.protos {
			for _, r := range p.consts {
				consts++
				if !r.ImmortalByAddress() {
					t.Errorf("a constant of %s is counted: %s", p.name, objects.Format(th, r))
				}
				if _, ok := fnCode(th, r); ok {
					constantFns++
				}
			}
			made += len(slices.DeleteFunc(slices.Clone(p.code), func(in instr) bool { return in.op != opMake }))
		}
		return nil
	})
	if consts < 20 || constantFns != 7 || made != 4 {
		t.Errorf("%d constants, %d functions among them, %d functions that capture", consts, constantFns, made)
	}
	if err != nil || r.Close() != nil {
		t.Error("it does not close")
	}
}

// FuzzCompile: the compiler refuses or accepts any text, and leaves nothing behind.
func FuzzCompile(f *testing.F) {
	f.Add(demo)
	f.Add(prelude)
	f.Add(`(let (x 1) (fn () (set x "\n"))) ; -9`)
	r, err := rt.New(rt.Options{AddressSpace: 1 << 20})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() {
		if err := r.Close(); err != nil {
			f.Error(err)
		}
	})
	f.Fuzz(func(t *testing.T, text string) {
		err := r.Do(func(th *rt.Thread) error {
			before := r.Memory().Immortals
			_ = th.Immortally(func() error {
				c := &compiler{t: th, file: "fuzz", globals: map[string]rt.Ref{}}
				forms, err := read("fuzz", text)
				if err == nil {
					_, err = c.compile(forms)
				}
				if err == nil {
					err = errDiscard
				}
				return err
			})
			if after := r.Memory().Immortals; after != before {
				t.Errorf("%d immortals, before there were %d", after, before)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
}

type discard struct{}

func (discard) Error() string { return "the region is not wanted" }

var errDiscard = discard{}

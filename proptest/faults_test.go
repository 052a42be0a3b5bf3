package proptest

import (
	"bytes"
	"errors"
	"fmt"
	goruntime "runtime"
	"strings"
	"testing"

	"github.com/ichor-go/ichor/objects"
	"github.com/ichor-go/ichor/proptest/internal/modes"
	"github.com/ichor-go/ichor/proptest/internal/property"
	"github.com/ichor-go/ichor/proptest/internal/suite"
	rt "github.com/ichor-go/ichor/runtime"
)

// boxed is beyond the range of small integers, so that each int is an object.
const boxed = 1 << 40

var triple = property.Must(objects.DefineRecord("fault triple", "x", "y", "z"))

// faultPrograms are whole programs. Each gives up all references that it owns, in any case.
var faultPrograms = map[string]func(th *rt.Thread) error{
	"json": func(th *rt.Thread) error { return loaded(th, objects.JSONOptions{}, nothingElse) },
	"json born immortal": func(th *rt.Thread) error {
		return loaded(th, objects.JSONOptions{Immortal: true}, nothingElse)
	},
	"list": func(th *rt.Thread) error {
		return th.Scope(func(s *rt.Scope) {
			l, other := objects.List(s.Own(objects.NewList(th))), objects.List(s.Own(objects.NewList(th, rt.None)))
			for i := range 70 {
				v := s.Own(objects.NewInt(th, boxed+int64(i)))
				s.Check(l.Append(th, v))
				s.Check(l.Insert(th, 0, v))
			}
			s.Check(l.Extend(th, other))
			s.Check(other.Extend(th, l))
			for range 50 {
				s.Own(l.Pop(th))
				s.Check(l.Remove(th, 0))
			}
			s.Check(l.Clear(th))
		})
	},
	"dict": func(th *rt.Thread) error {
		return th.Scope(func(s *rt.Scope) {
			d, other := objects.Dict(s.Own(objects.NewDict(th))), objects.Dict(s.Own(objects.NewDict(th)))
			for i := range 60 {
				key, v := s.Own(objects.NewString(th, fmt.Sprint("key ", i))), s.Own(objects.NewFloat(th, float64(i)))
				s.Check(d.Set(th, key, v))
				if i%3 == 0 {
					s.Own(d.Pop(th, key))
				}
				s.Check(other.Set(th, v, key))
			}
			s.Check(d.Update(th, other))
			s.Check(d.Clear(th))
		})
	},
	"kinds": func(th *rt.Thread) error {
		return th.Scope(func(s *rt.Scope) {
			text, b := s.Own(objects.Intern(th, "interned")), s.Own(objects.NewBytes(th, []byte("raw")))
			tuple := s.Own(objects.NewTuple(th, text, b))
			rec := s.Own(triple.New(th, tuple, text, rt.None))
			c := objects.Cell(s.Own(objects.NewCell(th, rec)))
			s.Check(c.Store(th, tuple))
			s.Own(objects.NewWeak(th, rec, func(*rt.Thread) {}))
			s.Own(objects.NewForeign(th, 1, nil))
			n := s.Own(newFaultNode(th, rec))
			th.IncRef(n)
			setFaultNode(th, n, n) // a cycle
		})
	},
	"freeze": func(th *rt.Thread) error {
		return loaded(th, objects.JSONOptions{}, func(root rt.Ref) error {
			f, err := th.Freeze(root, rt.FreezeOptions{ShareEqual: true})
			if err != nil {
				return err
			}
			return th.Unload(f)
		})
	},
	"image": func(th *rt.Thread) error {
		return loaded(th, objects.JSONOptions{}, func(root rt.Ref) (err error) {
			f, err := th.Freeze(root)
			if err != nil {
				return err
			}
			var file bytes.Buffer
			_, err = f.WriteTo(&file)
			if err = errors.Join(err, th.Unload(f)); err != nil {
				return err
			}
			if f, err = th.Runtime().OpenImageAt(bytes.NewReader(file.Bytes())); err != nil {
				return err
			}
			return th.Unload(f)
		})
	},
	"immortalize": func(th *rt.Thread) error {
		return loaded(th, objects.JSONOptions{}, func(root rt.Ref) error {
			if err := th.Immortalize(root); err != nil {
				return err
			}
			v, err := objects.NewInt(th, boxed)
			if err != nil {
				return err
			}
			defer th.DecRef(v)
			key, err := objects.NewString(th, "new")
			if err != nil {
				return err
			}
			defer th.DecRef(key)
			return objects.Dict(root).Set(th, key, v)
		})
	},
}

const faultText = `{"a": [1, 2.5, -3000000000, "text", {"b": null}], "c": {}, "d": "text", "e": [[[[]]]], "f": 12345678901234567890123}`

func nothingElse(rt.Ref) error { return nil }

// loaded loads a document, calls use with it, and gives it up.
func loaded(th *rt.Thread, o objects.JSONOptions, use func(root rt.Ref) error) error {
	root, err := objects.FromJSON(th, strings.NewReader(faultText), o)
	if err != nil {
		return err
	}
	defer th.DecRef(root)
	return use(root)
}

// A fault node refers to two objects, and may be in a cycle.
var faultNode = property.Must(rt.DefineType(rt.Type{
	Name: "fault node", Mutable: true,
	Slots: func(_ rt.Heap, o rt.Body) (rt.Body, int, int) { return o, 0, 2 },
}))

func newFaultNode(th *rt.Thread, v rt.Ref) (rt.Ref, error) {
	r, o, err := th.New(faultNode, 8)
	if err == nil {
		th.IncRef(v)
		o.SetRef(0, v)
	}
	return r, err
}

func setFaultNode(th *rt.Thread, n, v rt.Ref) { th.Retire(th.Body(n).SwapRef(1, v)) }

// TestFaults makes each allocation and each system call of each program fail once, in every
// mode.
func TestFaults(t *testing.T) {
	if suite.Race && testing.Short() {
		t.Skip("one goroutine: the race detector can find nothing")
	}
	for _, o := range modes.All(rt.Options{})[:3] {
		t.Run(modes.Name(o), func(t *testing.T) {
			for name, program := range faultPrograms {
				t.Run(name, func(t *testing.T) { Faults(t, o, program) })
			}
			if goruntime.GOOS == "linux" {
				o.Backing = rt.MemfdBacking
				for _, name := range []string{"freeze", "image"} {
					t.Run(name+" in a memfd", func(t *testing.T) { Faults(t, o, faultPrograms[name]) })
				}
			}
		})
	}
}

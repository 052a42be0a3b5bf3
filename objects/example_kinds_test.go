package objects_test

import (
	"fmt"
	"log"
	"strings"

	"github.com/ichor-go/ichor/objects"
	rt "github.com/ichor-go/ichor/runtime"
)

// scope runs f on a thread of a new runtime, in a scope. The scope gives up the references
// that it owns, so nothing leaks.
func scope(f func(t *rt.Thread, s *rt.Scope)) {
	r, err := rt.New(rt.Options{Mode: rt.LockFree})
	if err == nil {
		err = r.Do(func(t *rt.Thread) error { return t.Scope(func(s *rt.Scope) { f(t, s) }) })
	}
	if err == nil {
		err = r.Close()
	}
	if err != nil {
		log.Fatal(err)
	}
}

func ExampleList() {
	scope(func(t *rt.Thread, s *rt.Scope) {
		l := objects.List(s.Own(objects.NewList(t, rt.None)))
		s.Check(l.Append(t, s.Own(objects.NewString(t, "a"))))
		s.Check(l.Insert(t, 0, rt.True))
		last := s.Own(l.Pop(t))
		fmt.Println(objects.Format(t, last), objects.Format(t, l))
		_, err := l.Get(t, 9)
		fmt.Println(err)
	})
	// Output:
	// "a" [true,null]
	// ichor: index 9 is out of range: the list has 2 items
}

func ExampleDict() {
	scope(func(t *rt.Thread, s *rt.Scope) {
		d := objects.Dict(s.Own(objects.NewDict(t)))
		for i, name := range []string{"tea", "coffee", "tea"} {
			n := s.Own(objects.NewInt(t, int64(i)))
			s.Check(d.Set(t, s.Own(objects.Intern(t, name)), n))
		}
		for k, v := range d.All(t) {
			fmt.Println(objects.Format(t, k), objects.Format(t, v))
		}
		_, err := d.Get(t, s.Own(objects.NewString(t, "milk")))
		fmt.Println(err)
	})
	// Output:
	// "tea" 2
	// "coffee" 1
	// ichor: no key "milk"
}

func ExampleFromJSON() {
	scope(func(t *rt.Thread, s *rt.Scope) {
		doc := s.Own(objects.FromJSON(t, strings.NewReader(`{"prices": [1.50, 1e3]}`)))
		text, err := objects.AppendJSON(t, nil, doc)
		s.Check(err)
		fmt.Println(string(text))
		_, err = objects.FromJSON(t, strings.NewReader(`{"prices": [1.50, }`))
		fmt.Println(err)
	})
	// Output:
	// {"prices":[1.50,1e3]}
	// ichor: JSON: byte 18: expected an array element after ',', found '}'
}

func ExampleDefineRecord() {
	point, err := objects.DefineRecord("point", "x", "y")
	if err != nil {
		log.Fatal(err)
	}
	scope(func(t *rt.Thread, s *rt.Scope) {
		one, two := s.Own(objects.NewInt(t, 1)), s.Own(objects.NewInt(t, 2))
		p := s.Own(point.New(t, one, one))
		s.Check(objects.Record(p).Set(t, point.Index("y"), two))
		fmt.Println(objects.Format(t, p))
	})
	// Output: {"x":1,"y":2}
}

func ExampleWeak() {
	scope(func(t *rt.Thread, s *rt.Scope) {
		l, err := objects.NewList(t, rt.True)
		s.Check(err)
		w := s.Own(objects.NewWeak(t, l, func(*rt.Thread) { fmt.Println("the list has died") }))
		if r, alive := objects.Weak(w).Get(t); alive {
			fmt.Println(objects.Format(t, r))
			t.DecRef(r)
		}
		t.DecRef(l)
		_, alive := objects.Weak(w).Get(t)
		fmt.Println("alive:", alive)
		t.Checkpoint()
	})
	// Output:
	// [true]
	// alive: false
	// the list has died
}

func ExampleCell() {
	scope(func(t *rt.Thread, s *rt.Scope) {
		one, _ := rt.Int(1)
		c := objects.Cell(s.Own(objects.NewCell(t, one)))
		for { // any number of threads may do this at once
			old := s.Own(c.Load(t))
			n, _ := objects.Int(old).Value(t)
			done, err := c.CompareAndSwap(t, old, s.Own(objects.NewInt(t, n+1)))
			s.Check(err)
			if done {
				break
			}
		}
		fmt.Println(objects.Format(t, s.Own(c.Load(t))))
	})
	// Output:
	// 2
}

func ExampleForeign() {
	scope(func(t *rt.Thread, s *rt.Scope) {
		f, err := objects.NewForeign(t, strings.NewReader("Go's own"), func(any) { fmt.Println("released") })
		s.Check(err)
		v, _ := f.Value(t)
		fmt.Println(v.(*strings.Reader).Len())
		t.DecRef(f)
		t.Checkpoint()
	})
	// Output:
	// 8
	// released
}

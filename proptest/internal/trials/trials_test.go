package trials

import (
	"errors"
	goruntime "runtime"
	"testing"

	"github.com/anishathalye/porcupine"
	"pgregory.net/rapid"

	"github.com/ichor-go/ichor/objects"
	"github.com/ichor-go/ichor/proptest/internal/modes"
	"github.com/ichor-go/ichor/proptest/internal/property"
	rt "github.com/ichor-go/ichor/runtime"
)

// Boxes are objects with one slot and one word, on which trials must find bugs.
var boxType = property.Must(rt.DefineType(rt.Type{
	Name: "proptest box", Mutable: true,
	Slots: func(_ rt.Heap, o rt.Body) (rt.Body, int, int) { return o, 1, 1 },
}))

// boxed is beyond the range of small integers, so that each int is an object.
const boxed = 1 << 40

func newBox(t *rt.Thread) (rt.Ref, error) {
	r, _, err := t.New(boxType, 8)
	return r, err
}

// add adds one to the word, and returns the old value.
func add(t *rt.Thread, r rt.Ref, _ int) (any, error) { return int(t.Body(r).Add(0, 1)) - 1, nil }

func added(m, _ int) (int, any) { return m + 1, m }

// fill puts a new object into the slot.
func fill(t *rt.Thread, r rt.Ref, n int) (any, error) {
	v, err := objects.NewInt(t, boxed+int64(n))
	if err == nil {
		t.Retire(t.Body(r).SwapRef(1, v))
	}
	return nil, err
}

func filled(m, _ int) (int, any) { return m, nil }

var errInjected = errors.New("injected")

func boxes(do func(*rt.Thread, rt.Ref, int) (any, error), model func(int, int) (int, any)) *trials[int] {
	op := Op[int]{Name: "op", Do: do, Model: model, Linearizable: true}
	return newTrials(Subject[int]{New: newBox, Ops: []Op[int]{op}},
		Config{Threads: 3, Ops: 30, Injected: errInjected})
}

// TestCheck runs programs on boxes, with no bug in them.
func TestCheck(t *testing.T) {
	x := boxes(add, added)
	x.Ops = append(x.Ops, Op[int]{Name: "fill", Do: fill, Model: filled, Linearizable: true})
	Check(t, x.Subject, x.config)
}

// bugs are operations that each break one property.
var bugs = []struct {
	name  string
	finds property.Property
	do    func(*rt.Thread, rt.Ref, int) (any, error)
	model func(int, int) (int, any)
}{
	{"wrong result", property.Model, func(t *rt.Thread, r rt.Ref, _ int) (any, error) { return int(t.Body(r).Add(0, 1)), nil }, added},
	{"count too many", property.Counts, func(t *rt.Thread, r rt.Ref, n int) (any, error) {
		_, err := fill(t, r, n)
		t.IncRef(t.Body(r).LoadRef(1))
		return nil, err
	}, filled},
	{"lost object", property.Counts, func(t *rt.Thread, r rt.Ref, n int) (any, error) {
		_, err := objects.NewInt(t, boxed)
		return nil, err
	}, filled},
	{"panic", property.Alive, func(*rt.Thread, rt.Ref, int) (any, error) { panic("planted") }, filled},
	{"error", property.Model, func(*rt.Thread, rt.Ref, int) (any, error) { return nil, errors.New("planted") }, filled},
}

// TestFindsBugs demands that a program with each bug fails in every mode.
func TestFindsBugs(t *testing.T) {
	for _, b := range bugs {
		for _, o := range modes.All(boxes(b.do, b.model).config.Options) {
			err := boxes(b.do, b.model).sequential(o, plan{{}})
			var f *property.Failure
			if !errors.As(err, &f) || f.Property != b.finds {
				t.Errorf("%s, mode=%s checked=%t: got %v, want %s", b.name, o.Mode, o.Checked, err, b.finds)
			}
		}
	}
}

// TestFindsEffects has an operation that writes before the allocation that fails.
func TestFindsEffects(t *testing.T) {
	x := boxes(func(t *rt.Thread, r rt.Ref, n int) (any, error) {
		seen, _ := add(t, r, n)
		_, err := fill(t, r, n)
		return seen, err
	}, added)
	o := modes.All(x.config.Options)[0]
	found := 0
	for n := int64(1); n <= 20; n++ {
		if _, err := x.withFault(o, n, plan{{}, {}}); err != nil {
			found++
		}
	}
	if found == 0 {
		t.Error("an operation that fails halfway was not found")
	}
}

// TestFindsLostUpdates has threads that add in two steps, with others in between.
func TestFindsLostUpdates(t *testing.T) {
	x := boxes(func(t *rt.Thread, r rt.Ref, _ int) (any, error) {
		o := t.Body(r)
		was := o.Load(0)
		for range 20 {
			goruntime.Gosched()
		}
		o.Store(0, was+1)
		return int(was), nil
	}, added)
	o := rt.Options{Mode: rt.LockFree, AddressSpace: 4 << 20}
	progs := []plan{make(plan, 15), make(plan, 15), make(plan, 15)}
	for range 50 { // some histories have a lost update
		history, err := x.record(o, progs)
		if err != nil {
			t.Fatal(err)
		}
		if !porcupine.CheckOperations(x.porcupine(), history) {
			return
		}
	}
	t.Error("no update was lost in 50 histories, or it was not found")
}

// TestPlanIsShrunk demands that drawn programs are printed in short form.
func TestPlanIsShrunk(t *testing.T) {
	if got := plan(make([]step, 3)).GoString(); got != "3 steps" {
		t.Error(got)
	}
	x := boxes(add, added)
	rapid.Check(t, func(t *rapid.T) {
		for _, s := range x.draw(t, "program", 20) {
			if int(s.what) >= len(x.Ops)+stepFreeze {
				t.Fatal("a type without Freezing is frozen")
			}
		}
	})
}

// TestFindsOtherBytes has a worker whose frozen graph has other bytes than it had before.
func TestFindsOtherBytes(t *testing.T) {
	if goruntime.GOOS != "linux" {
		t.Skip("SKIPPED: heaps are shared on Linux only")
	}
	r := property.Must(rt.New(rt.Options{Backing: rt.MemfdBacking, AddressSpace: 4 << 20}))
	y := &trial[int]{images: map[*rt.Frozen]uint64{}}
	property.Check(r.Do(func(t *rt.Thread) error {
		for i := range 2 {
			v := property.Must(objects.NewInt(t, boxed+int64(i)))
			f := property.Must(t.Freeze(v))
			y.images[f] = imageHash(f)
			t.DecRef(v)
		}
		return nil
	}))
	file := property.Must(r.Share())
	worker, _, err := rt.OpenShared(file, rt.Options{})
	property.Check(errors.Join(err, file.Close()))
	z := *y
	if err := z.attempt(func() { z.reload(worker.Frozen()) }); err != nil {
		t.Errorf("the same bytes: %v", err)
	}
	for f := range y.images {
		y.images[f]++
		break
	}
	var f *property.Failure
	err = y.attempt(func() { y.reload(worker.Frozen()) })
	if !errors.As(err, &f) || f.Property != property.Frozen {
		t.Errorf("other bytes: got %v, want %s", err, property.Frozen)
	}
	property.Check(errors.Join(worker.Close(), r.Close()))
}

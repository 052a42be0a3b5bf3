package trials

import (
	"errors"
	"fmt"
	"reflect"
	"strings"

	"github.com/cespare/xxhash/v2"
	"pgregory.net/rapid"

	"github.com/ichor-go/ichor/proptest/internal/draw"
	"github.com/ichor-go/ichor/proptest/internal/headers"
	"github.com/ichor-go/ichor/proptest/internal/modes"
	"github.com/ichor-go/ichor/proptest/internal/property"
	rt "github.com/ichor-go/ichor/runtime"
)

// A program has a few registers, each of which owns a reference to an object of the type, and has
// the object's model. Several registers may own references to the same object, and an object that
// is derived from it may share parts with it.

// regs is the number of registers of a program.
const regs = 3

// Steps that every type has. Their numbers follow those of its operations.
const (
	stepNew = iota
	stepCopy
	stepDrop
	stepImmortal
	stepCollect
	stepCheckpoint
	stepAudit
	stepFreeze
	stepKinds
)

// step is one step of a program: an operation, a register and an operand.
type step struct{ what, reg, n uint8 }

// plan is a program. The log shows it as text with the names of its operations.
type plan []step

func (p plan) GoString() string { return fmt.Sprintf("%d steps", len(p)) }

// draw draws a program of at most so many steps.
func (x *trials[M]) draw(t *rapid.T, label string, most int) plan {
	own := len(x.Ops)
	kinds := stepKinds
	if !x.Freezes {
		kinds = stepFreeze
	}
	ofType := rapid.IntRange(0, own-1)
	common := rapid.IntRange(own, own+kinds-1)
	aStep := rapid.Custom(func(t *rapid.T) step {
		return step{
			uint8(rapid.OneOf(ofType, ofType, ofType, common).Draw(t, "what")),
			uint8(rapid.IntRange(0, regs-1).Draw(t, "register")), uint8(rapid.IntRange(0, 15).Draw(t, "n")),
		}
	})
	return rapid.Custom(func(t *rapid.T) plan { return draw.Slice(t, "steps", aStep, most) }).Draw(t, label)
}

// thing is an object and its model. Registers with the same object have the same thing.
type thing[M any] struct {
	ref    rt.Ref
	m      M
	frozen bool
}

// trial is one run of a program. It panics if a property does not hold.
type trial[M any] struct {
	x        *trials[M]
	t        *rt.Thread
	regs     [regs]*thing[M]
	headers  *headers.Samples
	images   map[*rt.Frozen]uint64 // hashes of images of frozen graphs; 0 if the types have no images
	log      []string
	immortal bool
}

// newTrial returns a trial whose registers have new objects. t is attached.
func (x *trials[M]) newTrial(t *rt.Thread) *trial[M] {
	y := &trial[M]{x: x, t: t, headers: &headers.Samples{}, images: map[*rt.Frozen]uint64{}}
	for i := range y.regs {
		y.renew(i)
	}
	return y
}

// letter is the name of a register in the log.
func letter(reg int) string { return string(rune('a' + reg)) }

// note adds a line to the log.
func (y *trial[M]) note(format string, args ...any) {
	y.log = append(y.log, fmt.Sprintf(format, args...))
}

// injected reports whether err is an injected error, and fails if it is any other error.
func (y *trial[M]) injected(err error) bool {
	if err != nil && !errors.Is(err, y.x.config.Injected) {
		panic(property.Model.Broken("an unexpected error: %v", err))
	}
	return err != nil
}

// set makes a register own a reference that the caller gives up.
func (y *trial[M]) set(reg int, to *thing[M]) {
	old := y.regs[reg]
	y.regs[reg] = to
	if old != nil {
		y.t.DecRef(old.ref)
	}
}

// renew puts a new object into a register.
func (y *trial[M]) renew(reg int) {
	r, err := y.x.New(y.t)
	if !y.injected(err) {
		y.set(reg, &thing[M]{ref: r, m: y.x.Model})
	}
}

// held returns the references of the registers.
func (y *trial[M]) held() (refs []rt.Ref) {
	for _, v := range y.regs {
		if v != nil {
			refs = append(refs, v.ref)
		}
	}
	return refs
}

// run runs all steps.
func (y *trial[M]) run(p plan) {
	for _, s := range p {
		y.x.steps.Inc()
		y.step(s)
	}
}

// step runs one step.
func (y *trial[M]) step(s step) {
	reg, n := int(s.reg), int(s.n)
	v := y.regs[reg]
	if int(s.what) < len(y.x.Ops) {
		if v != nil {
			y.call(reg, v, &y.x.Ops[s.what], n)
		}
		return
	}
	what := int(s.what) - len(y.x.Ops)
	if v == nil && what != stepNew {
		return
	}
	switch what {
	case stepNew:
		y.note("%s = new", letter(reg))
		y.renew(reg)
	case stepCopy:
		to := n % regs
		y.note("%s = %s", letter(to), letter(reg))
		y.t.IncRef(v.ref)
		y.set(to, v)
	case stepDrop:
		y.note("drop %s", letter(reg))
		y.set(reg, nil)
	case stepImmortal:
		y.note("immortalize %s", letter(reg))
		if !y.injected(y.t.Immortalize(v.ref)) {
			y.immortal = true
		}
		y.sample()
	case stepCollect:
		y.note("collect")
		y.t.Collect()
	case stepCheckpoint:
		y.note("checkpoint")
		y.t.Checkpoint()
	case stepAudit:
		y.note("audit")
		y.audit()
	case stepFreeze:
		y.note("%s = frozen copy of %s", letter(reg), letter(reg))
		y.freeze(reg, v)
	}
}

// call performs an operation of the type, and compares the result with the model.
func (y *trial[M]) call(reg int, v *thing[M], op *Op[M], n int) {
	after, want := op.Model(v.m, n)
	if op.Derive != nil {
		y.note("%s = %s.%s(%d)", letter(reg), letter(reg), op.Name, n)
		if r, err := op.Derive(y.t, v.ref, n); !y.injected(err) {
			y.set(reg, &thing[M]{ref: r, m: after})
		}
		return
	}
	y.note("%s.%s(%d)", letter(reg), op.Name, n)
	before, versioned := y.version(v.ref)
	seen, err := op.Do(y.t, v.ref, n)
	if v.frozen && op.Writes {
		if !errors.Is(err, rt.ErrFrozen) && !errors.Is(err, y.x.config.Injected) {
			panic(property.Model.Broken("a write to a frozen object returns %v, want %v", err, rt.ErrFrozen))
		}
		return
	}
	if y.injected(err) {
		return
	}
	if seen != nil {
		y.log[len(y.log)-1] += fmt.Sprintf(" = %v", seen)
	}
	if !reflect.DeepEqual(seen, want) {
		panic(property.Model.Broken("got %v, want %v", seen, want))
	}
	if now, _ := y.version(v.ref); versioned && now == before && !reflect.DeepEqual(v.m, after) {
		panic(property.Frozen.Broken("%s has changed the object, and its Freezing.Version is %d as before: a copy of it may be torn", op.Name, now))
	}
	v.m = after
}

// version returns what Freezing.Version does, if the subject freezes and its type has it.
func (y *trial[M]) version(r rt.Ref) (n uint64, ok bool) {
	if !y.x.Freezes {
		return 0, false
	}
	kind := y.t.TypeOf(r)
	if kind == nil || kind.Freezing == nil || kind.Freezing.Version == nil {
		return 0, false
	}
	return kind.Freezing.Version(y.t.Heap, y.t.Body(r)), true
}

// freeze replaces a register's object with a frozen copy.
func (y *trial[M]) freeze(reg int, v *thing[M]) {
	f, err := y.t.Freeze(v.ref)
	if y.injected(err) {
		return
	}
	y.images[f] = imageHash(f)
	y.set(reg, &thing[M]{ref: f.Root(), m: v.m, frozen: true})
}

// imageHash hashes the image of f; it returns 0 if images do not support its types.
func imageHash(f *rt.Frozen) uint64 {
	h := xxhash.New()
	if _, err := f.WriteTo(h); err != nil {
		return 0
	}
	return h.Sum64()
}

// sample compares the headers of immortals.
func (y *trial[M]) sample() {
	if err := y.headers.Take(y.t); err != nil {
		panic(property.Headers.Broken("%v", err))
	}
}

// audit performs the checks that are valid at any time.
func (y *trial[M]) audit() {
	if err := y.t.Audit(y.held()...); err != nil {
		panic(property.Counts.Broken("%v", err))
	}
	y.sample()
	for f, hash := range y.images {
		if hash != 0 && imageHash(f) != hash {
			panic(property.Frozen.Broken("the bytes of a graph of %d objects have changed", f.Objects()))
		}
	}
}

// finish checks everything, and drops it.
func (y *trial[M]) finish() {
	y.note("end")
	y.audit()
	for i := range y.regs {
		y.set(i, nil)
	}
	y.t.Collect()
	if c := y.t.Collect(); c.Garbage > 0 {
		panic(property.Garbage.Broken("a second collection finds more: %+v", c))
	}
	y.audit()
	for f := range y.images {
		var referred *rt.ReferredError
		err := y.t.Unload(f)
		if errors.Is(err, y.x.config.Injected) { // nothing has changed, so try again
			err = y.t.Unload(f)
		}
		if err != nil && !(y.immortal && errors.As(err, &referred)) {
			panic(property.NothingLeft.Broken("%v", err))
		}
	}
}

// told adds the program that was run to a failure.
func told(err error, o rt.Options, log []string) error {
	if err == nil {
		return nil
	}
	var f *property.Failure
	if !errors.As(err, &f) {
		f = property.Alive.Broken("%v", err)
	}
	return f.Property.Broken("%s\nthe program, with mode=%s counting=%s checked=%t:\n\t%s",
		f.Detail, o.Mode, o.Counting, o.Checked, strings.Join(log, "\n\t"))
}

// attempt calls f, and turns a panic into an error.
func (y *trial[M]) attempt(f func()) (err error) {
	defer property.Catch(&err)
	defer property.Guarded()()
	f()
	return nil
}

// closed closes a runtime, and demands that nothing is left.
func closed(r *rt.Runtime) error {
	err := r.Close()
	var leak *rt.LeakError
	if errors.As(err, &leak) {
		return property.NothingLeft.Broken("%v", err)
	}
	return err
}

// programs draws a program, and runs it in every mode.
func (x *trials[M]) programs(t *rapid.T) {
	p := x.draw(t, "program", x.config.Ops)
	all := modes.All(x.config.Options)
	if x.failing != nil {
		all = []rt.Options{*x.failing}
	}
	for _, o := range all {
		err := x.sequential(o, p)
		if err != nil {
			x.failing = &o
		}
		x.report(t, err)
	}
}

// sequential runs a program on one thread.
func (x *trials[M]) sequential(o rt.Options, p plan) error {
	x.runs.Inc()
	var log []string
	var late error
	o.OnError = func(err error) { late = errors.Join(late, property.Alive.Broken("%v", err)) }
	r, err := rt.New(o)
	if err != nil {
		return err
	}
	var y *trial[M]
	t, err := r.Attach()
	if err != nil {
		return err
	}
	err = y.attempt(func() {
		y = x.newTrial(t)
		y.run(p)
		y.finish()
	})
	if y != nil {
		log = y.log
	}
	var f *property.Failure
	if errors.As(err, &f) && f.Property != property.Alive { // after Alive, Close may hang
		y.t.Detach()
		_ = r.Close() // ignore leaks, which are a consequence
	}
	if err != nil {
		return told(err, o, log)
	}
	t.Detach()
	return told(errors.Join(late, closed(r)), o, log)
}

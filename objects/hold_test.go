package objects

import (
	"io"
	"iter"
	"strings"
	"testing"

	rt "github.com/ichor-go/ichor/runtime"
)

// auditingReader audits, on another thread, before each byte that it reads.
type auditingReader struct {
	t    *testing.T
	r    *rt.Runtime
	text io.ByteReader
	held []rt.Ref
}

func (a auditingReader) Read(p []byte) (int, error) {
	must0(a.t, a.r.Do(func(th *rt.Thread) error { return th.Audit(a.held...) }))
	b, err := a.text.ReadByte()
	if err != nil {
		return 0, err
	}
	p[0] = b
	return 1, nil
}

// TestAuditKnowsCalls: the audit knows the references that a call in progress holds, on its
// thread or on another one. So it does for loops that end in any order, or by a panic.
func TestAuditKnowsCalls(t *testing.T) {
	forAllModes(t, func(t *testing.T, o rt.Options) {
		withRuntime(t, o, func(r *rt.Runtime) {
			must0(t, r.Do(func(th *rt.Thread) error {
				text := `{"a": [1, "two", 3.5, {"b": "c"}], "d": ["e"]}`
				x := must(FromJSON(th, auditingReader{t, r, strings.NewReader(text), nil}))
				th.Blocking(func() {
					must0(t, r.Do(func(th *rt.Thread) error { return th.Audit(x) }))
				})
				if _, err := FromJSON(th, auditingReader{t, r, strings.NewReader(text[:len(text)-2]), []rt.Ref{x}}); err == nil {
					t.Error("half a text was read")
				}
				audit(t, th, x)

				a := must(Intern(th, "a"))
				l := must(Dict(x).Get(th, a))
				th.DecRef(a)
				audit(t, th, x, l)
				for range Dict(x).All(th) {
					for range List(l).All(th) {
						audit(t, th, x, l)
					}
				}
				audit(t, th, x, l)
				func() {
					defer func() { _ = recover() }()
					for range Dict(x).All(th) {
						panic("in a loop")
					}
				}()
				audit(t, th, x, l)
				next, stop := iter.Pull2(Dict(x).All(th))
				nextItem, stopItem := iter.Pull2(List(l).All(th))
				next()
				nextItem()
				audit(t, th, x, l)
				stop()
				audit(t, th, x, l)
				stopItem()
				audit(t, th, x, l)
				th.DecRefs([]rt.Ref{x, l})
				return nil
			}))
		})
	})
}

// TestMisuseIsReported passes dead references to constructors and writes, in checked mode.
func TestMisuseIsReported(t *testing.T) {
	clean(t, rt.Options{Checked: true}, func(th *rt.Thread) {
		y := must(DefineRecord("misused record", "x"))
		dead, alive := must(NewList(th)), must(NewList(th, rt.None))
		th.DecRef(dead)
		d, c, rec := must(NewDict(th)), must(NewCell(th, rt.None)), must(y.New(th, rt.None))
		f := must(th.Freeze(rec))
		for name, call := range map[string]func(){
			"NewList":        func() { _, _ = NewList(th, rt.None, dead) },
			"NewListSteal":   func() { _, _ = NewListSteal(th, rt.None, dead) },
			"behind a list":  func() { _, _ = NewTupleSteal(th, alive, dead) },
			"frozen record":  func() { _ = Record(f.Root()).Set(th, 0, dead) },
			"NewTuple":       func() { _, _ = NewTuple(th, rt.None, dead) },
			"NewTupleSteal":  func() { _, _ = NewTupleSteal(th, rt.None, dead) },
			"NewCell":        func() { _, _ = NewCell(th, dead) },
			"NewWeak":        func() { _, _ = NewWeak(th, dead) },
			"record":         func() { _, _ = y.New(th, dead) },
			"Append":         func() { _ = alive.Append(th, dead) },
			"AppendSteal":    func() { _ = alive.AppendSteal(th, dead) },
			"List.Set":       func() { _ = alive.Set(th, 0, dead) },
			"Insert":         func() { _ = alive.Insert(th, 0, dead) },
			"Extend":         func() { _ = alive.Extend(th, dead) },
			"Dict.Set":       func() { _ = d.Set(th, rt.True, dead) },
			"SetSteal":       func() { _ = d.SetSteal(th, rt.True, dead) },
			"Dict.Set, key":  func() { _ = d.Set(th, dead, rt.True) },
			"Update":         func() { _ = d.Update(th, Dict(dead)) },
			"Store":          func() { _ = c.Store(th, dead) },
			"StoreSteal":     func() { _ = c.StoreSteal(th, dead) },
			"Swap":           func() { _, _ = c.Swap(th, dead) },
			"CompareAndSwap": func() { _, _ = c.CompareAndSwap(th, dead, rt.None) },
			"Cell.Add":       func() { _, _ = Cell(dead).Add(th, 1) },
			"PopFirst":       func() { _, _ = dead.PopFirst(th) },
			"List.Snapshot":  func() { dead.Snapshot(th, nil) },
			"List.All":       func() { dead.All(th)(func(int, rt.Ref) bool { return true }) },
			"Tuple.All":      func() { Tuple(dead).All(th)(func(int, rt.Ref) bool { return true }) },
			"LookupString":   func() { Dict(dead).LookupString(th, "") },
			"LoadOrStore":    func() { _, _, _ = d.LoadOrStore(th, rt.True, dead) },
			"LoadAndDelete":  func() { _, _, _ = d.LoadAndDelete(th, dead) },
			"Dict.Swap":      func() { _, _, _ = d.Swap(th, rt.True, dead) },
			"Dict.PopFirst":  func() { _, _, _ = Dict(dead).PopFirst(th) },
			"Dict's CAS":     func() { _, _ = d.CompareAndSwap(th, rt.True, rt.True, dead) },
			"Dict's CAS, old": func() {
				_, _ = d.CompareAndSwap(th, rt.True, dead, rt.True)
			},
			"CompareAndDelete": func() { _, _ = d.CompareAndDelete(th, rt.True, dead) },
			"record's Swap":    func() { _, _ = rec.Swap(th, 0, dead) },
			"record's CAS":     func() { _, _ = rec.CompareAndSwap(th, 0, rt.None, dead) },
			"record's CAS, old": func() {
				_, _ = rec.CompareAndSwap(th, 0, dead, rt.None)
			},
			"Record.Type":   func() { Record(dead).Type(th) },
			"Is":            func() { y.Is(th, dead) },
			"Equal":         func() { Equal(th, dead, alive) },
			"ToGo":          func() { _, _ = ToGo[any](th, dead) },
			"FromGo":        func() { _, _ = FromGo(th, dead) },
			"record's Set":  func() { _ = Record(rec).Set(th, 0, dead) },
			"Weak.Get":      func() { Weak(dead).Get(th) },
			"Foreign.Value": func() { Foreign(dead).Value(th) },
			"Hash":          func() { _, _ = Hash(th, dead) },
			"AppendJSON":    func() { _, _ = AppendJSON(th, nil, dead) },
			"Format":        func() { Format(th, dead) },
		} {
			func() {
				defer func() {
					if _, found := recover().(*rt.Misuse); !found {
						t.Errorf("%s of a dead object was accepted", name)
					}
				}()
				call()
			}()
		}
		must0(t, th.Unload(f))
		th.DecRefs([]rt.Ref{alive, d, c, rec})
	})
}

// TestForeignReleaseWaits: a release is called outside the world, so it can wait for other
// threads, and attach by itself. A release that gives up references has a thread.
func TestForeignReleaseWaits(t *testing.T) {
	forAllModes(t, func(t *testing.T, o rt.Options) {
		withRuntime(t, o, func(r *rt.Runtime) {
			released := []string{}
			must0(t, r.Do(func(th *rt.Thread) error {
				x := must(NewList(th))
				th.DecRef(must(NewForeign(th, "a", func(v any) {
					released = append(released, v.(string))
					done := make(chan error)
					go func() { _, err := r.Collect(); done <- err }()
					must0(t, <-done)
					must0(t, r.Do(func(th *rt.Thread) error { // by the same goroutine
						th.DecRef(must(NewList(th)))
						return nil
					}))
				})))
				th.DecRef(must(NewForeignOwner(th, x, func(th *rt.Thread, v any) {
					released = append(released, "owner")
					th.DecRef(v.(List))
					th.Blocking(func() {})
				})))
				if len(released) > 0 {
					t.Error("released inside DecRef")
				}
				th.Checkpoint()
				if got := strings.Join(released, " "); got != "a owner" {
					t.Errorf("released %s", got)
				}
				if o.Checked { // attached again
					defer func() {
						if recover() == nil {
							t.Error("Do by a goroutine that is attached was accepted")
						}
					}()
					_ = r.Do(func(*rt.Thread) error { return nil })
				}
				return nil
			}))
		})
	})
}

package objects

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ichor-go/ichor/internal/pagemap"
	rt "github.com/ichor-go/ichor/runtime"
)

// copied returns how many pages of a range this process has copied.
func copied(t testing.TB, r rt.SharedRange) int {
	t.Helper()
	n, err := pagemap.Read(0, r.Start, r.End)
	must0(t, err)
	return n.Copied
}

// sharedFamily has an object of every kind, in a heap that is to be shared.
type sharedFamily struct {
	mortal, born, inPlace, frozen rt.Ref
	weak, cell, big, keyed        rt.Ref
	long                          int // elements of big
}

// longFamily is the length of a list that takes several spans.
const longFamily = 3000

const familyText = `{"name": "ichor", "list": [1, 2.5, -3000000000, null, true, "ichor", {"deep": [[["x"]]]}], "empty": {}}`

// newFamily makes a sharedFamily with a list of that length. Its references are new; those
// to immortals need not be given up.
func newFamily(t testing.TB, th *rt.Thread, long int) sharedFamily {
	t.Helper()
	f := sharedFamily{long: long}
	load := func(o ...JSONOptions) rt.Ref { return must(FromJSON(th, strings.NewReader(familyText), o...)) }
	f.mortal, f.inPlace, f.born = load(), load(), load(JSONOptions{Immortal: true})
	must0(t, th.Immortalize(f.inPlace))
	original := load()
	f.frozen = must(th.Freeze(original)).Root()
	th.DecRef(original)
	f.cell = must(NewCell(th, f.mortal))
	f.weak = must(NewWeak(th, f.mortal))
	f.keyed = hostileDict(th, 400, 0) // its table depends on the runtime's seed
	var err error
	f.big, err = NewList(th)
	must0(t, err)
	for i := range long {
		v := newBig(th, i)
		must0(t, List(f.big).Append(th, v))
		if i%2 == 0 { // leaves holes between live objects
			th.DecRef(v)
			continue
		}
		th.DecRef(v)
		th.DecRef(must(NewString(th, fmt.Sprint("text that soon dies, ", i))))
	}
	return f
}

func (f sharedFamily) roots() []rt.Ref {
	return []rt.Ref{f.mortal, f.born, f.inPlace, f.frozen, f.weak, f.cell, f.big, f.keyed}
}

func familyOf(roots []rt.Ref) sharedFamily {
	return sharedFamily{roots[0], roots[1], roots[2], roots[3], roots[4], roots[5], roots[6], roots[7], longFamily}
}

// held returns the counts of mortals that the maker has.
func (f sharedFamily) held() []rt.Ref { return []rt.Ref{f.mortal, f.weak, f.cell, f.big, f.keyed} }

// look checks that all objects are as they were made.
func (f sharedFamily) look(t testing.TB, th *rt.Thread, want string) {
	t.Helper()
	for i, r := range []rt.Ref{f.mortal, f.born, f.inPlace, f.frozen} {
		if got := string(must(AppendJSON(th, nil, r))); got != want {
			t.Fatalf("root %d is %s, want %s", i, got, want)
		}
	}
	if r, ok := Weak(f.weak).Get(th); !ok || r != f.mortal {
		t.Fatalf("the weak reference refers to %s, want %s", r, f.mortal)
	}
	th.DecRef(f.mortal)
	if r := must(Cell(f.cell).Load(th)); r != f.mortal {
		t.Fatalf("the cell refers to %s, want %s", r, f.mortal)
	}
	th.DecRef(f.mortal)
	if n := List(f.big).Len(th); n != f.long {
		t.Fatalf("the long list has %d elements", n)
	}
	if !isKeyed(table(th, Dict(f.keyed))) {
		t.Fatal("keys collide, and their table is not KEYED")
	}
	for i := range 400 {
		k, _ := nearHashKey(th, i)
		if v, _ := Dict(f.keyed).Lookup(th, k); v != smallInt(i) {
			t.Fatalf("key %d is lost", i)
		}
		th.DecRef(k)
	}
	for i := range f.long {
		v, _ := List(f.big).At(th, i)
		if got := bigOf(th, v); got != i {
			t.Fatalf("element %d is %d", i, got)
		}
	}
}

func (f sharedFamily) giveUp(th *rt.Thread) {
	for _, r := range f.held() {
		th.DecRef(r)
	}
}

// use makes many changes to the heap in one process, and checks that its counts are exact.
func (f sharedFamily) use(t testing.TB, r *rt.Runtime) {
	must0(t, r.Do(func(th *rt.Thread) error {
		th.DecRef(must(Intern(th, "ichor")))
		key := must(Intern(th, "changed"))
		for _, d := range []rt.Ref{f.mortal, f.born, f.inPlace} {
			must0(t, Dict(d).Set(th, key, f.big))
		}
		if err := Dict(f.frozen).Set(th, key, rt.None); !errors.Is(err, rt.ErrFrozen) {
			t.Fatalf("a write to a frozen object gives %v", err)
		}
		th.DecRef(key)
		own := newFamily(t, th, longFamily)
		own.look(t, th, string(must(AppendJSON(th, nil, own.frozen))))
		own.giveUp(th)
		audit(t, th, f.held()...)
		for range 2500 { // whole shared spans die
			th.DecRef(must(List(f.big).Pop(th)))
		}
		cycle := must(NewList(th))
		must0(t, cycle.Append(th, cycle))
		th.DecRef(cycle)
		if c := th.Collect(); c.Freed != 1 {
			t.Fatalf("the collector freed %d objects, want the cycle", c.Freed)
		}
		audit(t, th, f.held()...)
		return nil
	}))
}

// newMemfd makes a runtime whose heap can be shared. The race detector does not see
// accesses to its objects.
func newMemfd(t testing.TB, o rt.Options) *rt.Runtime {
	t.Helper()
	o.Backing = rt.MemfdBacking
	return must(rt.New(o))
}

// Three runtimes use one heap independently, and none sees the changes of the others.
func TestShared(t *testing.T) {
	modes := forAllModes
	if racesOnly() {
		modes = aloneInModes
	}
	modes(t, func(t *testing.T, o rt.Options) {
		parent := newMemfd(t, o)
		var f sharedFamily
		var text string
		must0(t, parent.Do(func(th *rt.Thread) error {
			f = newFamily(t, th, longFamily)
			text = string(must(AppendJSON(th, nil, f.frozen)))
			return nil
		}))
		file := must(parent.Share(f.roots()...))
		look := func(r *rt.Runtime, f sharedFamily) {
			must0(t, r.Do(func(th *rt.Thread) error {
				f.look(t, th, text)
				audit(t, th, f.held()...)
				return nil
			}))
		}
		first, roots, err := rt.OpenShared(file, o)
		must0(t, err)
		look(first, familyOf(roots))
		familyOf(roots).use(t, first)
		look(parent, f)
		f.use(t, parent)
		second, roots, err := rt.OpenShared(file, o)
		must0(t, err)
		must0(t, file.Close())
		look(second, familyOf(roots))
		must0(t, parent.Do(func(th *rt.Thread) error {
			f.giveUp(th)
			return nil
		}))
		must0(t, parent.Close())
		look(second, familyOf(roots))
		must0(t, second.Do(func(th *rt.Thread) error { // gives up the parent's references
			familyOf(roots).giveUp(th)
			return nil
		}))
		must0(t, errors.Join(first.Close(), second.Close()))
	})
}

// A worker does not have the threads that made the shared objects. Its own threads have
// other ids, and merge the objects that those threads owned.
func TestSharedOwners(t *testing.T) {
	o := rt.Options{Mode: rt.LockFree, Counting: rt.Biased}
	parent := newMemfd(t, o)
	a, b := must(parent.Attach()), must(parent.Attach())
	var lists []rt.Ref
	for _, th := range []*rt.Thread{a, b, a, b} {
		lists = append(lists, must(NewList(th)))
	}
	a.Detach()
	b.Detach()
	file := must(parent.Share(lists...))
	worker, roots, err := rt.OpenShared(file, o)
	must0(t, errors.Join(err, file.Close()))
	drop := func(th *rt.Thread) error {
		must0(t, List(roots[0]).Append(th, roots[1]))
		th.DecRefs(roots)
		audit(t, th)
		return nil
	}
	must0(t, worker.Do(drop))
	must0(t, parent.Do(drop))
	must0(t, errors.Join(worker.Close(), parent.Close()))
}

// The roots of Share stay loaded, also while it runs pending calls before it shares.
func TestShareKeepsItsRoots(t *testing.T) {
	r := newMemfd(t, rt.Options{Mode: rt.LockFree})
	var f *rt.Frozen
	var w rt.Ref
	unload := errors.New("not called")
	must0(t, r.Do(func(th *rt.Thread) error {
		l := must(NewList(th, smallInt(1)))
		f = must(th.Freeze(l))
		must0(t, l.Append(th, l)) // a cycle, which Share's collection finds
		w = must(NewWeak(th, l, func(th *rt.Thread) { unload = th.Unload(f) }))
		th.DecRef(l)
		return nil
	}))
	file := must(r.Share(f.Root(), w))
	if !errors.Is(unload, rt.ErrInUse) {
		t.Errorf("unload: %v, want ErrInUse", unload)
	}
	must0(t, r.Do(func(th *rt.Thread) error {
		th.DecRef(w)
		return th.Unload(f)
	}))
	must0(t, errors.Join(file.Close(), r.Close()))
}

// Pages of objects that no thread counts are not copied.
func TestSharedPagesStayShared(t *testing.T) {
	forModes(t, func(t *testing.T, o rt.Options) {
		if o.Checked {
			return
		}
		parent := newMemfd(t, o)
		var f sharedFamily
		defer func() {
			must0(t, parent.Do(func(th *rt.Thread) error {
				th.DecRefs([]rt.Ref{f.weak, f.mortal})
				return nil
			}))
			must0(t, parent.Close())
		}()
		must0(t, parent.Do(func(th *rt.Thread) error {
			original := must(FromJSON(th, strings.NewReader("["+strings.Repeat(familyText+",", 500)+"0]")))
			f.inPlace = must(FromJSON(th, strings.NewReader("["+strings.Repeat(familyText+",", 500)+"0]")))
			must0(t, th.Immortalize(f.inPlace))
			f.frozen = must(th.Freeze(original)).Root()
			th.DecRef(original)
			f.mortal = must(NewList(th))
			f.weak = must(NewWeak(th, f.mortal)) // is in a table that the worker gets
			return nil
		}))
		file := must(parent.Share(f.frozen, f.inPlace))
		defer file.Close()
		worker, roots, err := rt.OpenShared(file, o)
		must0(t, err)
		defer func() { must0(t, worker.Close()) }()
		must0(t, worker.Do(func(th *rt.Thread) error {
			for _, r := range roots {
				must(AppendJSON(th, nil, r))
				th.IncRef(r)
				for _, v := range List(r).All(th) {
					th.IncRef(v)
					th.DecRef(v)
				}
				th.DecRef(r)
			}
			th.Collect()
			return nil
		}))
		ranges := worker.SharedRanges()
		if len(ranges) < 2 {
			t.Fatalf("ranges %v, want the counted half and the frozen graph", ranges)
		}
		for _, x := range ranges {
			if n := copied(t, x); n > 0 {
				t.Errorf("%d pages of %+v were copied", n, x)
			}
		}
		// copied does see a copied page.
		must0(t, worker.Do(func(th *rt.Thread) error { return List(roots[1]).Append(th, rt.None) }))
		n := 0
		for _, x := range ranges {
			n += copied(t, x)
		}
		if n == 0 {
			t.Error("a page was written, and the kernel reports no copy")
		}
	})
}

// A worker in another process. The process runs this test's program, which becomes the
// worker if it finds a descriptor.
func TestSharedWithAnotherProcess(t *testing.T) {
	const flag = "ICHOR_TEST_WORKER"
	o := rt.Options{Mode: rt.LockFree, Counting: rt.Biased}
	if os.Getenv(flag) != "" {
		r, roots, err := rt.OpenShared(os.NewFile(3, "heap"), o)
		must0(t, err)
		familyOf(roots).use(t, r)
		must0(t, r.Close())
		return
	}
	parent := newMemfd(t, o)
	var f sharedFamily
	must0(t, parent.Do(func(th *rt.Thread) error {
		f = newFamily(t, th, longFamily)
		return nil
	}))
	file := must(parent.Share(f.roots()...))
	defer file.Close()
	for range 2 {
		c := exec.Command(must(os.Executable()), "-test.run=^TestSharedWithAnotherProcess$", "-test.v")
		c.Env = append(os.Environ(), flag+"=1")
		c.ExtraFiles = []*os.File{file}
		if out, err := c.CombinedOutput(); err != nil || !bytes.Contains(out, []byte("PASS: TestSharedWithAnotherProcess")) {
			t.Fatalf("the worker: %v\n%s", err, out)
		}
	}
	f.use(t, parent)
	must0(t, parent.Do(func(th *rt.Thread) error {
		f.giveUp(th)
		return nil
	}))
	must0(t, parent.Close())
}

func TestShareRefusals(t *testing.T) {
	o := rt.Options{}
	fails := func(want string, err error) {
		t.Helper()
		var e *rt.ShareError
		if !errors.As(err, &e) || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
	share := func(r *rt.Runtime, roots ...rt.Ref) error {
		f, err := r.Share(roots...)
		if err == nil {
			must0(t, f.Close())
		}
		return err
	}
	plain := must(rt.New(o))
	fails("is not in a memfd", share(plain))
	must0(t, plain.Close())

	r := newMemfd(t, o)
	fails("nil reference", share(r, rt.Nil))
	must0(t, r.Do(func(th *rt.Thread) error {
		th.DecRef(must(NewForeign(th, 1, nil)))
		return nil
	}))
	var keep []rt.Ref
	must0(t, r.Do(func(th *rt.Thread) error {
		keep = append(keep, must(NewForeign(th, 1, nil)))
		return nil
	}))
	fails("hold Go values", share(r))
	must0(t, r.Do(func(th *rt.Thread) error {
		th.DecRef(keep[0])
		l := must(NewList(th))
		keep = []rt.Ref{l, must(NewWeak(th, l, func(*rt.Thread) {}))}
		return nil
	}))
	fails("callback", share(r))
	must0(t, r.Do(func(th *rt.Thread) error {
		th.DecRef(keep[1])
		th.DecRef(keep[0])
		return nil
	}))
	f := must(r.Share())
	fails("already shared", share(r))
	if err := share(r); !errors.Is(err, rt.ErrShared) {
		t.Errorf("error %v, want ErrShared", err)
	}
	open := func(f *os.File, o rt.Options) error {
		r, _, err := rt.OpenShared(f, o)
		if err == nil {
			must0(t, r.Close())
		}
		return err
	}
	fails("mode", open(f, rt.Options{Mode: rt.GIL}))
	fails("counting", open(f, rt.Options{Counting: rt.Biased}))
	fails("AddressSpace", open(f, rt.Options{AddressSpace: 1 << 30}))
	fails("Backing", open(f, rt.Options{Backing: rt.SystemBacking}))
	must0(t, open(f, o))
	worker, _, err := rt.OpenShared(f, o)
	must0(t, err)
	fails("already shared", share(worker))
	must0(t, worker.Close())
	must0(t, r.Close())
	must0(t, open(f, o)) // though the process that shared it is gone
	must0(t, f.Close())
	fails("closed", open(f, o))
	fails("invalid", open(nil, o))

	regular := must(os.Create(t.TempDir() + "/file"))
	fails("not a memfd", open(regular, o))
	must0(t, regular.Close())
	memfd := func(text string, seals int) *os.File {
		f := os.NewFile(uintptr(must(unix.MemfdCreate("test", unix.MFD_ALLOW_SEALING))), "memfd")
		must(f.WriteString(text))
		must(unix.FcntlInt(f.Fd(), unix.F_ADD_SEALS, seals))
		return f
	}
	const all = unix.F_SEAL_SEAL | unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_WRITE
	fails("not write-sealed", open(memfd("x", unix.F_SEAL_SHRINK), o))
	fails("not a shared heap", open(memfd("x", all), o))
	fails("not a shared heap", open(memfd(strings.Repeat("x", 10000), all), o))
}

// TestShareOfNothing shares a heap whose objects are all dead, and continues in it.
func TestShareOfNothing(t *testing.T) {
	r, err := rt.New(rt.Options{AddressSpace: 4 << 20, Backing: rt.MemfdBacking})
	if err != nil {
		t.Fatal(err)
	}
	birth := func(th *rt.Thread) error {
		l, err := NewList(th)
		if err == nil {
			th.DecRef(l)
		}
		return err
	}
	if err := r.Do(birth); err != nil {
		t.Fatal(err)
	}
	file, err := r.Share()
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(file.Close(), r.Do(birth), r.Close()); err != nil {
		t.Error(err)
	}
}

// TestShareFails makes each mapping that Share requests fail once. The runtime goes on, and
// its view of its memory is correct.
func TestShareFails(t *testing.T) {
	oneGoroutine(t)
	aloneInModes(t, func(t *testing.T, o rt.Options) {
		failed := errors.New("no mapping")
		for n, done := 1, false; !done; n++ {
			calls, armed := 0, false
			o.Checked, o.Inject = true, func(what rt.Injection) error {
				if armed && what == rt.MapMemory {
					if calls++; calls == n {
						return failed
					}
				}
				return nil
			}
			r := newMemfd(t, o)
			var f sharedFamily
			var text string
			must0(t, r.Do(func(th *rt.Thread) error {
				f = newFamily(t, th, 100)
				var behind []rt.Ref // spans that are used, and given back
				for range 80 {
					behind = append(behind, must(NewBytes(th, bytes.Repeat([]byte{7}, 100_000))))
				}
				for i := range behind { // checked mode keeps the last objects for a while: the lowest
					th.DecRef(behind[len(behind)-1-i])
				}
				text = string(must(AppendJSON(th, nil, f.frozen)))
				return nil
			}))
			armed = true
			file, err := r.Share(f.roots()...)
			armed = false
			if done = err == nil; done {
				must0(t, file.Close())
			} else if !errors.Is(err, failed) {
				t.Fatalf("with mapping %d failing: %v", n, err)
			}
			must0(t, r.Do(func(th *rt.Thread) error {
				f.look(t, th, text)
				g := newFamily(t, th, 100)
				g.look(t, th, text)
				cut := "[" + strings.Repeat(familyText+",", 500) // its memory is given back
				if _, err := FromJSON(th, strings.NewReader(cut), JSONOptions{Immortal: true}); err == nil {
					t.Error("half a text has been read")
				}
				born := must(FromJSON(th, strings.NewReader(familyText), JSONOptions{Immortal: true}))
				if got := string(must(AppendJSON(th, nil, born))); got != text {
					t.Errorf("born after it: %s", got)
				}
				for range 40 {
					b := must(NewBytes(th, make([]byte, 100_000)))
					if v, _ := b.View(th); strings.Trim(string(v), "\x00") != "" {
						t.Error("new bytes are not zero")
					}
					th.DecRef(b)
				}
				g.giveUp(th)
				f.giveUp(th)
				return nil
			}))
			must0(t, r.Close())
			if n == 1 && done {
				t.Error("Share maps nothing")
			}
		}
	})
}

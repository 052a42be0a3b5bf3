package objects

import (
	"bytes"
	"context"
	"errors"
	"go/ast"
	"go/build"
	"go/doc"
	"go/parser"
	"go/token"
	"io"
	"os"
	"path/filepath"
	"regexp"
	goruntime "runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.uber.org/atomic"

	rt "github.com/ichor-go/ichor/runtime"
)

// commons holds the receivers and arguments of the calls that any goroutine may make.
type commons struct {
	t       *testing.T
	r       *rt.Runtime
	o       rt.Options
	thread  *rt.Thread  // blocked, which keeps Close from succeeding
	f       *rt.Frozen  // stays loaded: a list of a dict, a float and a boxed int
	current *rt.Current // of the same graph as f
	closing *rt.Current
	list    FrozenItems
	dict    FrozenEntries
	image   string
	bytes   []byte // of the image

	shared atomic.Pointer[os.File] // the result of Share
}

func (c *commons) check(err error) {
	if err != nil {
		c.t.Error(err)
	}
}

// unload unloads f, which other goroutines may be reading.
func (c *commons) unload(f *rt.Frozen) {
	err := rt.ErrInUse
	for errors.Is(err, rt.ErrInUse) {
		err = c.r.Unload(f)
	}
	c.check(err)
}

// anyGoroutine has a call of each function and method that any goroutine may call.
var anyGoroutine = map[string]func(c *commons){
	"runtime.New": func(c *commons) {
		r, err := rt.New(rt.Options{AddressSpace: 1 << 20})
		c.check(err)
		c.check(r.Close())
	},
	"runtime.Int":                           func(*commons) { _, _ = rt.Int(7) },
	"runtime.Bool":                          func(*commons) { _ = rt.Bool(true) },
	"runtime.CheckBody":                     func(*commons) { rt.CheckBody(8) },
	"runtime.CopyBody":                      func(*commons) { rt.CopyBody(8) },
	"runtime.CheckSlots":                    func(*commons) { rt.CheckSlots(2) },
	"runtime.Runtime.QuickStats":            func(c *commons) { c.r.QuickStats() },
	"runtime.Runtime.HeapProfile":           func(c *commons) { c.r.HeapProfile() },
	"runtime.Runtime.HeapProfileRate":       func(c *commons) { c.r.HeapProfileRate() },
	"runtime.Runtime.ContentionProfile":     func(c *commons) { c.r.ContentionProfile() },
	"runtime.Runtime.ContentionProfileRate": func(c *commons) { c.r.ContentionProfileRate() },
	"runtime.Runtime.Threads":               func(c *commons) { _ = c.r.Threads(false) },
	"runtime.Wait.String":                   func(*commons) { _ = rt.WaitGIL.String() },
	"runtime.ReadHeapSnapshot": func(c *commons) {
		if _, err := rt.ReadHeapSnapshot(strings.NewReader("no snapshot")); err == nil {
			c.t.Error("a text is a snapshot")
		}
	},
	"runtime.DefineType": func(c *commons) { // an error: a type that was defined would stay
		if _, err := rt.DefineType(rt.Type{Name: ""}); err == nil {
			c.t.Error("a type without a name")
		}
	},
	"runtime.ReadImageInfo": func(c *commons) {
		_, err := rt.ReadImageInfo(c.image)
		c.check(err)
	},
	"runtime.OpenShared": func(c *commons) {
		if file := c.shared.Load(); file != nil {
			r, _, err := rt.OpenShared(file, rt.Options{Mode: c.o.Mode, Counting: c.o.Counting})
			c.check(err)
			c.check(r.Close())
		}
	},

	"runtime.Runtime.Attach": func(c *commons) {
		th, err := c.r.Attach()
		c.check(err)
		th.DecRef(must(NewListSteal(th, must(NewDict(th)))))
		th.Collect()
		th.Detach()
	},
	"runtime.Runtime.AttachContext": func(c *commons) {
		ctx, cancel := context.WithCancel(context.Background())
		go cancel()
		th, err := c.r.AttachContext(ctx)
		if err == nil {
			th.DecRef(must(NewDict(th)))
			th.Detach()
		} else if !errors.Is(err, context.Canceled) {
			c.t.Error(err)
		}
	},
	"runtime.Runtime.Close": func(c *commons) {
		var e *rt.AttachedError
		if err := c.r.Close(); !errors.As(err, &e) {
			c.t.Errorf("closed beside a thread that is attached: %v", err)
		}
	},
	"runtime.Runtime.CloseContext": func(c *commons) {
		ctx, cancel := context.WithCancel(context.Background())
		cancel() // or other goroutines could not attach
		if err := c.r.CloseContext(ctx); !errors.Is(err, context.Canceled) {
			c.t.Errorf("closed beside a thread that is attached: %v", err)
		}
	},
	"runtime.Runtime.DoContext": func(c *commons) {
		c.check(c.r.DoContext(c.t.Context(), func(th *rt.Thread) error { return c.f.Use(th, func(rt.Ref) error { return nil }) }))
	},
	"runtime.NewCurrent": func(c *commons) {
		f, err := c.r.OpenImageAt(bytes.NewReader(c.bytes))
		c.check(err)
		x, err := rt.NewCurrent(f)
		c.check(err)
		c.check(x.Close(c.t.Context()))
	},
	"runtime.Current.Replace": func(c *commons) {
		f, err := c.r.OpenImageAt(bytes.NewReader(c.bytes))
		c.check(err)
		c.check(c.current.Replace(c.t.Context(), f))
	},
	"runtime.Current.Close": func(c *commons) { // while other goroutines use it
		c.check(c.closing.Close(c.t.Context()))
		c.check(c.r.Do(func(th *rt.Thread) error {
			if err := c.closing.Use(th, nil); err != rt.ErrCurrentClosed {
				c.t.Errorf("use: %v", err)
			}
			return c.current.Use(th, func(root rt.Ref) error {
				th.Checkpoint()
				List(root).Len(th)
				return nil
			})
		}))
	},
	"runtime.Runtime.Do": func(c *commons) {
		c.check(c.r.Do(func(th *rt.Thread) error {
			th.ReadStats()
			return th.Audit()
		}))
	},
	"runtime.DoValue": func(c *commons) {
		_, err := rt.DoValue(c.r, func(th *rt.Thread) (rt.Stats, error) { return th.ReadStats(), nil })
		c.check(err)
	},
	"runtime.Runtime.Run": func(c *commons) {
		c.check(c.r.Run(context.Background(), 2, func(_ context.Context, th *rt.Thread, _ int) error {
			th.DecRef(must(NewString(th, "a string of some length")))
			return nil
		}))
	},
	"runtime.Runtime.Freeze": func(c *commons) {
		f, err := c.r.Freeze(c.f.Root())
		c.check(err)
		c.f.Contains(f.Root())
		c.unload(f)
	},
	"runtime.Runtime.FreezeContext": func(c *commons) {
		f, err := c.r.FreezeContext(c.t.Context(), rt.EmptyString)
		c.check(err)
		c.check(c.r.UnloadContext(c.t.Context(), f))
	},
	"runtime.Runtime.Immortalize": func(c *commons) { c.check(c.r.Immortalize(rt.None)) },
	"runtime.Runtime.OpenImage": func(c *commons) {
		f, err := c.r.OpenImage(c.image)
		c.check(err)
		c.unload(f)
	},
	"runtime.Runtime.OpenImageAt": func(c *commons) {
		f, err := c.r.OpenImageAt(bytes.NewReader(c.bytes))
		c.check(err)
		c.unload(f)
	},
	"runtime.Runtime.Share": func(c *commons) {
		file, err := c.r.Share(c.f.Root())
		if err == nil {
			c.shared.Store(file)
		}
	},
	"runtime.Runtime.CollectorStats": func(c *commons) { c.r.CollectorStats() },
	"runtime.Runtime.Frozen":         func(c *commons) { c.r.Frozen() },
	"runtime.Runtime.GILStats":       func(c *commons) { c.r.GILStats() },
	"runtime.Runtime.Memory":         func(c *commons) { c.r.Memory() },
	"runtime.Runtime.Mode":           func(c *commons) { c.r.Mode() },
	"runtime.Runtime.Name":           func(c *commons) { c.r.Name() },
	"runtime.Runtime.String":         func(c *commons) { _ = c.r.String() },
	"runtime.Runtime.SharedRanges":   func(c *commons) { c.r.SharedRanges() },
	"runtime.Runtime.WorldStats":     func(c *commons) { c.r.WorldStats() },

	"runtime.Frozen.Root":     func(c *commons) { c.each((*rt.Frozen).Root) },
	"runtime.Frozen.String":   func(c *commons) { c.each(func(f *rt.Frozen) rt.Ref { _ = f.String(); return rt.Nil }) },
	"runtime.Frozen.Bytes":    func(c *commons) { c.each(func(f *rt.Frozen) rt.Ref { f.Bytes(); return rt.Nil }) },
	"runtime.Frozen.Objects":  func(c *commons) { c.each(func(f *rt.Frozen) rt.Ref { f.Objects(); return rt.Nil }) },
	"runtime.Frozen.Mapped":   func(c *commons) { c.each(func(f *rt.Frozen) rt.Ref { f.Mapped(); return rt.Nil }) },
	"runtime.Frozen.Sealed":   func(c *commons) { c.each(func(f *rt.Frozen) rt.Ref { f.Sealed(); return rt.Nil }) },
	"runtime.Frozen.Start":    func(c *commons) { c.each(func(f *rt.Frozen) rt.Ref { f.Start(); return rt.Nil }) },
	"runtime.Frozen.Contains": func(c *commons) { c.each(func(f *rt.Frozen) rt.Ref { f.Contains(rt.None); return rt.Nil }) },
	"runtime.Frozen.Types":    func(c *commons) { c.each(func(f *rt.Frozen) rt.Ref { f.Types(); return rt.Nil }) },
	"runtime.Frozen.WriteTo": func(c *commons) {
		_, err := c.f.WriteTo(io.Discard)
		c.check(err)
	},
	"runtime.Frozen.WriteFile": func(c *commons) { c.check(c.f.WriteFile(c.image)) },
	"runtime.Frozen.WriteFileContext": func(c *commons) {
		c.check(c.f.WriteFileContext(context.Background(), c.image))
	},
	"runtime.Handle.MarshalJSON":   func(*commons) { _, _ = rt.None.MarshalJSON() },
	"runtime.Handle.UnmarshalJSON": func(*commons) { r := rt.None; _ = r.UnmarshalJSON(nil) },
	"runtime.Heap.FrozenFloat": func(c *commons) {
		if v, ok := c.r.FrozenFloat(c.list.At(1)); !ok || v != 0.5 {
			c.t.Errorf("the float is %g", v)
		}
	},
	"runtime.Heap.FrozenKind": func(c *commons) { c.r.FrozenKind(c.f.Root()) },
	"runtime.Heap.Home":       func(c *commons) { c.r.Home(c.f.Root()) },
	"runtime.Home.Ref":        func(c *commons) { _ = c.r.Home(c.f.Root()).Ref(rt.None) },
	"runtime.Thread.SetName":  func(c *commons) { c.thread.SetName("named") },
	"runtime.Thread.String":   func(c *commons) { _ = c.thread.String() },
	"runtime.Thread.LockFree": func(c *commons) { c.thread.LockFree() },
	"runtime.Thread.Runtime":  func(c *commons) { c.thread.Runtime() },

	"objects.Bool.Value":        func(*commons) { _, _ = Bool(rt.True).Value() },
	"objects.Int.String":        func(*commons) { _ = Int(rt.None).String() },
	"objects.Float.String":      func(*commons) { _ = Float(rt.None).String() },
	"objects.Bool.String":       func(*commons) { _ = Bool(rt.None).String() },
	"objects.Number.String":     func(*commons) { _ = Number(rt.None).String() },
	"objects.String.String":     func(*commons) { _ = String(rt.None).String() },
	"objects.Bytes.String":      func(*commons) { _ = Bytes(rt.None).String() },
	"objects.Tuple.String":      func(*commons) { _ = Tuple(rt.None).String() },
	"objects.List.String":       func(*commons) { _ = List(rt.None).String() },
	"objects.Dict.String":       func(*commons) { _ = Dict(rt.None).String() },
	"objects.Record.String":     func(*commons) { _ = Record(rt.None).String() },
	"objects.Cell.String":       func(*commons) { _ = Cell(rt.None).String() },
	"objects.Weak.String":       func(*commons) { _ = Weak(rt.None).String() },
	"objects.Foreign.String":    func(*commons) { _ = Foreign(rt.None).String() },
	"objects.FrozenItems.Len":   func(c *commons) { c.list.Len() },
	"objects.FrozenItems.At":    func(c *commons) { c.list.At(0) },
	"objects.FrozenItems.All":   func(c *commons) { c.list.All()(func(int, rt.Ref) bool { return true }) },
	"objects.FrozenEntries.Len": func(c *commons) { c.dict.Len() },
	"objects.FrozenEntries.At":  func(c *commons) { c.dict.At(0) },
	"objects.FrozenEntries.All": func(c *commons) { c.dict.All()(func(_, _ rt.Ref) bool { return true }) },
	"objects.DefineRecord": func(c *commons) {
		if _, err := DefineRecord("", "x"); err == nil {
			c.t.Error("a record type without a name")
		}
	},
	"objects.RecordType.Fields": func(*commons) { imagePoint.Fields() },
	"objects.RecordType.Index":  func(*commons) { imagePoint.Index("x") },
}

// each calls a method of a loaded graph, also while the graph is being unloaded.
func (c *commons) each(method func(f *rt.Frozen) rt.Ref) {
	for _, f := range c.r.Frozen() {
		method(f)
	}
}

// TestAnyGoroutine makes all calls that any goroutine may make, each concurrently with each
// other one, for the race detector.
func TestAnyGoroutine(t *testing.T) {
	if goruntime.GOOS == "js" {
		t.Skip("SKIPPED: needs several threads, and there is only one here")
	}
	forModes(t, func(t *testing.T, o rt.Options) {
		backings := []rt.Backing{rt.AutoBacking}
		if goruntime.GOOS == "linux" {
			backings = append(backings, rt.MemfdBacking) // which can be shared
		}
		rounds := 3
		if raceEnabled && !testing.Short() {
			rounds = 10
		}
		for _, backing := range backings {
			for range rounds {
				o.AddressSpace, o.Backing, o.CollectAfter = smallSpace, backing, 50
				profiled := o
				profiled.HeapProfileRate, profiled.ContentionProfileRate = 1<<10, 1
				c := &commons{t: t, r: must(rt.New(profiled)), o: o, image: filepath.Join(t.TempDir(), "image")}
				must0(t, c.r.Do(func(th *rt.Thread) error {
					d, x, big := must(NewDict(th)), must(NewFloat(th, 0.5)), newBig(th, 1)
					must0(t, d.Set(th, smallInt(1), smallInt(2)))
					l := must(NewListSteal(th, d, x, big))
					c.f = must(th.Freeze(l))
					th.DecRef(l)
					c.list, _ = List(c.f.Root()).FrozenItems(th)
					c.dict, _ = Dict(c.list.At(0)).FrozenEntries(th)
					return c.f.WriteFile(c.image)
				}))
				c.bytes = must(os.ReadFile(c.image))
				open := func() *rt.Current { return must(rt.NewCurrent(must(c.r.OpenImageAt(bytes.NewReader(c.bytes))))) }
				c.current, c.closing = open(), open()
				c.thread = must(c.r.Attach())
				c.thread.Blocking(func() {
					var all sync.WaitGroup
					for _, call := range anyGoroutine {
						all.Go(func() {
							for range 3 {
								call(c)
							}
						})
					}
					all.Wait()
				})
				c.thread.Detach()
				if file := c.shared.Load(); file != nil {
					must0(t, file.Close())
				} else if backing == rt.MemfdBacking {
					t.Log("it was not shared: something was under way each time")
				}
				must0(t, c.current.Close(t.Context()))
				must0(t, c.r.Unload(c.f))
				must0(t, c.r.CloseContext(t.Context()))
			}
		}
	})
}

// TestAnyGoroutineIsComplete finds calls that are documented for any goroutine and that
// TestAnyGoroutine does not make.
func TestAnyGoroutineIsComplete(t *testing.T) {
	says := regexp.MustCompile(`(?i)\bany goroutine\b`)
	found := map[string]bool{}
	for pkg, dir := range map[string]string{"runtime": "../runtime", "objects": "."} {
		fset := token.NewFileSet()
		var files []*ast.File
		for _, name := range must(filepath.Glob(filepath.Join(dir, "*.go"))) {
			if built := must(build.Default.MatchFile(dir, filepath.Base(name))); built && !strings.HasSuffix(name, "_test.go") {
				files = append(files, must(parser.ParseFile(fset, name, nil, parser.ParseComments)))
			}
		}
		p := must(doc.NewFromFiles(fset, files, pkg))
		add := func(of string, fs []*doc.Func) {
			for _, f := range fs {
				text := strings.Join(strings.Fields(f.Doc), " ")
				if says.MatchString(text) && !strings.Contains(text, "Any goroutine may have") {
					found[pkg+"."+of+f.Name] = true
				}
			}
		}
		add("", p.Funcs)
		for _, y := range p.Types {
			add("", y.Funcs)
			add(y.Name+".", y.Methods)
		}
	}
	if len(found) < 40 {
		t.Errorf("only %d such calls were found", len(found))
	}
	var missing []string
	for name := range found {
		if anyGoroutine[name] == nil {
			missing = append(missing, name)
		}
	}
	for name := range anyGoroutine {
		if !found[name] {
			missing = append(missing, name+", which is no longer one")
		}
	}
	slices.Sort(missing)
	for _, name := range missing {
		t.Errorf("not in the table: %s", name)
	}
}

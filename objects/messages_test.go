package objects

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	rt "github.com/ichor-go/ichor/runtime"
)

// failing has calls that fail, with an error or a panic, on thread th of runtime r.
func failing(t *testing.T, r *rt.Runtime, th *rt.Thread) map[string]func() error {
	const long = 11 // larger than the bounds in TestMessages
	text := strings.Repeat("x", long)
	items := make([]rt.Ref, long)
	for i := range items {
		items[i] = rt.None
	}
	list, dict, cell := must(NewList(th)), must(NewDict(th)), must(NewCell(th, rt.None))
	d, l, c := Dict(dict), List(list), Cell(cell)
	point := must(DefineRecord("point of messages", "x", "y"))
	p := must(point.New(th, rt.None, rt.None))
	f := must(th.Freeze(list))
	frozenList := List(f.Root())
	folder := t.TempDir()
	broken := filepath.Join(folder, "broken")
	ok(os.WriteFile(broken, []byte("no image"), 0o600))
	t.Cleanup(func() {
		must0(t, r.Do(func(th *rt.Thread) error { th.DecRefs([]rt.Ref{list, dict, cell, p}); return nil }))
		must0(t, r.Unload(f))
		must0(t, r.Close())
	})
	second := func(_ any, err error) error { return err }
	calls := map[string]func() error{
		"options":           func() error { return second(rt.New(rt.Options{MemoryLimit: -1})) },
		"reserve":           func() error { return second(rt.New(rt.Options{AddressSpace: 1 << 60})) },
		"type without name": func() error { return second(rt.DefineType(rt.Type{})) },
		"two of Traverse": func() error {
			return second(rt.DefineType(rt.Type{Name: "a", Traverse: listType.Traverse, Slots: listType.Slots}))
		},
		"Freezing":       func() error { return second(rt.DefineType(rt.Type{Name: "a", Freezing: &rt.Freezing{}})) },
		"record":         func() error { return second(DefineRecord("", "x")) },
		"field":          func() error { return second(DefineRecord("a", "x", "x")) },
		"no field":       func() error { return second(DefineRecord("a", "")) },
		"field's text":   func() error { return second(DefineRecord("a", "\xff")) },
		"values":         func() error { return second(point.New(th, rt.None)) },
		"no value":       func() error { return second(point.New(th, rt.None, rt.Nil)) },
		"get field":      func() error { return second(p.Get(th, 2)) },
		"get of another": func() error { return second(Record(list).Get(th, 0)) },
		"set field":      func() error { return p.Set(th, 0, rt.Nil) },
		"list":           func() error { return second(NewList(th, rt.Nil)) },
		"long list":      func() error { return second(NewList(th, items...)) },
		"append":         func() error { return l.Append(th, rt.Nil) },
		"no list":        func() error { return List(dict).Append(th, rt.None) },
		"index":          func() error { return second(l.Get(th, 3)) },
		"compare field":  func() error { return second(p.CompareAndSwap(th, 0, rt.Nil, rt.None)) },
		"pop":            func() error { return second(l.Pop(th)) },
		"pop first":      func() error { return second2(d.PopFirst(th)) },
		"swap":           func() error { return second2(d.Swap(th, rt.None, rt.Nil)) },
		"compare value":  func() error { return second(d.CompareAndSwap(th, rt.None, rt.Nil, rt.None)) },
		"sum":            func() error { return (&OverflowError{1, 2}) },
		"from Go":        func() error { return second(FromGo(th, []any{make(chan int)})) },
		"from Go text":   func() error { return second(FromGo(th, "\xff")) },
		"from Go ref":    func() error { return second(FromGo(th, []List{list})) },
		"from Go nil":    func() error { return second(FromGo(th, []any{rt.Nil})) },
		"to Go":          func() error { return second(ToGo[[]int](th, cell)) },
		"to Go float":    func() error { return second(ToGo[int8](th, smallInt(300))) },
		"frozen":         func() error { return frozenList.Append(th, rt.None) },
		"tuple":          func() error { return second(NewTuple(th, rt.Nil)) },
		"long tuple":     func() error { return second(NewTuple(th, items...)) },
		"string":         func() error { return second(NewString(th, "a\xff")) },
		"long string":    func() error { return second(NewString(th, text)) },
		"key":            func() error { return second(d.Get(th, rt.None)) },
		"hash":           func() error { return second(d.Get(th, list)) },
		"value":          func() error { return d.Set(th, rt.None, rt.Nil) },
		"cell":           func() error { return second(NewCell(th, rt.Nil)) },
		"store":          func() error { return c.Store(th, rt.Nil) },
		"compare":        func() error { return second(c.CompareAndSwap(th, rt.Nil, rt.None)) },
		"weak":           func() error { return second(NewWeak(th, rt.Nil)) },
		"JSON":           func() error { return second(FromJSON(th, strings.NewReader("["))) },
		"JSON options":   func() error { return second(FromJSON(th, strings.NewReader("1"), JSONOptions{MaxDepth: -1})) },
		"to JSON":        func() error { return second(AppendJSON(th, nil, cell)) },
		"freeze nil":     func() error { return second(th.Freeze(rt.Nil)) },
		"freeze cell":    func() error { return second(th.Freeze(cell)) },
		"immortalize":    func() error { return th.Immortalize(rt.Nil) },
		"immortally":     func() error { return th.Immortally(func() error { return th.Immortally(nil) }) },
		"unload":         func() error { return th.Unload(nil) },
		"image":          func() error { return second(r.OpenImage(broken)) },
		"no file":        func() error { return second(r.OpenImage(filepath.Join(folder, "none"))) },
		"image at":       func() error { return second(r.OpenImageAt(bytes.NewReader(nil))) },
		"write image":    func() error { return f.WriteFile(folder) },
		"shared":         func() error { return second2(rt.OpenShared(os.Stdin, rt.Options{PauseBudget: 2})) },
		"shared options": func() error { return second2(rt.OpenShared(os.Stdin, rt.Options{AddressSpace: 1 << 20})) },
		"audit":          func() error { return th.Audit(list) },
		"close":          func() error { return (&rt.AttachedError{Threads: []string{"thread 1"}}) },
		"pending":        func() error { return &rt.PendingError{Calls: 1} },
		"leak":           func() error { return &rt.LeakError{Types: []rt.Leak{{Type: "a", Count: 1}}} },
		"panic of panic": func() error {
			return &rt.PanicError{Where: "callback", Value: &rt.PanicError{Where: "release", Value: "x"}}
		},
		"freeze of freeze": func() error {
			return &rt.FreezeError{Path: "root", Type: "a", Err: errors.Join(rt.ErrMemoryLimit, rt.ErrFrozen)}
		},
		"image of image": func() error { return &rt.ImageError{Name: "a", Err: rt.ErrAddressSpace} },
		"share of share": func() error { return &rt.ShareError{Op: "share", Err: rt.ErrShared} },
		"run":            func() error { return runOfPanics(0) },
		"worker":         func() error { return runOfPanics(1) },
	}
	if r.Mode() == rt.LockFree {
		calls["unlock"] = func() error { th.Unlock(th.Body(list), 0); return nil }
	}
	return calls
}

// runOfPanics is a Run with n workers that panic with an error of the library.
func runOfPanics(n int) (err error) {
	r := must(rt.New(rt.Options{AddressSpace: smallSpace}))
	defer func() { ok(r.Close()) }()
	return r.Run(context.Background(), n, func(context.Context, *rt.Thread, int) error { panic(rt.ErrClosed) })
}

func second2(_, _ any, err error) error { return err }

// TestMessages: each message of an error or a panic begins with the library's name, and has
// it once.
func TestMessages(t *testing.T) {
	for _, most := range []*int{&maxItems, &maxTuple, &maxText} {
		was := *most
		*most = 10
		defer func() { *most = was }()
	}
	for _, o := range []rt.Options{{Mode: rt.GIL}, {Mode: rt.LockFree}} {
		o.AddressSpace = smallSpace
		r := must(rt.New(o))
		must0(t, r.Do(func(th *rt.Thread) error {
			for name, call := range failing(t, r, th) {
				err := failureOf(call)
				if err == nil {
					t.Errorf("%s does not fail", name)
					continue
				}
				if text := err.Error(); !strings.HasPrefix(text, "ichor: ") || strings.Count(text, "ichor: ") != 1 {
					t.Errorf("%s: %s", name, text)
				}
			}
			return nil
		}))
	}
}

// failureOf returns the error of a call, or the value of its panic.
func failureOf(call func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			e, isError := p.(error)
			if !isError {
				e = fmt.Errorf("a panic with %v, which is not an error", p)
			}
			err = e
		}
	}()
	return call()
}

// TestSentinels: callers can tell apart the errors that they may want to.
func TestSentinels(t *testing.T) {
	for _, most := range []*int{&maxItems, &maxTuple, &maxText} {
		was := *most
		*most = 10
		defer func() { *most = was }()
	}
	r := must(rt.New(rt.Options{AddressSpace: smallSpace}))
	must0(t, r.Do(func(th *rt.Thread) error {
		calls := failing(t, r, th)
		for name, want := range map[string]error{
			"no value": rt.ErrNilRef, "set field": rt.ErrNilRef, "list": rt.ErrNilRef, "append": rt.ErrNilRef, "tuple": rt.ErrNilRef,
			"value": rt.ErrNilRef, "cell": rt.ErrNilRef, "store": rt.ErrNilRef, "compare": rt.ErrNilRef, "weak": rt.ErrNilRef,
			"freeze nil": rt.ErrNilRef, "immortalize": rt.ErrNilRef, "string": ErrNotUTF8, "field's text": ErrNotUTF8,
			"frozen": rt.ErrFrozen, "freeze cell": rt.ErrNotFreezable, "unload": rt.ErrUnloaded, "image of image": rt.ErrMemoryLimit,
			"no file": os.ErrNotExist, "pop": ErrEmpty, "pop first": ErrEmpty, "swap": rt.ErrNilRef, "compare value": rt.ErrNilRef,
			"compare field": rt.ErrNilRef, "from Go nil": rt.ErrNilRef, "from Go text": ErrNotUTF8,
		} {
			if err := failureOf(calls[name]); !errors.Is(err, want) {
				t.Errorf("%s: %v is not %v", name, err, want)
			}
		}
		for name, want := range map[string]any{
			"options": new(*rt.OptionsError), "JSON options": new(*rt.OptionsError), "shared": new(*rt.OptionsError),
			"long list": new(*rt.SizeError), "long tuple": new(*rt.SizeError), "long string": new(*rt.SizeError),
			"get field": new(*FieldError), "get of another": new(*rt.TypeError), "unlock": new(*rt.Misuse), "index": new(*IndexError),
			"from Go": new(*ConvertError), "to Go": new(*ConvertError), "to Go float": new(*json.UnmarshalTypeError),
		} {
			if err := failureOf(calls[name]); !errors.As(err, want) {
				t.Errorf("%s: %v is not a %T", name, err, want)
			}
		}
		return nil
	}))
	if !errors.Is(rt.ErrAddressSpace, rt.ErrMemoryLimit) || errors.Is(rt.ErrMemoryLimit, rt.ErrAddressSpace) {
		t.Error("the addresses are not a case of the memory limit")
	}
	if got := (&IndexError{2, 0}).Error(); got != "ichor: index 2 is out of range: the list has 0 items" {
		t.Errorf("of an empty list: %s", got)
	}
}

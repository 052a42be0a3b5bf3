package main

import (
	"errors"

	"github.com/dop251/goja"
	lua "github.com/yuin/gopher-lua"

	"github.com/ichor-go/ichor/bench/experiment"
	"github.com/ichor-go/ichor/objects"
	rt "github.com/ichor-go/ichor/runtime"
)

// ichorHost is a frozen graph that engines read in place.
type ichorHost struct {
	r     *rt.Runtime
	graph objects.List
}

func (h *ichorHost) build(entries int) (err error) {
	if h.r, err = experiment.NewRuntime(experiment.ModeAtomic); err != nil {
		return err
	}
	return h.r.Do(func(t *rt.Thread) error {
		graph, err := objects.NewList(t)
		if err != nil {
			return err
		}
		defer t.DecRef(graph)
		for i := range entries {
			err := t.Scope(func(s *rt.Scope) {
				e := objects.Dict(s.Own(objects.NewDict(t)))
				set := func(name string, v rt.Ref) { s.Check(e.Set(t, s.Own(objects.NewString(t, name)), v)) }
				set("id", s.Own(objects.NewInt(t, int64(i))))
				set("name", s.Own(objects.NewString(t, vmsName(i))))
				set("price", s.Own(objects.NewFloat(t, vmsPrice(i))))
				set("stock", s.Own(objects.NewInt(t, int64(vmsStock(i)))))
				s.Check(objects.List(graph).Append(t, e))
			})
			if err != nil {
				return err
			}
			t.Checkpoint()
		}
		f, err := t.Freeze(graph)
		if err == nil {
			h.graph = objects.List(f.Root())
		}
		return err
	})
}

func (h *ichorHost) close() error {
	if h.r == nil {
		return nil
	}
	return h.r.Close()
}

// hostFleet has engines that share the graph of a host.
type hostFleet struct {
	*ichorHost
	engine func(v *hostView, entries int) (engine, error)
}

func (f *hostFleet) with(entries int, fn func(engine) error) error {
	v := &hostView{graph: f.graph, keys: map[string]rt.Ref{}}
	e, err := f.engine(v, entries)
	if err != nil {
		return err
	}
	return errors.Join(fn(&hostEngine{e, v, f.r}), f.r.Do(func(t *rt.Thread) error {
		for _, key := range v.keys {
			t.DecRef(key)
		}
		return nil
	}))
}

// hostEngine is attached while a script runs.
type hostEngine struct {
	engine
	view *hostView
	r    *rt.Runtime
}

func (e *hostEngine) sum(from, n int) (sum float64, err error) {
	err = e.r.Do(func(t *rt.Thread) error {
		e.view.t = t
		sum, err = e.engine.sum(from, n)
		return err
	})
	return sum, err
}

// hostView gives an engine access to the graph: the thread that its script runs on, and the
// names of the fields. The references that it returns are borrowed from the frozen graph, and
// valid until the graph is unloaded.
type hostView struct {
	t     *rt.Thread
	graph objects.List
	keys  map[string]rt.Ref
}

// field returns the value of an entry's field, and false if there is none.
func (v *hostView) field(entry objects.Dict, name string) (rt.Ref, bool) {
	key, ok := v.keys[name]
	if !ok {
		var err error
		if key, err = objects.NewString(v.t, name); err != nil {
			return rt.Nil, false
		}
		v.keys[name] = key
	}
	return entry.Lookup(v.t, key)
}

// gojaHostGraph is the graph as a goja array.
type gojaHostGraph struct {
	*hostView
	vm *goja.Runtime
}

func gojaOnHost(v *hostView, entries int) (engine, error) {
	vm := goja.New()
	if err := vm.Set("graph", vm.NewDynamicArray(&gojaHostGraph{v, vm})); err != nil {
		return nil, err
	}
	return newGojaEngine(vm, entries)
}

func (g *gojaHostGraph) Len() int               { return g.graph.Len(g.t) }
func (*gojaHostGraph) Set(int, goja.Value) bool { return false }
func (*gojaHostGraph) SetLen(int) bool          { return false }
func (g *gojaHostGraph) Get(i int) goja.Value {
	r, ok := g.graph.At(g.t, i)
	if !ok {
		return goja.Undefined()
	}
	return g.vm.NewDynamicObject(&gojaHostEntry{g, objects.Dict(r)})
}

// gojaHostEntry is an entry as a goja object.
type gojaHostEntry struct {
	*gojaHostGraph
	entry objects.Dict
}

func (e *gojaHostEntry) Get(name string) goja.Value {
	r, ok := e.field(e.entry, name)
	if !ok {
		return nil
	}
	if x, ok := objects.Float(r).Value(e.t); ok {
		return e.vm.ToValue(x)
	}
	if n, ok := objects.Int(r).Value(e.t); ok {
		return e.vm.ToValue(n)
	}
	text, _ := objects.String(r).Text(e.t)
	return e.vm.ToValue(text)
}

func (e *gojaHostEntry) Has(name string) bool {
	_, ok := e.field(e.entry, name)
	return ok
}

func (*gojaHostEntry) Set(string, goja.Value) bool { return false }
func (*gojaHostEntry) Delete(string) bool          { return false }

func (e *gojaHostEntry) Keys() (names []string) {
	for key := range e.entry.All(e.t) {
		name, _ := objects.String(key).Text(e.t)
		names = append(names, name)
	}
	return names
}

// luaOnHost has the graph and its entries as userdata.
func luaOnHost(v *hostView, entries int) (engine, error) {
	l := lua.NewState()
	entryMeta, graphMeta := l.NewTable(), l.NewTable()
	entryMeta.RawSetString("__index", l.NewFunction(func(l *lua.LState) int {
		r, ok := v.field(l.CheckUserData(1).Value.(objects.Dict), l.CheckString(2))
		if !ok {
			l.Push(lua.LNil)
			return 1
		}
		if x, ok := objects.Float(r).Value(v.t); ok {
			l.Push(lua.LNumber(x))
		} else if n, ok := objects.Int(r).Value(v.t); ok {
			l.Push(lua.LNumber(n))
		} else {
			text, _ := objects.String(r).Text(v.t)
			l.Push(lua.LString(text))
		}
		return 1
	}))
	graphMeta.RawSetString("__index", l.NewFunction(func(l *lua.LState) int {
		r, ok := v.graph.At(v.t, l.CheckInt(2))
		if !ok {
			l.Push(lua.LNil)
			return 1
		}
		l.Push(&lua.LUserData{Value: objects.Dict(r), Metatable: entryMeta, Env: l.Env})
		return 1
	}))
	l.SetGlobal("graph", &lua.LUserData{Value: v.graph, Metatable: graphMeta, Env: l.Env})
	return newLuaEngine(l, entries)
}

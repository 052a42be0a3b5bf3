package main

import (
	"errors"
	"fmt"

	"github.com/dop251/goja"
	lua "github.com/yuin/gopher-lua"
	"go.starlark.net/starlark"
	"go.starlark.net/syntax"
)

// gojaScript defines sum over a graph in a global variable.
var gojaScript = fmt.Sprintf(`
function sum(entries, from, n) {
	var total = 0;
	for (var k = 0; k < n; k++) {
		var e = graph[(from + k * %d) %% entries];
		total += e.price + e.name.length;
	}
	return total;
}`, vmsStride)

// gojaEngine is a goja runtime.
type gojaEngine struct {
	vm      *goja.Runtime
	sumOf   goja.Callable
	entries int
}

func newGojaEngine(vm *goja.Runtime, entries int) (engine, error) {
	if _, err := vm.RunString(gojaScript); err != nil {
		return nil, err
	}
	sumOf, ok := goja.AssertFunction(vm.Get("sum"))
	if !ok {
		return nil, errors.New("sum is not a function")
	}
	return &gojaEngine{vm, sumOf, entries}, nil
}

func (e *gojaEngine) sum(from, n int) (float64, error) {
	v, err := e.sumOf(goja.Undefined(), e.vm.ToValue(e.entries), e.vm.ToValue(from), e.vm.ToValue(n))
	if err != nil {
		return 0, err
	}
	return v.ToFloat(), nil
}

func gojaWithCopy(entries int) (engine, error) {
	vm := goja.New()
	graph := vm.NewArray()
	for i := range entries {
		e := vm.NewObject()
		err := errors.Join(e.Set("id", i), e.Set("name", vmsName(i)), e.Set("price", vmsPrice(i)), e.Set("stock", vmsStock(i)),
			graph.Set(fmt.Sprint(i), e))
		if err != nil {
			return nil, err
		}
	}
	if err := vm.Set("graph", graph); err != nil {
		return nil, err
	}
	return newGojaEngine(vm, entries)
}

// luaScript defines sum over a graph in a global variable.
var luaScript = fmt.Sprintf(`
function sum(entries, from, n)
	local total = 0
	for k = 0, n - 1 do
		local e = graph[(from + k * %d) %% entries]
		total = total + e.price + #e.name
	end
	return total
end`, vmsStride)

// luaEngine is a gopher-lua state.
type luaEngine struct {
	state   *lua.LState
	entries int
}

func newLuaEngine(l *lua.LState, entries int) (engine, error) {
	return &luaEngine{l, entries}, l.DoString(luaScript)
}

func (e *luaEngine) sum(from, n int) (float64, error) {
	l := e.state
	err := l.CallByParam(lua.P{Fn: l.GetGlobal("sum"), NRet: 1, Protect: true}, lua.LNumber(e.entries), lua.LNumber(from), lua.LNumber(n))
	if err != nil {
		return 0, err
	}
	defer l.Pop(1)
	v, ok := l.Get(-1).(lua.LNumber)
	if !ok {
		return 0, errors.New("sum returns no number")
	}
	return float64(v), nil
}

func luaWithCopy(entries int) (engine, error) {
	l := lua.NewState()
	graph := l.CreateTable(entries, 1)
	for i := range entries {
		e := l.CreateTable(0, 4)
		e.RawSetString("id", lua.LNumber(i))
		e.RawSetString("name", lua.LString(vmsName(i)))
		e.RawSetString("price", lua.LNumber(vmsPrice(i)))
		e.RawSetString("stock", lua.LNumber(vmsStock(i)))
		graph.RawSetInt(i, e)
	}
	l.SetGlobal("graph", graph)
	return newLuaEngine(l, entries)
}

// starlarkScript defines sum over a graph in a parameter.
var starlarkScript = fmt.Sprintf(`
def sum(graph, entries, start, n):
	total = 0.0
	for k in range(n):
		e = graph[(start + k * %d) %% entries]
		total += e["price"] + len(e["name"])
	return total
`, vmsStride)

// starlarkFleet has one frozen graph for all its threads.
type starlarkFleet struct {
	graph *starlark.List
	sumOf starlark.Value
}

func (f *starlarkFleet) build(entries int) error {
	all := make([]starlark.Value, entries)
	for i := range all {
		e := starlark.NewDict(4)
		err := errors.Join(e.SetKey(starlark.String("id"), starlark.MakeInt(i)), e.SetKey(starlark.String("name"), starlark.String(vmsName(i))),
			e.SetKey(starlark.String("price"), starlark.Float(vmsPrice(i))), e.SetKey(starlark.String("stock"), starlark.MakeInt(vmsStock(i))))
		if err != nil {
			return err
		}
		all[i] = e
	}
	f.graph = starlark.NewList(all)
	f.graph.Freeze()
	globals, err := starlark.ExecFileOptions(&syntax.FileOptions{}, &starlark.Thread{Name: "build"}, "sum.star", starlarkScript, nil)
	if err != nil {
		return err
	}
	globals.Freeze()
	f.sumOf = globals["sum"]
	return nil
}

func (f *starlarkFleet) with(entries int, fn func(engine) error) error {
	return fn(&starlarkEngine{&starlark.Thread{Name: "reader"}, f, entries})
}

func (*starlarkFleet) close() error { return nil }

// starlarkEngine is a starlark-go thread.
type starlarkEngine struct {
	thread  *starlark.Thread
	fleet   *starlarkFleet
	entries int
}

func (e *starlarkEngine) sum(from, n int) (float64, error) {
	v, err := starlark.Call(e.thread, e.fleet.sumOf, starlark.Tuple{e.fleet.graph, starlark.MakeInt(e.entries), starlark.MakeInt(from), starlark.MakeInt(n)}, nil)
	if err != nil {
		return 0, err
	}
	sum, ok := v.(starlark.Float)
	if !ok {
		return 0, errors.New("sum returns no float")
	}
	return float64(sum), nil
}

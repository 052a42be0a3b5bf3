package main

import (
	"context"
	"fmt"
	"runtime"
	"runtime/metrics"
	"strings"
	"time"

	"github.com/ichor-go/ichor/starlark"
	peer "go.starlark.net/starlark"
)

// document returns JSON of about n bytes: records as services exchange them.
func document(n int) string {
	var b strings.Builder
	b.WriteString("[")
	for i := 0; b.Len() < n; i++ {
		if i > 0 {
			b.WriteString(",")
		}
		fmt.Fprintf(&b, `{"id":%d,"name":"user %d","score":%d.25,"tags":["a%d","b","c%d"],"address":{"street":"street %d","zip":"%05d"},"active":%t}`,
			i, i, i%1000, i%50, i%7, i%5000, i%100000, i%3 == 0)
	}
	b.WriteString("]")
	return b.String()
}

// memory compares the live bytes of values and of a document, and the share of Go's collector.
func (r *report) memory(size int, each time.Duration) error {
	t := &table{name: "bytes", title: "bytes of a value", columns: []string{"starlark-go", "ichor"}, unit: "bytes", format: "%.0f"}
	for _, k := range kinds {
		a, b, err := bytesOf("def make(n, text):\n    return tuple(["+k.expr+" for i in range(n)])\n", "", true)
		if err != nil {
			return fmt.Errorf("%s: %w", k.name, err)
		}
		t.rows = append(t.rows, row{name: k.name, values: []float64{a, b}})
	}
	if err := r.add(t); err != nil {
		return err
	}
	text := document(size)
	a, b, err := bytesOf("def make(n, text):\n    return json.decode(text)\n", text, false)
	if err != nil {
		return err
	}
	n := float64(len(text))
	err = r.add(&table{name: "document", title: fmt.Sprintf("live bytes of a JSON document of %d MB", size/1_000_000), columns: []string{"starlark-go", "ichor"},
		unit: "live bytes for each byte of the text", rows: []row{{name: "document", values: []float64{a / n, b / n}, notes: []string{"", fmt.Sprintf("(%.2f of it)", b/a)}}}})
	if err != nil {
		return err
	}
	return r.collector(each)
}

// kinds are expressions of the values that bytesOf measures. i is a number.
var kinds = []struct{ name, expr string }{
	{"small int", "i"}, {"int of 40 bits", "i + (1 << 39)"}, {"int of 100 bits", "i + (1 << 99)"}, {"float", "i + 0.5"},
	{"string of 10 bytes", "str(1000000000 + i)"}, {"string of 100 bytes", "str(i) + '0' * (100 - len(str(i)))"},
	{"tuple of 3", "(i, i, i)"}, {"list of 3", "[i, i, i]"}, {"list of 100", "list(range(100))"},
	{"dict of 3", "{1: i, 2: i, 3: i}"}, {"dict of 100", "{x: i for x in range(100)}"},
	{"set of 3", "set([i, i + 1, i + 2])"}, {"struct of 3", "struct(a = i, b = i, c = i)"}, {"function", "lambda: i"},
}

// bytesOf returns the live bytes of what make of a program returns: with starlark-go in Go's heap, and
// here in objects and their blocks. If each is set, they are those of one of many values in a tuple,
// without its place there.
func bytesOf(src, text string, each bool) (theirs, ours float64, err error) {
	const many = 32_500 // their tuple almost fills two spans
	globals, err := peer.ExecFileOptions(&options, &peer.Thread{}, "bytes.star", src, predeclared)
	if err != nil {
		return 0, 0, err
	}
	before := heap()
	v, err := peer.Call(&peer.Thread{}, globals["make"], peer.Tuple{peer.MakeInt(many), peer.String(text)}, nil)
	if err != nil {
		return 0, 0, err
	}
	theirs = float64(heap()) - float64(before)
	if l, ok := v.(peer.Tuple); ok && each {
		theirs = (theirs - 16*float64(l.Len())) / many
	}
	runtime.KeepAlive(v)
	m, mod, err := load(modes[1], src)
	if err != nil {
		return 0, 0, err
	}
	err = m.Do(context.Background(), func(th *starlark.Thread) error {
		s, err := th.FromGo(text)
		if err != nil {
			return err
		}
		defer th.Drop(s)
		f := th.Global(mod, "make")
		defer th.Drop(f)
		th.Runtime().Collect() // also counts what the thread has allocated
		before := live(m)
		v, err := th.Call(f, []starlark.Value{starlark.Int(many), s})
		th.Runtime().Collect()
		if ours = live(m) - before; each {
			ours = (ours - 4*many) / many
		}
		th.Drop(v)
		return err
	})
	if err != nil {
		return 0, 0, err
	}
	return theirs, ours, m.Close()
}

// live returns the bytes of a machine's objects and blocks.
func live(m *starlark.Machine) float64 {
	u := m.Runtime().Memory()
	return float64(u.ObjectBytes + u.BlockBytes)
}

// collector compares the share of Go's collector in programs that allocate a lot.
func (r *report) collector(each time.Duration) error {
	t := &table{name: "collector", title: "share of Go's collector in the processor time", columns: []string{"starlark-go", "ichor"},
		unit: "share of the processor time", format: "%.4f"}
	for _, name := range []string{"binarytrees", "jsontransform", "tasks", "wordcount"} {
		engines, _, err := start(ours(name)[0].benchmark())
		if err != nil {
			return err
		}
		x := row{name: name}
		for _, e := range []engine{engines[0], engines[2]} {
			gc, user := collector()
			cpu := cpuTime()
			for n := 1; cpuTime()-cpu < 10*each; n *= 2 {
				if _, err := e.run("bench_"+name, n); err != nil {
					return err
				}
			}
			gc2, user2 := collector()
			x.values = append(x.values, (gc2-gc)/(gc2-gc+user2-user))
		}
		for _, e := range engines {
			e.stop()
		}
		t.rows = append(t.rows, x)
	}
	return r.add(t)
}

// heap returns the live bytes of Go's heap.
func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return s.HeapAlloc
}

// collector returns the processor time of Go's collector and of everything else, in seconds, as
// Go estimates them: by the time on the clock, so a busy machine spoils them. The figures are
// those of the last collection, so this makes one.
func collector() (gc, user float64) {
	runtime.GC()
	s := []metrics.Sample{{Name: "/cpu/classes/gc/total:cpu-seconds"}, {Name: "/cpu/classes/user:cpu-seconds"}}
	metrics.Read(s)
	return s[0].Value.Float64(), s[1].Value.Float64()
}

package main

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"runtime/metrics"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/ichor-go/ichor/starlark"
	"go.starlark.net/lib/json"
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

// memory compares the live bytes of a document, and the share of Go's collector.
func memory(size int, each time.Duration) error {
	w := tabwriter.NewWriter(os.Stdout, 0, 8, 2, ' ', tabwriter.AlignRight)
	text := document(size)
	before := heap()
	decode := json.Module.Members["decode"]
	v, err := peer.Call(&peer.Thread{}, decode, peer.Tuple{peer.String(text)}, nil)
	if err != nil {
		return err
	}
	theirs := float64(heap() - before)
	runtime.KeepAlive(v)
	v = nil
	m, err := starlark.New(starlark.Options{})
	if err != nil {
		return err
	}
	var ours float64
	err = m.Do(context.Background(), func(th *starlark.Thread) error {
		mod, err := th.Exec("doc.star", "def read(text):\n    return json.decode(text)\n")
		if err != nil {
			return err
		}
		s, err := th.FromGo(text)
		if err != nil {
			return err
		}
		before := th.Machine().Runtime().Memory()
		v, err := th.Call(th.Global(mod, "read"), []starlark.Value{s})
		th.Runtime().Collect()
		after := th.Machine().Runtime().Memory()
		ours = float64(after.ObjectBytes + after.BlockBytes - before.ObjectBytes - before.BlockBytes)
		th.Drop(v)
		th.Drop(s)
		th.Clear(mod)
		return err
	})
	if err != nil {
		return err
	}
	if err := m.Close(); err != nil {
		return err
	}
	fmt.Fprintf(w, "a JSON document of %d MB\tstarlark-go\tichor\tratio\t\n", size/1_000_000)
	fmt.Fprintf(w, "live bytes / bytes of text\t%.2f\t%.2f\t%.2f\t\n", theirs/float64(len(text)), ours/float64(len(text)), ours/theirs)
	fmt.Fprintf(w, "share of Go's collector in the processor time\tstarlark-go\tatomic\t\t\n")
	for _, name := range []string{"binarytrees", "jsontransform", "tasks", "wordcount"} {
		src, err := programs.ReadFile("programs/" + name + ".star")
		if err != nil {
			return err
		}
		engines, _, err := start(string(src) + "\ndef bench(b):\n    for _ in range(b.n):\n        run()\n")
		if err != nil {
			return err
		}
		var shares [2]float64
		for i, e := range []engine{engines[0], engines[2]} {
			gc, user := collector()
			cpu := cpuTime()
			for n := 1; cpuTime()-cpu < 10*each; n *= 2 {
				if _, err := e.run("bench", n); err != nil {
					return err
				}
			}
			gc2, user2 := collector()
			shares[i] = (gc2 - gc) / (gc2 - gc + user2 - user)
		}
		for _, e := range engines {
			e.stop()
		}
		fmt.Fprintf(w, "%s\t%.3f\t%.3f\t\t\n", name, shares[0], shares[1])
	}
	return w.Flush()
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

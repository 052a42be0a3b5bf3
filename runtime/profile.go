package runtime

import (
	"context"
	"encoding/binary"
	goruntime "runtime"
	"runtime/pprof"
	"slices"
	"strings"
)

// Place is where a program was, as a profile records it. Immutable.
type Place struct {
	// Stack has the program counters that runtime.Callers returns, innermost first. The first
	// frames may be Ichor's own.
	Stack []uintptr

	// Labels are those of the context with which the thread was attached, or which
	// Thread.SetLabels got last. See runtime/pprof.
	Labels map[string]string
}

// maxStack bounds the frames of a Place, as in Go's own profiles of the heap.
const maxStack = 128

// placed is a Place as a key of a map: the frames, then the labels.
type placed struct {
	frames int
	key    []byte
}

// here returns the place of the caller's caller's caller. t may be nil.
func here(t *Thread) placed {
	var pcs [maxStack]uintptr
	n := goruntime.Callers(4, pcs[:])
	p := placed{n, make([]byte, 0, 8*n+64)}
	for _, pc := range pcs[:n] {
		p.key = binary.NativeEndian.AppendUint64(p.key, uint64(pc))
	}
	if t == nil || t.labels == nil {
		return p
	}
	var labels []string
	pprof.ForLabels(t.labels, func(name, value string) bool {
		labels = append(labels, name+"\x00"+value+"\x00")
		return true
	})
	slices.Sort(labels)
	for _, l := range labels {
		p.key = append(p.key, l...)
	}
	return p
}

// place undoes here.
func (p placed) place() Place {
	var x Place
	for i := range p.frames {
		x.Stack = append(x.Stack, uintptr(binary.NativeEndian.Uint64(p.key[8*i:])))
	}
	texts := strings.Split(string(p.key[8*p.frames:]), "\x00")
	for i := 0; i+1 < len(texts); i += 2 {
		if x.Labels == nil {
			x.Labels = map[string]string{}
		}
		x.Labels[texts[i]] = texts[i+1]
	}
	return x
}

// SetLabels has the profiles record the pprof labels of ctx for what the thread does from now
// on, until it is detached. A thread begins with the labels of the context that it was attached
// with. Without profiles it does nothing. Attached thread.
func (t *Thread) SetLabels(ctx context.Context) {
	if t.rt.profiled() {
		t.labels = ctx
	}
}

// profiled reports whether the runtime keeps a profile.
func (r *Runtime) profiled() bool { return r.heap != nil || r.contention != nil }

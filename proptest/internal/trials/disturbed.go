package trials

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"

	"pgregory.net/rapid"

	"github.com/ichor-go/ichor/proptest/internal/faults"
	"github.com/ichor-go/ichor/proptest/internal/headers"
	"github.com/ichor-go/ichor/proptest/internal/modes"
	"github.com/ichor-go/ichor/proptest/internal/property"
	rt "github.com/ichor-go/ichor/runtime"
)

// moved draws a program whose second part runs both on a shared heap and in the runtime that
// shared it.
func (x *trials[M]) moved(t *rapid.T) {
	before, after := x.draw(t, "before", x.config.Ops/2), x.draw(t, "after", x.config.Ops/2)
	o := rapid.SampledFrom(modes.All(x.config.Options)).Draw(t, "mode")
	x.report(t, x.move(o, before, after))
}

// move runs a program whose second part starts when the heap is shared.
func (x *trials[M]) move(o rt.Options, before, after plan) error {
	x.runs.Inc()
	o.Backing = rt.MemfdBacking
	r, err := rt.New(o)
	if err != nil {
		return err
	}
	var y *trial[M]
	var worker *rt.Runtime
	log := func() []string {
		if y == nil {
			return nil
		}
		return y.log
	}
	err = y.attempt(func() {
		y = x.newTrial(property.Must(r.Attach()))
		y.run(before)
		y.t.Detach()
		file := property.Must(r.Share())
		opts := o
		opts.Backing, opts.AddressSpace = rt.AutoBacking, 0
		w, _, err := rt.OpenShared(file, opts)
		property.Check(errors.Join(err, file.Close()))
		worker = w
		left := y.left()
		y.note("in the runtime that has opened the heap:")
		y.t = property.Must(worker.Attach())
		y.reload(worker.Frozen())
		y.run(after)
		y.finish()
		y.t.Detach()
		left.log = append(y.log, "in the runtime that has shared it:")
		y = left
		y.t = property.Must(r.Attach())
		y.run(after)
		y.finish()
		y.t.Detach()
	})
	if err != nil {
		return told(err, o, log())
	}
	return told(errors.Join(closed(worker), closed(r)), o, log())
}

// left returns a trial that continues from the state of y in another runtime.
func (y *trial[M]) left() *trial[M] {
	z := *y
	copies := map[*thing[M]]*thing[M]{}
	for i, v := range y.regs {
		if v != nil && copies[v] == nil {
			w := *v
			copies[v] = &w
		}
		z.regs[i] = copies[v]
	}
	return &z
}

// reload replaces y's frozen graphs with those of a worker, which are in the order of addresses.
func (y *trial[M]) reload(frozen []*rt.Frozen) {
	byAddress := func(f, g *rt.Frozen) int { return cmp.Compare(f.Start(), g.Start()) }
	old := slices.SortedFunc(maps.Keys(y.images), byAddress)
	images := map[*rt.Frozen]uint64{}
	for i, f := range frozen {
		images[f] = imageHash(f)
		if images[f] != y.images[old[i]] {
			panic(property.Frozen.Broken("a worker finds other bytes in a frozen graph"))
		}
	}
	y.images, y.headers = images, &headers.Samples{}
}

// faults draws a program, and the number of the call that fails.
func (x *trials[M]) faults(t *rapid.T) {
	p := x.draw(t, "program", x.config.Ops)
	n := int64(rapid.IntRange(1, 2*x.config.Ops).Draw(t, "the call that fails"))
	o := rapid.SampledFrom(modes.All(x.config.Options)).Draw(t, "mode")
	hit, err := x.withFault(o, n, p)
	if hit != "" {
		x.hits.Inc()
	}
	x.report(t, err)
}

// withFault runs a program with the n-th call failing, and returns that call.
func (x *trials[M]) withFault(o rt.Options, n int64, p plan) (rt.Injection, error) {
	o.Checked = true
	x.runs.Inc()
	var log []string
	hit, err := faults.Run(o, n, x.config.Injected, func(th *rt.Thread) error {
		var y *trial[M]
		err := y.attempt(func() {
			y = x.newTrial(th)
			y.run(p)
			y.finish()
		})
		if y != nil {
			log = y.log
		}
		return err
	})
	if hit != "" {
		log = append(log, fmt.Sprintf("with call %d for %s failing", n, hit))
	}
	var f *property.Failure
	if err != nil && !errors.As(err, &f) {
		err = property.Faults.Broken("%v", err)
	}
	return hit, told(err, o, log)
}

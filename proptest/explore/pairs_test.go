//go:build explore

package explore

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/ichor-go/ichor/internal/header"
	"github.com/ichor-go/ichor/internal/point"
)

// The counting protocol alone: one header, an owner and other threads, and all short programs of
// the operations that docs/protocol.md allows. A few lines act on verdicts in place of package
// runtime: they free the object, or queue it.
//
//	C  copies a reference and gives the copy up    a thread that holds one
//	D  gives a reference up                        a thread that holds one
//	Q  merges the queued object                    the owner
//	W  sets the weak bit                           a thread that holds one
//	T  tries to get a reference, and gives it up   any thread, if the weak bit was set at birth
//	G  copies a reference, for any thread to take  a thread that holds one
//	R  takes such a copy, if there is one, and gives it up
type protocol struct {
	h      header.Header
	mu     point.Mutex // guards the two fields below
	queued int
	gifts  int
	deaths int
	weak   bool
}

const protocolOwner = 2

// after acts on a verdict.
func (p *protocol) after(v header.Verdict) {
	switch v {
	case header.Dead:
		p.deaths++
		if !p.weak { // otherwise the memory waits for a grace period
			point.Freed(&p.h, header.Size)
		}
	case header.Queue:
		if p.h.Owner() == header.Nobody {
			p.after(p.h.DecForeign())
			return
		}
		p.mu.Lock()
		p.queued++
		p.mu.Unlock()
	case header.Broken:
		panic("a reference too many was given up")
	}
}

func (p *protocol) drain() {
	p.mu.Lock()
	n := p.queued
	p.queued = 0
	p.mu.Unlock()
	for range n {
		p.after(p.h.Drain())
	}
}

func (p *protocol) do(id int32, ops string) {
	for _, op := range ops {
		switch op {
		case 'C':
			if v := p.h.Inc(id); v != header.Alive {
				panic(fmt.Sprintf("a copy of a reference: verdict %d", v))
			}
			p.after(p.h.Dec(id))
		case 'D':
			p.after(p.h.Dec(id))
		case 'Q':
			p.drain()
		case 'W':
			p.h.SetWeak()
		case 'G':
			p.h.Inc(id)
			p.mu.Lock()
			p.gifts++
			p.mu.Unlock()
		case 'R':
			p.mu.Lock()
			n := p.gifts
			p.gifts -= min(n, 1)
			p.mu.Unlock()
			if n > 0 {
				p.after(p.h.Dec(id))
			}
		case 'T':
			if p.h.TryInc(id) {
				p.after(p.h.Dec(id))
			}
		}
	}
}

// pair is a program: the operations of each thread, the owner first, and the number of references
// that each keeps until the end.
type pair struct {
	ops    []string
	kept   int
	weak   bool // from the start
	merged bool // from the start: there is no owner
	given  bool // the owner has counted the others' references
}

func (x pair) String() string {
	return fmt.Sprintf("%s, each keeps %d, weak %t, merged %t, given %t", strings.Join(x.ops, " "), x.kept, x.weak, x.merged, x.given)
}

// sound reports whether the threads hold the references that they use.
func (x pair) sound() bool {
	total := 0
	for _, ops := range x.ops {
		held := x.kept + strings.Count(ops, "D")
		total += held
		for _, op := range ops {
			if held == 0 && (op == 'C' || op == 'W' || op == 'G') || op == 'T' && !x.weak {
				return false
			}
			if op == 'D' {
				held--
			}
		}
	}
	return total > 0
}

func (x pair) program() Program {
	p := &protocol{weak: x.weak || strings.Contains(strings.Join(x.ops, ""), "W")}
	owner := int32(protocolOwner)
	if x.merged {
		owner = header.Nobody
	}
	p.h.Birth(owner, 64)
	if x.weak {
		p.h.SetWeak()
	}
	left := 0
	prog := Program{}
	for i, ops := range x.ops {
		id := int32(protocolOwner + i)
		left += x.kept
		for range x.kept + strings.Count(ops, "D") {
			if x.given {
				p.h.Inc(protocolOwner)
			} else {
				p.h.Inc(id)
			}
		}
		prog.Threads = append(prog.Threads, func() { p.do(id, ops) })
	}
	p.after(p.h.Dec(protocolOwner)) // the reference from birth
	p.deaths = 0
	prog.Check = func() error {
		p.drain()
		left += p.gifts
		n, _ := p.h.Count()
		switch {
		case left == 0 && p.deaths != 1:
			return fmt.Errorf("no reference is left, and it has died %d times", p.deaths)
		case left > 0 && p.deaths != 0:
			return errors.New("it died, and is still held")
		case left > 0 && n != int64(left):
			return fmt.Errorf("%d hold it, and the count is %d", left, n)
		}
		return nil
	}
	return prog
}

// words returns all words of up to n letters.
func words(letters string, n int) []string {
	list := []string{""}
	for i := 0; len(list[i]) < n; i++ {
		for _, c := range letters {
			list = append(list, list[i]+string(c))
		}
	}
	return list[1:]
}

// TestPairs runs all schedules, with any number of preemptions, of all programs in which an owner
// and another thread share three operations, and of those in which three threads have one each
// that does not involve weak references. With PROPTEST_BOUND in the environment it also runs two
// threads with two operations each, and three with any operation.
func TestPairs(t *testing.T) {
	var all []pair
	add := func(ops ...string) {
		for i := range 12 {
			if x := (pair{ops, i & 1, i&2 != 0, i&4 != 0, i&8 != 0}); x.sound() {
				all = append(all, x)
			}
		}
	}
	more := os.Getenv("PROPTEST_BOUND") != ""
	for _, a := range words("CDQWT", 2) {
		for _, b := range words("CDWT", 2) {
			if len(a)+len(b) < 4 || more {
				add(a, b)
			}
		}
	}
	for _, a := range words("CDQWT", 1) {
		for _, b := range words("CDWT", 1) {
			for _, c := range words("CDWT", 1) {
				if b <= c && (more || !strings.ContainsAny(a+b+c, "WT")) {
					add(a, b, c)
				}
			}
		}
	}
	began := time.Now()
	schedules, steps := int64(0), int64(0)
	for _, x := range all {
		res := Unbounded(x.program)
		schedules += res.Schedules
		steps += res.Steps
		if res.Failure != nil {
			t.Fatalf("%s: %v", x, res.Failure)
		}
	}
	conclude(t, "%d programs, %d schedules of pairs that differ, %d steps, %s", len(all), schedules, steps, time.Since(began).Round(time.Millisecond))
	if len(all) < 300 {
		t.Errorf("only %d programs", len(all))
	}
}

// TestHandedOver makes the owner give up references that other threads have counted, so that its
// local count runs out while the object is queued.
func TestHandedOver(t *testing.T) {
	all := []pair{}
	for _, owner := range []string{"DRR", "RRD", "DRRQ", "RRQ", "QRR", "DRQ"} {
		for _, other := range []string{"DGGD", "DGDG", "GDGD", "DGD"} {
			for kept := range 2 {
				if x := (pair{ops: []string{owner, other}, kept: kept, given: true}); x.sound() {
					all = append(all, x)
				}
			}
		}
	}
	schedules := int64(0)
	for _, x := range all {
		res := Bounded(x.program, bound())
		schedules += res.Schedules
		if res.Failure != nil {
			t.Fatalf("%s: %v", x, res.Failure)
		}
	}
	conclude(t, "%d programs, %d schedules of handed over references, with at most %d preemptions", len(all), schedules, bound())
}

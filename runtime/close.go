package runtime

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ichor-go/ichor/internal/arena"
)

// LeakError lists the mortal objects that were still alive at Close: references
// that nobody gave up, and cycles.
type LeakError struct {
	Types []Leak   // by falling count
	Born  []string // checked mode: where some of them were made
}

// Leak counts the leaked objects of a type.
type Leak struct {
	Type  string
	Count int
}

func (e *LeakError) Error() string {
	var b strings.Builder
	b.WriteString("ichor: close: leaked ")
	for i, l := range e.Types {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%d %s", l.Count, l.Type)
	}
	for _, s := range e.Born {
		b.WriteString("\n")
		b.WriteString(s)
	}
	return b.String()
}

// AttachedError says that Close found threads that are still attached.
type AttachedError struct{ Threads []string }

func (e *AttachedError) Error() string {
	return fmt.Sprintf("ichor: close: %d threads are still attached: %s", len(e.Threads), strings.Join(e.Threads, ", "))
}

// Close frees everything, immortals too, and gives the memory back. It returns
// an *AttachedError, and does nothing, while threads are attached or blocked, and a
// *LeakError if mortal objects were left; their memory is freed all the same.
// Closing twice returns ErrClosed. Any goroutine.
func (r *Runtime) Close() error {
	t, err := r.beginClose()
	if err != nil {
		return err
	}
	t.settle()
	t.emptyImmortals()
	t.settle()
	leaks := t.leaks()
	r.space.Check()
	t.leave()
	if err := r.space.Close(); err != nil {
		return fmt.Errorf("ichor: close: %w", err)
	}
	if leaks != nil {
		return leaks
	}
	return nil
}

// beginClose bars new threads and returns one for Close itself, which nobody
// else can see.
func (r *Runtime) beginClose() (*Thread, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.mu.closing {
		return nil, ErrClosed
	}
	if len(r.mu.threads) > 0 {
		return nil, &AttachedError{r.attachedNames()}
	}
	r.mu.closing = true
	t := r.takeIdle()
	t.enter()
	t.attached, t.stopped = true, true
	return t, nil
}

// emptyImmortals gives up what immortal containers hold, so that what only they
// kept alive is no leak.
func (t *Thread) emptyImmortals() {
	var inPlace []Ref
	t.rt.space.Walk(arena.Objects, func(h uint32) bool {
		if t.header(Ref(h)).Owner() < 0 {
			inPlace = append(inPlace, Ref(h))
		}
		return true
	})
	for _, r := range inPlace {
		t.emptyImmortal(r)
	}
	for _, g := range t.rt.mu.regions {
		t.emptyRegion(g)
	}
	for _, r := range inPlace {
		t.cache.Free(uint32(r))
	}
}

// leaks counts the mortal objects that are left.
func (t *Thread) leaks() error {
	counts := map[string]int{}
	var born []string
	t.rt.space.Walk(arena.Objects, func(h uint32) bool {
		hd := t.header(Ref(h))
		if hd.Meta()&metaPoison != 0 {
			return true // freed, and kept by checked mode
		}
		name := "unknown type"
		if y := typeOf(hd.Meta()); y != nil {
			name = y.Name
		}
		counts[name]++
		if t.check != nil && len(born) < maxBornReports {
			born = append(born, t.check.describe(Ref(h)))
		}
		return true
	})
	if len(counts) == 0 {
		return nil
	}
	e := &LeakError{Born: born}
	for name, n := range counts {
		e.Types = append(e.Types, Leak{name, n})
	}
	slices.SortFunc(e.Types, func(a, b Leak) int {
		if a.Count != b.Count {
			return b.Count - a.Count
		}
		return strings.Compare(a.Type, b.Type)
	})
	return e
}

// maxBornReports bounds how many leaked objects are described one by one.
const maxBornReports = 20

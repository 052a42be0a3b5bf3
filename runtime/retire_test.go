package runtime

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"go.uber.org/atomic"
)

// TestRetireWaits has a reader borrow an object that a writer overwrites: it stays alive until
// the reader's checkpoint. One goroutine drives both threads.
func TestRetireWaits(t *testing.T) {
	for _, checked := range []bool{false, true} {
		r := newRuntime(t, Options{Mode: LockFree, Checked: checked})
		reader, writer := must(r.Attach()), must(r.Attach())
		node := newNode(writer, newLeaf(writer))
		borrowed := reader.Body(node).LoadRef(1)

		setSlot(writer, node, 0, None)
		for range 5 {
			writer.Checkpoint()
		}
		if n := count(reader, borrowed); n != 1 {
			t.Errorf("the borrowed object counts %d references", n)
		}
		if reader.Body(borrowed).Word(0) != 42 {
			t.Error("the borrowed object has lost its contents")
		}
		reader.IncRef(borrowed) // a reader may do so until its checkpoint
		reader.Checkpoint()
		writer.Checkpoint()
		writer.Checkpoint()
		if n := count(reader, borrowed); n != 1 {
			t.Errorf("after the grace period the object counts %d references, want the reader's", n)
		}
		reader.DecRef(borrowed)
		writer.DecRef(node)
		r.mustHold(t, writer, 0)
		reader.Detach()
		writer.Detach()
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestRetireAtDetach leaves retired references behind: the next checkpoint of any thread
// releases them when they are due.
func TestRetireAtDetach(t *testing.T) {
	r := newRuntime(t, Options{Mode: LockFree})
	reader, writer := must(r.Attach()), must(r.Attach())
	node := newNode(writer, newLeaf(writer))
	borrowed := reader.Body(node).LoadRef(1)
	setSlot(writer, node, 0, None)
	writer.Detach()
	if n := count(reader, borrowed); n != 1 {
		t.Errorf("the borrowed object counts %d references", n)
	}
	reader.Checkpoint()
	reader.Checkpoint()
	r.mustHold(t, reader, 1)
	reader.DecRef(node)
	reader.Detach()
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}

// TestRetireUnderGIL checks that a retired reference is released at once.
func TestRetireUnderGIL(t *testing.T) {
	clean(t, Options{Mode: GIL}, func(t *testing.T, th *Thread) {
		node := newNode(th, newLeaf(th))
		setSlot(th, node, 0, None)
		th.Runtime().mustHold(t, th, 1)
		th.DecRef(node)
	})
}

// TestReadersAndWriters has readers count objects in slots that writers overwrite. Every leaf
// says 42; poison, reuse or a race would show.
func TestReadersAndWriters(t *testing.T) {
	forModes(t, func(t *testing.T, o Options) {
		o.DeferredBytes = 16 << 10 // small, so that threads exceed it
		r := newRuntime(t, o)
		rounds := 30_000
		if o.Checked || raceEnabled {
			rounds = 1_000
		}
		const slots = 4
		var root Ref
		if err := r.Do(func(th *Thread) error {
			root = newNode(th, newLeaf(th), newLeaf(th), newLeaf(th), newLeaf(th))
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		err := r.Run(context.Background(), 4, func(_ context.Context, th *Thread, w int) error {
			var held []Ref
			for i := range rounds {
				slot := (i + w) % slots
				if w%2 == 0 {
					x := newLeaf(th)
					setSlot(th, root, slot, x)
					th.DecRef(x)
				} else {
					x := th.Body(root).LoadRef(1 + slot)
					th.IncRef(x)
					if th.Body(x).Word(0) != 42 {
						return errors.New("a leaf has lost its contents")
					}
					held = append(held, x)
				}
				if i%16 == 0 {
					th.Checkpoint()
					th.DecRefs(held)
					held = held[:0]
				}
			}
			th.DecRefs(held)
			return nil
		})
		if err != nil {
			t.Error(err)
		}
		err = r.Do(func(th *Thread) error {
			defer th.DecRef(root)
			return th.Audit(root)
		})
		if err := errors.Join(err, r.Close()); err != nil {
			t.Error(err)
		}
	})
}

// TestStallEnds has a thread retire far more than its budget while another one reaches no
// checkpoint: it goes on all the same.
func TestStallEnds(t *testing.T) {
	r := newRuntime(t, Options{Mode: LockFree, DeferredBytes: 1 << 10})
	reader, writer := must(r.Attach()), must(r.Attach())
	node := newNode(writer, newLeaf(writer))
	for range 200 {
		x := newLeaf(writer)
		setSlot(writer, node, 0, x)
		writer.DecRef(x)
	}
	writer.Checkpoint()
	r.mustHold(t, writer, 202)
	reader.Checkpoint()
	writer.Checkpoint()
	writer.Checkpoint()
	r.mustHold(t, writer, 2)
	writer.DecRef(node)
	reader.Detach()
	writer.Detach()
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}

// TestStopTheWorld has threads count without atomics, each with the world stopped.
func TestStopTheWorld(t *testing.T) {
	forModes(t, func(t *testing.T, o Options) {
		r := newRuntime(t, o)
		total := 0
		var inside atomic.Int32
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				_ = r.Do(func(th *Thread) error {
					for range 200 {
						th.StopTheWorld(func() {
							if inside.Inc() != 1 {
								t.Error("two threads have stopped the world")
							}
							total++
							inside.Dec()
						})
						th.Checkpoint()
					}
					return nil
				})
			})
		}
		wg.Wait()
		if total != 800 {
			t.Errorf("%d of 800 stops", total)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
}

// TestRetireWhatDoesNotCount checks that objects and blocks that are not counted or freed do
// not wait for a grace period.
func TestRetireWhatDoesNotCount(t *testing.T) {
	forLockFree(t, func(t *testing.T, o Options) {
		clean(t, o, func(t *testing.T, th *Thread) {
			inPlace := newLeaf(th)
			must0(t, th.Immortalize(inPlace))
			var born, block Ref
			must0(t, th.Immortally(func() error {
				box := newBox(th, None)
				born, block = box, th.Body(box).LoadRef(0)
				return nil
			}))
			for _, x := range []Ref{Nil, None, must1(Int(1)), inPlace, born} {
				if th.Retire(x); th.waits() {
					t.Errorf("%s waits", x)
				}
			}
			for _, x := range []Ref{Nil, block} {
				if th.RetireBlock(x); th.waits() {
					t.Errorf("block %s waits", x)
				}
			}
			x := newLeaf(th)
			if th.Retire(x); th.retired.Len() != 1 || th.memory.Len() != 0 {
				t.Errorf("%d counts and %d memories wait, want a count", th.retired.Len(), th.memory.Len())
			}
			b, _, err := th.NewBlock(Nil, 16)
			must0(t, err)
			if th.RetireBlock(b); th.retired.Len() != 1 || th.memory.Len() != 1 {
				t.Errorf("%d counts and %d memories wait, want one of each", th.retired.Len(), th.memory.Len())
			}
		})
	})
}

// TestRetireIsChecked checks that checked mode refuses references of other runtimes, and
// records others in the object's history.
func TestRetireIsChecked(t *testing.T) {
	forModes(t, func(t *testing.T, o Options) {
		if !o.Checked {
			return
		}
		clean(t, o, func(t *testing.T, th *Thread) {
			wantIn(t, panics(t, func() { th.Retire(Ref{none + 1}) }), "foreign reference")
			if o.Mode == GIL {
				return
			}
			x := newLeaf(th)
			th.Retire(x)
			th.Checkpoint()
			th.Checkpoint()
			wantIn(t, panics(t, func() { th.Retire(x) }), "use after free: ", " of leaf ", "retire at", "decref at", "freed at")
		})
	})
}

// TestStallReleasesOrphans checks that a thread that waits because of too many orphans goes on
// when they are due, and releases them.
func TestStallReleasesOrphans(t *testing.T) {
	needsThreads(t)
	defer func(d time.Duration) { stallLimit = d }(stallLimit)
	stallLimit = time.Hour
	r := newRuntime(t, Options{DeferredBytes: 1 << 10, CollectAfter: -1})
	reader, writer, leaver := must(r.Attach()), must(r.Attach()), must(r.Attach())
	retire := func(th *Thread) {
		b, _, err := th.NewBlock(Nil, 64)
		must0(t, err)
		th.retire(b, aBlock)
	}
	for range 100 {
		retire(leaver)
	}
	leaver.leave() // its own checkpoint would wait
	leaver.abandonRetired()
	retire(writer)
	if !writer.over() {
		t.Fatal("within the budget")
	}
	whileOutside(writer, writer.Checkpoint, reader.reader.Quiescent) // the reader itself releases nothing
	if n := r.orphans.bytes.Load(); n > 1<<10 || writer.over() {
		t.Errorf("it has gone on, and %d bytes are left", n)
	}
	leaver.enter()
	for _, x := range []*Thread{leaver, writer, reader} {
		x.Detach()
	}
	must0(t, r.Close())
}

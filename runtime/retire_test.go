package runtime

import (
	"context"
	"errors"
	"sync"
	"testing"

	"go.uber.org/atomic"
)

// TestRetireWaits has a reader borrow what a writer overwrites: it stays alive
// until the reader's checkpoint. One goroutine drives both threads.
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
		reader.IncRef(borrowed) // what a reader may do until its checkpoint
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

// TestRetireAtDetach leaves retired references behind: the next checkpoint of
// anybody releases them when they are due.
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

// TestRetireUnderGIL releases at once.
func TestRetireUnderGIL(t *testing.T) {
	clean(t, Options{Mode: GIL}, func(t *testing.T, th *Thread) {
		node := newNode(th, newLeaf(th))
		setSlot(th, node, 0, None)
		th.Runtime().mustHold(t, th, 1)
		th.DecRef(node)
	})
}

// TestReadersAndWriters has readers count what they find in slots that writers
// overwrite. Every leaf says 42; poison, reuse or a race would show.
func TestReadersAndWriters(t *testing.T) {
	forModes(t, func(t *testing.T, o Options) {
		o.DeferredBytes = 16 << 10 // small, so that threads do run over it
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

// TestStallEnds has a thread retire far more than its budget while another one
// reaches no checkpoint: it goes on all the same.
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

// TestStopTheWorld has threads count without atomics while each stops the world.
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

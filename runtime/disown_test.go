package runtime

import (
	"testing"

	"github.com/ichor-go/ichor/internal/header"
)

// TestDisown checks that a thread gives up the ownership of its own mortal objects, and of
// nothing else, and that another thread then frees them without the owner.
func TestDisown(t *testing.T) {
	for _, checked := range []bool{false, true} {
		r, owner, other := biasedPair(t, Options{Checked: checked})
		x, y, z := newNode(owner, newLeaf(owner)), newLeaf(owner), newLeaf(other)
		owner.IncRef(x)
		other.IncRef(y)
		sticky := newLeaf(owner)
		owner.header(sticky).SetCounts(header.StickyLocal, 0)
		small, _ := Int(7)
		owner.Disown(x, y, z, small, None, Nil, sticky)
		for _, r := range []Ref{x, y} {
			if o := owner.header(r).Owner(); o != header.Nobody {
				t.Errorf("checked=%t: %s belongs to thread %d", checked, r, o)
			}
			if n := count(owner, r); n != 2 {
				t.Errorf("checked=%t: %s has %d references", checked, r, n)
			}
		}
		if a, b := owner.header(z).Owner(), owner.header(sticky).Owner(); a != other.owner || b != owner.owner {
			t.Errorf("checked=%t: objects of others and sticky ones belong to the threads %d and %d", checked, a, b)
		}
		owner.header(sticky).SetCounts(1, 0)
		owner.DecRefs([]Ref{sticky, x, y})
		other.DecRefs([]Ref{x, y, z})
		if q := owner.queue.len(); q != 1 { // the leaf in x was not disowned
			t.Errorf("checked=%t: %d objects are in the queue", checked, q)
		}
		owner.Checkpoint()
		r.mustHold(t, other, 0)
		closePair(t, r, owner, other)
	}
}

// TestDisownElsewhere checks that Disown changes nothing where counts are not biased.
func TestDisownElsewhere(t *testing.T) {
	forModes(t, func(t *testing.T, o Options) {
		if o.Counting == Biased && o.Mode == LockFree {
			return
		}
		clean(t, o, func(t *testing.T, th *Thread) {
			x := newLeaf(th)
			was := th.header(x).Bytes()
			if th.Disown(x); th.header(x).Bytes() != was {
				t.Errorf("the header was %v, is %v", was, th.header(x).Bytes())
			}
			th.DecRef(x)
		})
	})
}

// TestSendDisowns checks that Send and SendContext disown references and slices of them.
func TestSendDisowns(t *testing.T) {
	r, owner, other := biasedPair(t, Options{})
	x, y, z := newLeaf(owner), newLeaf(owner), newLeaf(owner)
	one, many, text := make(chan Ref, 1), make(chan []Ref, 1), make(chan string, 1)
	Send(owner, one, x)
	if err := SendContext(t.Context(), owner, many, []Ref{y, z}); err != nil {
		t.Error(err)
	}
	Send(owner, text, "not a reference")
	all := append(<-many, <-one)
	for _, r := range all {
		if o := other.header(r).Owner(); o != header.Nobody {
			t.Errorf("%s belongs to thread %d", r, o)
		}
	}
	other.DecRefs(all)
	r.mustHold(t, other, 0)
	closePair(t, r, owner, other)
}

package runtime

import "slices"

// A call of the library that reaches safe points may hold counts of its own meanwhile,
// which nobody else knows of. It says so for as long as it has them: see Thread.Audit.
//
//	Thread.holds = the calls under way on the thread that hold counts
//
// They end in any order: a loop over a container may be one of iter.Pull. The list is the
// thread's, and read by others while the world is stopped. So it changes while the thread is
// in the world.

// holder is a call that holds counts.
type holder interface {
	held(visit func(Ref)) // calls visit for each count
}

// refsHolder holds a count for each entry of a slice, which may change.
type refsHolder struct{ refs *[]Ref }

func (h refsHolder) held(visit func(Ref)) {
	for _, r := range *h.refs {
		visit(r)
	}
}

// Hold has Audit know of references that a call holds across safe points: one count for each
// entry of *refs, which the call may change while its thread is in the world. They are
// borrowed: nothing is counted or given up. End it with Unhold, also after a panic. Attached
// thread.
func (t *Thread) Hold(refs *[]Ref) { t.hold(refsHolder{refs}) }

// Unhold ends what Hold began with the same slice, whose references are borrowed; it does
// nothing if that has ended. Attached thread.
func (t *Thread) Unhold(refs *[]Ref) { t.unhold(refsHolder{refs}) }

func (t *Thread) hold(h holder) { t.holds = append(t.holds, h) }

// unhold looks from the end: a call that began last ends first, as a rule.
func (t *Thread) unhold(h holder) {
	for i := len(t.holds) - 1; i >= 0; i-- {
		if t.holds[i] == h {
			t.holds = slices.Delete(t.holds, i, i+1)
			return
		}
	}
}

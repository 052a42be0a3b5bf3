package runtime

import "testing"

// TestThreadsLeaveInAnyOrder: whichever thread leaves, the others stay in the list, each at its
// place and with its name.
func TestThreadsLeaveInAnyOrder(t *testing.T) {
	r := newRuntime(t, Options{})
	for first := range 3 {
		var ts []*Thread
		for _, name := range []string{"a", "b", "c"} {
			th := must(r.Attach())
			th.SetName(name)
			ts = append(ts, th)
		}
		for i := range 3 {
			gone := (first + i) % 3
			ts[gone].Detach()
			if ts[gone].place != 0 || ts[gone].title != "" {
				t.Errorf("a detached thread has place %d and the name %q", ts[gone].place, ts[gone].title)
			}
			if len(r.mu.threads) != 2-i || cap(r.mu.threads) > 0 && r.mu.threads[:3][2-i] != nil {
				t.Errorf("%d threads, or a reference to one that has left", len(r.mu.threads))
			}
			for at, th := range r.mu.threads {
				if th.place != at+1 || th.title == "" {
					t.Errorf("the thread at place %d has place %d and the name %q", at+1, th.place, th.title)
				}
			}
		}
	}
	must0(t, r.Close())
}

// TestDetachTrims: a thread that has looked for spans gives back its empty ones when it is
// detached. One that has not keeps what is in its magazines for the next goroutine.
func TestDetachTrims(t *testing.T) {
	r := newRuntime(t, Options{AddressSpace: 64 << 20})
	keep := make([]Ref, 100) // so that the thread has a span
	must0(t, r.Do(func(th *Thread) error {
		for i := range keep {
			keep[i] = newLeaf(th)
		}
		return nil
	}))
	rest := r.space.Usage().Committed
	must0(t, r.Do(func(th *Thread) error {
		refs := make([]Ref, 100_000)
		for i := range refs {
			refs[i] = newLeaf(th)
		}
		th.DecRefs(refs)
		return nil
	}))
	const warm = 1 << 20 // stays committed for reuse in so small a space
	if n := r.space.Usage().Committed; n > rest+warm {
		t.Errorf("%d bytes are committed after a burst, %d before", n, rest)
	}
	var last Ref // freed last, and so on top of the magazine
	for i := range 5 {
		must0(t, r.Do(func(th *Thread) error {
			before := th.cache.Refills()
			x, y := newLeaf(th), newLeaf(th)
			if i > 0 && x != last {
				t.Errorf("request %d got %v first, want %v: the magazine was emptied in between", i, x, last)
			}
			th.DecRef(x)
			th.DecRef(y)
			if last = y; th.cache.Refills() != before {
				t.Error("a request has looked for a span")
			}
			return nil
		}))
	}
	must0(t, r.Do(func(th *Thread) error {
		th.DecRefs(keep)
		return nil
	}))
	var first, now uint32
	for i := range 50 { // nothing stays, so a trim would leave no span
		must0(t, r.Do(func(th *Thread) error {
			th.DecRef(newNode(th, newLeaf(th)))
			if now = th.cache.Refills(); i == 0 {
				first = now
			}
			return nil
		}))
	}
	if now-first >= trimAfter {
		t.Errorf("50 requests have looked for %d spans", now-first)
	}
	must0(t, r.Close())
}

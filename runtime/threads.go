package runtime

import (
	"cmp"
	"slices"
	"time"

	"github.com/ichor-go/ichor/internal/fault"
)

// ThreadState says what an attached thread is doing. A plain value.
type ThreadState struct {
	ID    int32 // of the thread's state
	Name  string
	State string

	// Waited is how long the thread has waited for the GIL so far; 0 if it does not wait for it.
	Waited time.Duration

	// Stack is that of the goroutine that has the thread, from the innermost function of yours;
	// empty unless it was asked for.
	Stack string `json:",omitempty"`
}

// The states of a thread.
const (
	stateRunning = "running"
	stateWaits   = "waits for the GIL"
	stateOutside = "outside: in Blocking, Recv or Send, or about to attach or detach"
	statePaused  = "waits for the end of a stop of the world"
	stateStops   = "stops the world, or waits to do so"
)

// Threads returns the state of each attached thread, in the order of their ids. The states are
// not of the same moment. If stacks is set, all goroutines stand still while their stacks are
// read, which takes a few microseconds for each. Any goroutine.
func (r *Runtime) Threads(stacks bool) []ThreadState {
	threads := r.attachedThreads()
	var traces []byte
	if stacks {
		traces = allStacks()
	}
	waits := map[any]time.Duration{}
	var holder any
	if r.gil != nil {
		for _, w := range r.gil.Waiters() {
			waits[w.Who] = w.Waited
		}
		holder = r.gil.Holder()
	}
	all := make([]ThreadState, 0, len(threads))
	for _, t := range threads {
		s := ThreadState{ID: t.number, Name: t.name(), State: stateOutside}
		if waited, ok := waits[t]; ok {
			s.State, s.Waited = stateWaits, waited
		} else if t == holder {
			s.State = stateRunning
		}
		if t.member != nil {
			s.State = memberStates[t.member.State()]
		}
		if stacks {
			s.Stack = fault.Trim(stackOf(t, traces))
		}
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b ThreadState) int { return cmp.Compare(a.ID, b.ID) })
	return all
}

// memberStates are the states of threads in lock-free mode, by those of the members.
var memberStates = map[string]string{"outside": stateOutside, "inside": stateRunning, "paused": statePaused, "asking": stateStops}

// FrozenState describes a frozen graph and its readers. A plain value.
type FrozenState struct {
	Objects int64
	Bytes   int64
	Mapped  bool
	Leases  int  // calls of Use in progress
	Readers int  // calls of WriteTo, WriteFile and Types in progress
	Current bool // it belongs to a Current
	Leaving bool // UnloadContext waits for its readers
}

// ReadFrozen returns the loaded frozen graphs, in the order of their addresses. It stops the
// world to count the leases. A safe point. Attached thread.
func (t *Thread) ReadFrozen() (all []FrozenState) {
	t.StopTheWorld(func() {
		for _, f := range *t.rt.frozen.Load() {
			all = append(all, FrozenState{
				Objects: f.Objects(), Bytes: f.Bytes(), Mapped: f.Mapped(),
				Leases: len(t.leasesOn(f)), Readers: int(max(f.using.Load(), 0)),
				Current: f.kept.Load(), Leaving: f.departure.Load() != nil,
			})
		}
	})
	return all
}

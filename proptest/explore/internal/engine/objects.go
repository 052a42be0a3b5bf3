//go:build explore

package engine

import (
	"fmt"
	"runtime"
	"unsafe"

	"github.com/ichor-go/ichor/internal/point"
)

// object is the model of a lock, a wait group, a condition or a channel, known by its address. What
// the model holds is as good as new at the start of each schedule.
type object struct {
	addr      uintptr
	keep      any // the object itself, so that its address is not used again
	owner     *Thread
	since     []uintptr // where owner has taken it, if the execution is recorded
	readers   int
	count     int
	closed    bool
	waiting   []*Thread // in the order of their arrival
	senders   []*waiting
	receivers []*waiting
	items     []any
}

// Resetter is an object that can be made as good as new. It is when a schedule ends early, so that
// the next one finds no lock held.
type Resetter interface{ Reset() }

// table finds objects by their addresses. It is a hash table of its own because the race detector
// looks into Go's maps.
type table struct {
	slots []*object
	used  []*object // in this generation
	free  []*object
}

// begin forgets all objects.
//
//go:norace
func (t *table) begin() {
	for _, o := range t.used {
		clear(o.waiting)
		*o = object{waiting: o.waiting[:0], senders: o.senders[:0], receivers: o.receivers[:0]}
		t.free = append(t.free, o)
	}
	t.used = t.used[:0]
	if len(t.slots) == 0 {
		t.slots = make([]*object, 64)
	}
	for i := range t.slots {
		t.slots[i] = nil
	}
}

// find returns the slot of an address, or the free one where it belongs.
//
//go:norace
func (t *table) find(addr uintptr) int {
	mask := uintptr(len(t.slots) - 1)
	i := (addr >> 3) * 0x9e3779b1 >> 7 & mask
	for t.slots[i] != nil && t.slots[i].addr != addr {
		i = (i + 1) & mask
	}
	return int(i)
}

// object returns the model of an object.
//
//go:norace
func (t *table) object(addr uintptr, keep any) *object {
	i := t.find(addr)
	if o := t.slots[i]; o != nil {
		return o
	}
	if 2*len(t.used) >= len(t.slots) {
		t.slots = make([]*object, 2*len(t.slots))
		for _, o := range t.used {
			t.slots[t.find(o.addr)] = o
		}
		i = t.find(addr)
	}
	var o *object
	if n := len(t.free); n > 0 {
		o = t.free[n-1]
		t.free = t.free[:n-1]
	} else {
		o = &object{}
	}
	o.addr, o.keep = addr, keep
	t.slots[i] = o
	t.used = append(t.used, o)
	return o
}

// reset makes the objects that are held as good as new.
//
//go:norace
func (t *table) reset() {
	for _, o := range t.used {
		if r, ok := o.keep.(Resetter); ok && (o.owner != nil || o.readers > 0 || o.count != 0) {
			r.Reset()
		}
	}
}

//go:norace
func (t *Thread) object(p unsafe.Pointer, keep any) *object {
	return t.e.engine.objects.object(uintptr(p), keep)
}

// Alternatives implements Waiter for a thread that wants to lock the object.
//
//go:norace
func (o *object) Alternatives(*Thread) int {
	if o.owner != nil {
		return 0
	}
	return 1
}

// own makes t the owner.
//
//go:norace
func (o *object) own(t *Thread) {
	o.owner = t
	if t.e.trace != nil {
		o.since = t.where
	}
}

// Lock is the model of Mutex.Lock.
//
//go:norace
func (t *Thread) Lock(p unsafe.Pointer, m Resetter) {
	if t.abandoned {
		t.quit()
	}
	o := t.object(p, m)
	t.wait, t.on = o, o
	t.At(point.Acquire, p, 1, "Lock")
	t.on = nil
	o.own(t)
}

// TryLock is the model of Mutex.TryLock.
//
//go:norace
func (t *Thread) TryLock(p unsafe.Pointer, m Resetter) bool {
	if t.abandoned {
		t.quit()
	}
	o := t.object(p, m)
	t.At(point.AtomicUpdate, p, 1, "TryLock")
	if o.owner != nil || o.readers > 0 {
		t.Unchanged()
		return false
	}
	o.own(t)
	return true
}

// Unlock is the model of Mutex.Unlock. It returns false if the mutex is not to be unlocked.
//
//go:norace
func (t *Thread) Unlock(p unsafe.Pointer, m Resetter) bool {
	o := t.object(p, m)
	t.releases(point.Release, p, "Unlock")
	if o.owner == nil {
		t.Misuse("unlock of unlocked mutex")
		return false
	}
	o.owner = nil
	t.released(p, "Unlock")
	return true
}

// releases is a point before the release of a lock, if that is one.
//
//go:norace
func (t *Thread) releases(k point.Kind, p unsafe.Pointer, what string) {
	if t.e.fine && !t.abandoned {
		t.At(k, p, 1, what)
	}
}

// released notes the release of a lock, if that was no point.
//
//go:norace
func (t *Thread) released(p unsafe.Pointer, what string) {
	if t.abandoned || t.e.fine {
		return
	}
	op := point.Op{Kind: point.Release, Addr: uintptr(p), Size: 1}
	t.e.changes++
	t.e.learn(t, op)
	if t.e.trace != nil {
		t.callers()
		t.e.trace.aside(t, op, what)
	}
}

// Misuse ends the schedule with an error that names the place. It does nothing if the schedule has
// ended already.
//
//go:norace
func (t *Thread) Misuse(text string) {
	if !t.abandoned {
		t.Stop(fmt.Errorf("%s: sync: %s, at %s", t.name, text, here()))
	}
}

// here returns the place of the caller of the machinery.
//
//go:norace
func here() string {
	var pcs [24]uintptr
	return place(pcs[:runtime.Callers(3, pcs[:])])
}

// wakeAll wakes the threads that wait.
//
//go:norace
func (o *object) wakeAll() {
	for i, t := range o.waiting {
		o.waiting[i] = nil
		t.Wake()
	}
	o.waiting = o.waiting[:0]
}

// line parks the thread until it is waked in the order of arrival.
//
//go:norace
func (t *Thread) line(o *object, what string) {
	o.waiting = append(o.waiting, t)
	t.what, t.on = what, o
	t.park()
	t.on = nil
}

// WriteLock is the model of RWMutex.Lock. A writer that waits for readers keeps new ones out.
//
//go:norace
func (t *Thread) WriteLock(p unsafe.Pointer, m Resetter) {
	t.Lock(p, m)
	o := t.object(p, m)
	if o.readers > 0 {
		t.what = "Lock, for the readers to leave"
		t.park()
	}
}

// CanWriteUnlock reports whether a writer has the lock. Otherwise it ends the schedule.
//
//go:norace
func (t *Thread) CanWriteUnlock(p unsafe.Pointer, m Resetter) bool {
	o := t.object(p, m)
	if o.owner != nil && o.readers == 0 {
		return true
	}
	t.Misuse("Unlock of unlocked RWMutex")
	return false
}

// WriteUnlock is the model of RWMutex.Unlock. Readers that wait have the lock next.
//
//go:norace
func (t *Thread) WriteUnlock(p unsafe.Pointer, m Resetter) {
	o := t.object(p, m)
	t.releases(point.Release, p, "Unlock")
	o.owner = nil
	o.readers = len(o.waiting)
	o.wakeAll()
	t.released(p, "Unlock")
}

// ReadLock is the model of RWMutex.RLock.
//
//go:norace
func (t *Thread) ReadLock(p unsafe.Pointer, m Resetter) {
	if t.abandoned {
		t.quit()
	}
	o := t.object(p, m)
	t.At(point.AtomicUpdate, p, 1, "RLock")
	if o.owner != nil {
		t.line(o, "RLock")
		return // the writer has counted it
	}
	o.readers++
}

// TryReadLock is the model of RWMutex.TryRLock.
//
//go:norace
func (t *Thread) TryReadLock(p unsafe.Pointer, m Resetter) bool {
	if t.abandoned {
		t.quit()
	}
	o := t.object(p, m)
	t.At(point.AtomicUpdate, p, 1, "TryRLock")
	if o.owner != nil {
		t.Unchanged()
		return false
	}
	o.readers++
	return true
}

// ReadUnlock is the model of RWMutex.RUnlock. The last reader lets a waiting writer in.
//
//go:norace
func (t *Thread) ReadUnlock(p unsafe.Pointer, m Resetter) bool {
	o := t.object(p, m)
	if o.readers == 0 {
		t.Misuse("RUnlock of unlocked RWMutex")
		return false
	}
	t.releases(point.AtomicUpdate, p, "RUnlock") // a writer may ask for the lock before it, and then waits
	if o.readers--; o.readers == 0 && o.owner != nil && o.owner.parked {
		o.owner.Wake()
	}
	t.released(p, "RUnlock")
	return true
}

// Add is the model of WaitGroup.Add.
//
//go:norace
func (t *Thread) Add(p unsafe.Pointer, g Resetter, n int) {
	if t.abandoned {
		return
	}
	o := t.object(p, g)
	what := "Add"
	if n == -1 {
		what = "Done"
	}
	t.At(point.AtomicUpdate, p, 1, what)
	o.count += n
	if t.e.trace != nil {
		t.Says("= " + itoa(o.count))
	}
	if o.count == 0 {
		o.wakeAll()
	}
}

// Acquired orders what the last Done of a wait group has released before what comes, for a thread
// that has waited for it.
//
//go:norace
func (t *Thread) Acquired(p unsafe.Pointer) { Acquire(p) }

// Count returns the count of a wait group.
//
//go:norace
func (t *Thread) Count(p unsafe.Pointer, g Resetter) int { return t.object(p, g).count }

// WaitFor is the model of WaitGroup.Wait.
//
//go:norace
func (t *Thread) WaitFor(p unsafe.Pointer, g Resetter) {
	if t.abandoned {
		t.quit()
	}
	o := t.object(p, g)
	t.At(point.AtomicLoad, p, 1, "Wait")
	if o.count > 0 {
		t.line(o, "Wait")
	}
}

// Enqueue puts the thread into the line of a condition.
//
//go:norace
func (t *Thread) Enqueue(p unsafe.Pointer, keep any) {
	if t.abandoned {
		return
	}
	o := t.object(p, keep)
	t.At(point.AtomicUpdate, p, 1, "Wait")
	o.waiting = append(o.waiting, t)
	t.inLine = true
}

// Enqueued waits until Signal or Broadcast has removed the thread from the line.
//
//go:norace
func (t *Thread) Enqueued(p unsafe.Pointer) {
	if t.abandoned {
		t.quit()
	}
	if t.inLine {
		t.what = "Wait"
		t.park()
	}
}

// Signal is the model of Cond.Signal and, for all, of Cond.Broadcast.
//
//go:norace
func (t *Thread) Signal(p unsafe.Pointer, keep any, all bool) {
	if t.abandoned {
		return
	}
	o := t.object(p, keep)
	what := "Signal"
	if all {
		what = "Broadcast"
	}
	t.At(point.AtomicUpdate, p, 1, what)
	if t.e.trace != nil {
		t.Says(itoa(len(o.waiting)) + " waiting")
	}
	if all {
		o.wakeAll()
	} else if len(o.waiting) > 0 {
		o.waiting[0].Wake()
		for i := 1; i < len(o.waiting); i++ {
			o.waiting[i-1] = o.waiting[i]
		}
		o.waiting = o.waiting[:len(o.waiting)-1]
	}
}

// Pooled reports whether an item is in a pool.
//
//go:norace
func (t *Thread) Pooled(p unsafe.Pointer, keep any, is func(any) bool) bool {
	for _, x := range t.object(p, keep).items {
		if is(x) {
			return true
		}
	}
	return false
}

// Push and Pop are the model of a pool: what was put last is got first.
//
//go:norace
func (t *Thread) Push(p unsafe.Pointer, keep, item any) {
	if t.abandoned {
		return
	}
	o := t.object(p, keep)
	t.At(point.AtomicUpdate, p, 1, "Put")
	o.items = append(o.items, item)
}

//go:norace
func (t *Thread) Pop(p unsafe.Pointer, keep any) (any, bool) {
	if t.abandoned {
		return nil, false
	}
	o := t.object(p, keep)
	t.At(point.AtomicUpdate, p, 1, "Get")
	n := len(o.items)
	if n == 0 {
		return nil, false
	}
	item := o.items[n-1]
	o.items = o.items[:n-1]
	return item, true
}

package objects

import (
	"github.com/ichor-go/ichor/internal/mutant"
	rt "github.com/ichor-go/ichor/runtime"
)

// Words of a container's body. The bodies of List and Dict begin alike.
const (
	boxLock    = 0 // mutex, taken by writers in lock-free mode
	boxBlock   = 1 // storage; Nil while the container is empty
	boxVersion = 2 // raised under the lock before each change
	boxCap     = 3 // of a List: capacity of the block. Only writers read it
	boxGates   = 3 // of a Dict: the versions of past gates, see dictgates.go
	boxBytes   = 16
)

// lock and unlock bracket a write to a container. The lock is a leaf: between the two calls
// there is no safe point, no user code and no other lock.
func lock(t *rt.Thread, o rt.Body) {
	t.Lock(o, boxLock)
	if !(mutant.On && mutant.Is(mutant.VersionKept)) {
		o.Add(boxVersion, 1)
	}
}

// lockToRead is lock for code that does not change the container.
func lockToRead(t *rt.Thread, o rt.Body) { t.Lock(o, boxLock) }

func unlock(t *rt.Thread, o rt.Body) { t.Unlock(o, boxLock) }

// lock2 locks two containers, the first of which is about to change.
func lock2(t *rt.Thread, o, p rt.Body) {
	t.Lock2(o, p, boxLock)
	o.Add(boxVersion, 1)
}

func unlock2(t *rt.Thread, o, p rt.Body) { t.Unlock2(o, p, boxLock) }

// writable returns the body of the object r. It fails if r is not of the kind, or cannot be
// changed.
func writable(t *rt.Thread, r rt.Ref, kind rt.TypeID) (o rt.Body, err error) {
	o, ok := t.Object(r, kind)
	switch {
	case !ok:
		err = t.WantType(r, kind)
	case r.IsFrozen():
		err = t.FrozenError(r)
	}
	return o, err
}

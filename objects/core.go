package objects

import (
	"github.com/puzpuzpuz/xsync/v3"

	"github.com/ichor-go/ichor/internal/kinds"
	rt "github.com/ichor-go/ichor/runtime"
)

// core holds the calls that package runtime offers to this package alone. They are
// documented there, at the type builtin.
var core = kinds.Taken[interface {
	Define(id rt.TypeID, y rt.Type, singleton func(o rt.Body), settle func(t *rt.Thread, r rt.Ref)) *rt.Type
	Floats() func(t *rt.Thread, v float64, note uint32) (rt.Ref, error)
	LinkWeak(t *rt.Thread, w, target rt.Ref, fns ...func(*rt.Thread))
	UnlinkWeak(t *rt.Thread, w rt.Ref)
	FollowWeak(t *rt.Thread, w rt.Ref) rt.Ref
	WaitForLock(t *rt.Thread, w *uint32)
	Interned(r *rt.Runtime) *xsync.MapOf[uint64, rt.Ref]
	Foreign(r *rt.Runtime) *xsync.MapOf[rt.Ref, any]
	HashSeed(r *rt.Runtime) (k0, k1 uint64)
	EqualStrings(t *rt.Thread) map[uint64]rt.Ref
}]()

package runtime

import (
	"github.com/puzpuzpuz/xsync/v3"

	"github.com/ichor-go/ichor/internal/kinds"
)

// builtin has the methods that package objects gets, and nobody else: see package kinds.
// Its kinds know tables of the runtime, and the runtime knows how they are born and die.
type builtin struct{}

func init() { kinds.Offer(builtin{}) }

// Define is DefineType for the types with a fixed number, while the program starts.
// singleton, if it is not nil, fills the body of the singleton of the type.
func (builtin) Define(id TypeID, y Type, singleton func(o Body)) *Type {
	return defineBuiltin(id, y, singleton)
}

// NewFloat is how Floats are born: see Thread.newFloat.
func (builtin) NewFloat(t *Thread, v float64, note uint32) (Ref, error) { return t.newFloat(v, note) }

// LinkWeak, UnlinkWeak and FollowWeak are what a Weak does at its birth, at its death and
// for Get: see the methods of Thread.
func (builtin) LinkWeak(t *Thread, w, target Ref, fns ...func(*Thread)) {
	t.linkWeak(w, target, fns...)
}
func (builtin) UnlinkWeak(t *Thread, w Ref)     { t.unlinkWeak(w) }
func (builtin) FollowWeak(t *Thread, w Ref) Ref { return t.followWeak(w) }

// Interned is the weak table of equal strings, by the 64-bit hash of their text. The
// references are borrowed, and count nothing.
func (builtin) Interned(r *Runtime) *xsync.MapOf[uint64, Ref] { return r.intern }

// Foreign is the table of the Go values that objects hold, by the object, which is
// borrowed.
func (builtin) Foreign(r *Runtime) *xsync.MapOf[Ref, any] { return r.foreign }

// HashSeed is the seed of hashes that nobody outside is to foresee: random, and the same in
// all processes that share the heap.
func (builtin) HashSeed(r *Runtime) (k0, k1 uint64) { return r.seed[0], r.seed[1] }

// EqualStrings is the table of equal strings of the region that the thread's births go to,
// by the 64-bit hash of their text; nil if births are mortal. The references are borrowed,
// and counted by nobody.
func (builtin) EqualStrings(t *Thread) map[uint64]Ref {
	if t.region == nil {
		return nil
	}
	return t.region.equal
}

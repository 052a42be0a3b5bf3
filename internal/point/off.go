//go:build !explore

package point

import (
	"sync"
	"time"

	"go.uber.org/atomic"

	"github.com/ichor-go/ichor/internal/aligned"
)

// On reports whether points are part of the program.
const On = false

// Aliases, which cost nothing.
type (
	Mutex          = sync.Mutex
	Bool           = atomic.Bool
	Uint32         = atomic.Uint32
	Uint64         = aligned.Uint64
	Int64          = aligned.Int64
	Pointer[T any] = atomic.Pointer[T]
)

// inlined calls the methods that must be inlined in packages that use these types. The
// compiler exports the body of a method to them only if it has been inlined here.
// inlined itself is never called.
var _ = inlined

func inlined(m *Mutex, b *Bool, u *Uint32, v *Uint64, i *Int64) {
	m.Lock()
	b.Store(b.Load())
	m.Unlock()
	u.Store(u.Load())
	u.CompareAndSwap(0, 0)
	u.Add(u.Inc())
	v.Store(v.Load() + v.Inc())
	v.CompareAndSwap(0, 0)
	i.Store(i.Load() + i.Add(0))
}

// Sleep is time.Sleep.
func Sleep(d time.Duration) { time.Sleep(d) }

// These functions are only called behind a test of On, so never in this build. They
// panic if they are called nevertheless.

func Load[T any](*T)                 { panic(off) }
func Store[T any](*T)                { panic(off) }
func Update[T any](*T)               { panic(off) }
func Read[T any](*T)                 { panic(off) }
func Write[T any](*T)                { panic(off) }
func Born[T any](*T, int)            { panic(off) }
func Freed[T any](*T, int)           { panic(off) }
func Send[T any](*T)                 { panic(off) }
func Receive[T any](*T, func() bool) { panic(off) }
func Now() time.Duration             { panic(off) }
func Wait(func() bool)               { panic(off) }
func Whole[T any](*T) func()         { panic(off) }
func Explored() bool                 { panic(off) }

const off = "ichor: a point in a build without the tag explore"

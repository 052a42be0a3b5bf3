//go:build race

package race

import (
	"runtime"
	"unsafe"
)

// On reports whether the program runs under the race detector.
const On = true

// Hidden hides atomic operations of the calling goroutine from the detector, until it calls end.
func Hidden() (end func()) {
	runtime.RaceDisable()
	return runtime.RaceEnable
}

// Released says that what the goroutine has done comes before what any goroutine does after
// Acquired(p).
func Released[T any](p *T) { runtime.RaceReleaseMerge(unsafe.Pointer(p)) } // Safety: the address is only a name

// Acquired says that what any goroutine has done before Released(p) comes before what this one does.
func Acquired[T any](p *T) { runtime.RaceAcquire(unsafe.Pointer(p)) } // Safety: as in Released

// Read shows the detector a plain read of what p points to.
func Read[T any](p *T) { runtime.RaceRead(unsafe.Pointer(p)) } // Safety: as in Released

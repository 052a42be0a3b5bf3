package cpu

import (
	"time"

	"golang.org/x/sys/unix"
)

// ownTime is the CPU time of this process.
func ownTime() (time.Duration, bool) { return usage(unix.RUSAGE_SELF) }

// ThreadTime is the CPU time of the calling thread. The caller has locked its goroutine to it. Getrusage
// would count in ticks of the system, which are longer than what is measured with it.
func ThreadTime() (time.Duration, bool) {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &now); err != nil {
		return 0, false
	}
	return time.Duration(now.Nano()), true
}

func usage(who int) (time.Duration, bool) {
	var u unix.Rusage
	if err := unix.Getrusage(who, &u); err != nil {
		return 0, false
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()), true
}

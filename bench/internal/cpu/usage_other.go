//go:build !linux

package cpu

import "time"

// ownTime says that the CPU time of this process is unknown: without an account of the cores it
// would say nothing about others.
func ownTime() (time.Duration, bool) { return 0, false }

// ThreadTime says that the CPU time of the calling thread is unknown.
func ThreadTime() (time.Duration, bool) { return 0, false }

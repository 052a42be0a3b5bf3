//go:build unix

package scenarios

import "golang.org/x/sys/unix"

// readFaults returns the page faults of this process so far.
func readFaults() pageFaults {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		return pageFaults{}
	}
	return pageFaults{Minor: int64(u.Minflt), Major: int64(u.Majflt), Known: true}
}

//go:build !unix

package arena

import "errors"

const haveSystem = false

// reserve has only Go memory to offer: this system has no mmap.
func reserve(b Backing, n uintptr, _ bool) (memory, error) {
	if b == System {
		return memory{}, errors.New("not available on this system")
	}
	return reserveGo(n), nil
}

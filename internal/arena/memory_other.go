//go:build !unix

package arena

import (
	"errors"
	"os"
)

const haveSystem = false

// reserve supports Go memory only, as this system has no mmap.
func reserve(b Backing, n uintptr, _ bool) (memory, error) {
	if b != GoMemory {
		return memory{}, errors.New("not available on this system")
	}
	return reserveGo(n), nil
}

func sealFile(*os.File) error { return errors.ErrUnsupported }

func sealed(*os.File) error { return errors.ErrUnsupported }

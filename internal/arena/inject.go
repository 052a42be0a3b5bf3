package arena

import "os"

// Call names an operation that a test can make fail: see Config.Inject.
type Call string

// The calls. Allocate is a call of this package, the others are system calls.
const (
	Allocate Call = "allocate"
	Commit   Call = "commit"
	SealCall Call = "seal"
	Map      Call = "map"
)

// injected returns memory that calls f before each system call. Decommitting is exempt,
// because nothing depends on its success.
func (m memory) injected(f func(Call) error) memory {
	guard := func(c Call, call func(off, n uintptr) error) func(off, n uintptr) error {
		if call == nil {
			return nil
		}
		return func(off, n uintptr) error {
			if err := f(c); err != nil {
				return err
			}
			return call(off, n)
		}
	}
	m.commit = guard(Commit, m.commit)
	m.bar = guard(Map, m.bar)
	m.seal = guard(SealCall, m.seal)
	m.lockUp = guard(SealCall, m.lockUp)
	if call := m.mapFile; call != nil {
		m.mapFile = func(off uintptr, file *os.File, at int64, n uintptr) error {
			if err := f(Map); err != nil {
				return err
			}
			return call(off, file, at, n)
		}
	}
	if call := m.copyFile; call != nil {
		m.copyFile = func(off uintptr, file *os.File, n uintptr, write bool) error {
			if err := f(Map); err != nil {
				return err
			}
			return call(off, file, n, write)
		}
	}
	if m.after != nil {
		after := m.after.injected(f)
		m.after = &after
	}
	return m
}

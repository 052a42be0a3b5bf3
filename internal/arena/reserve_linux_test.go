package arena

import (
	"testing"

	"github.com/prometheus/procfs"
	"golang.org/x/sys/unix"
)

// TestReserveUnderLimit has a process with a limit on its addresses reserve spaces: New
// falls back to a small one if no size is given.
func TestReserveUnderLimit(t *testing.T) {
	self, err := procfs.Self()
	if err != nil {
		t.Fatal(err)
	}
	stat, err := self.Stat()
	if err != nil {
		t.Fatal(err)
	}
	var old unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_AS, &old); err != nil {
		t.Fatal(err)
	}
	const left = 640 << 20
	if err := unix.Setrlimit(unix.RLIMIT_AS, &unix.Rlimit{Cur: uint64(stat.VirtualMemory()) + left, Max: old.Max}); err != nil {
		t.Fatal(err)
	}
	s, err := New(Config{Backing: System})
	_, refused := New(Config{Backing: System, Reserve: 1 << 30})
	if err := unix.Setrlimit(unix.RLIMIT_AS, &old); err != nil {
		t.Fatal(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	if refused == nil {
		t.Skip("SKIPPED: this system, an emulator's, does not limit addresses")
	}
	if n := int64(s.Mask()) + 1; n != littleGranules {
		t.Errorf("%d granules were reserved", n)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

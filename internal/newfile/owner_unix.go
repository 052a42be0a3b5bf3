//go:build unix

package newfile

import (
	"os"
	"syscall"
)

// keepOwner gives f the owner and the group of was, if the process has the right.
func keepOwner(f *os.File, was os.FileInfo) {
	if st, ok := was.Sys().(*syscall.Stat_t); ok {
		_ = f.Chown(int(st.Uid), int(st.Gid)) // without the right, f belongs to this user
	}
}

//go:build unix

package objects

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

func sameOwner(a, b os.FileInfo) bool {
	x, y := a.Sys().(*syscall.Stat_t), b.Sys().(*syscall.Stat_t)
	return x.Uid == y.Uid && x.Gid == y.Gid
}

// specialFiles returns a pipe, and a link to it.
func specialFiles(t *testing.T, folder string) []string {
	pipe, link := filepath.Join(folder, "pipe"), filepath.Join(folder, "link")
	must0(t, syscall.Mkfifo(pipe, 0o600))
	must0(t, os.Symlink(pipe, link))
	return []string{pipe, link}
}

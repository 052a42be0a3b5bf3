package newfile

import (
	"os"
	"path/filepath"
	"testing"
)

// Links in a ring have an end: an error.
func TestAfterLinks(t *testing.T) {
	a, b := filepath.Join(t.TempDir(), "a"), filepath.Join(t.TempDir(), "b")
	if os.Symlink(a, b) != nil || os.Symlink(b, a) != nil {
		t.Skip("no links here")
	}
	if path, err := afterLinks(a); err == nil {
		t.Errorf("they lead to %s", path)
	}
}

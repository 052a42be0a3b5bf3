//go:build !unix

package runtime

import "os"

// keepOwner does nothing: files belong to whoever makes them.
func keepOwner(*os.File, os.FileInfo) {}

package objects

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	rt "github.com/ichor-go/ichor/runtime"
)

// TestImageInfo: the header of an image describes its contents. A write that is given up
// leaves the folder unchanged.
func TestImageInfo(t *testing.T) {
	forAllModes(t, func(t *testing.T, o rt.Options) {
		clean(t, o, func(th *rt.Thread) {
			point := must(DefineRecord("image info point", "x", "y"))
			p := must(point.New(th, rt.None, smallInt(3)))
			f := must(th.Freeze(p))
			th.DecRef(p)
			file := filepath.Join(t.TempDir(), "point.img")
			must0(t, f.WriteFile(file))
			info, err := rt.ReadImageInfo(file)
			if err != nil {
				t.Fatal(err)
			}
			st := must(os.Stat(file))
			if info.Version != 2 || info.FileBytes != st.Size() || info.Objects != f.Objects() || info.Bytes != f.Bytes() {
				t.Errorf("%+v of %d objects in %d bytes", info, f.Objects(), f.Bytes())
			}
			// The hash of the layouts of version 2. With any other, images written before
			// could not be opened, so the version has to change as well.
			if version2 := uint64(0x759a8a4f4e351232); info.Layout != version2 {
				t.Errorf("the layouts have the hash %#x, want %#x", info.Layout, version2)
			}
			if len(info.Types) != 1 || info.Types[0] != (rt.ImageType{Name: "image info point", Layout: `record: version, "x", "y"`}) {
				t.Errorf("types %q", info.Types)
			}

			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			if err := f.WriteFileContext(ctx, file+"2"); !errors.Is(err, context.Canceled) {
				t.Errorf("given up: %v", err)
			}
			if left := must(os.ReadDir(filepath.Dir(file))); len(left) != 1 {
				t.Errorf("in the folder: %v", left)
			}
			must0(t, os.Truncate(file, 1000))
			var bad *rt.ImageError
			if _, err := rt.ReadImageInfo(file); !errors.As(err, &bad) || bad.Name != file {
				t.Errorf("cut: %v", err)
			}
			if _, err := rt.ReadImageInfo(file + "3"); !errors.As(err, &bad) || !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("not there: %v", err)
			}
		})
	})
}

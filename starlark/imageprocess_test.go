package starlark

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	rt "github.com/ichor-go/ichor/runtime"
)

// imageFile and imageMode are the variables by which TestImageProcesses tells a process which image
// to open.
const (
	imageFile = "STARLARK_TEST_IMAGE"
	imageMode = "STARLARK_TEST_MODE"
)

// A module that is frozen as an image in one process is opened by several others at the same time, which
// see the same values and may not change them.
func TestImageProcesses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "library.img")
	want := writeLibrary(t, Options{}, path)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmds := make([]*exec.Cmd, len(modes))
	outs := make([]strings.Builder, len(modes))
	for i, md := range modes {
		cmds[i] = exec.Command(self, "-test.run", "^TestImageOfAnother$", "-test.v")
		cmds[i].Env = append(os.Environ(), imageFile+"="+path, imageMode+"="+md.name)
		cmds[i].Stdout, cmds[i].Stderr = &outs[i], &outs[i]
		if err := cmds[i].Start(); err != nil {
			t.Fatal(err)
		}
	}
	for i, c := range cmds {
		if err := c.Wait(); err != nil || !strings.Contains(outs[i].String(), want) {
			t.Errorf("%s: %v, printed %s\nwant %s", modes[i].name, err, outs[i].String(), want)
		}
	}
}

// TestImageOfAnother is a process of TestImageProcesses.
func TestImageOfAnother(t *testing.T) {
	path := os.Getenv(imageFile)
	if path == "" {
		t.Skip("a process of TestImageProcesses")
	}
	for _, md := range modes {
		if md.name != os.Getenv(imageMode) {
			continue
		}
		opts := md.opts
		opts.File, opts.Output = everything, os.Stdout
		opts.Load = libraryLoader(func(th *Thread) (*Module, error) {
			return th.OpenImage(path, rt.ImageOptions{})
		})
		m := open(t, opts)
		do(t, m, func(th *Thread) error {
			mod, err := th.Exec("probe.star", probe)
			if err != nil {
				return err
			}
			th.Clear(mod)
			_, err = th.Exec("change.star", "load('library.star', 'table')\ntable[1] = 2\n")
			if err == nil || !strings.Contains(err.Error(), "frozen hash table") {
				t.Errorf("an assignment to a dict of the image: %v", err)
			}
			return nil
		})
	}
}

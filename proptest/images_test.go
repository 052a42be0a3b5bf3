package proptest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/ichor-go/ichor/objects"
	"github.com/ichor-go/ichor/proptest/internal/property"
	rt "github.com/ichor-go/ichor/runtime"
)

// limited writes or reads so many bytes and then fails.
type limited struct {
	left int
	text []byte
}

func (l *limited) Write(b []byte) (int, error) {
	n := min(len(b), l.left)
	l.left -= n
	if n < len(b) {
		return n, ErrInjected
	}
	return n, nil
}

func (l *limited) ReadAt(b []byte, at int64) (int, error) {
	n := 0
	if at < int64(len(l.text)) {
		n = copy(b, l.text[at:])
	}
	if int(at)+n > l.left {
		return max(l.left-int(at), 0), ErrInjected
	}
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

// TestImageFaults fails after each byte when an image is written, and when it is read.
func TestImageFaults(t *testing.T) {
	r := property.Must(rt.New(rt.Options{AddressSpace: 64 << 20}))
	var file bytes.Buffer
	var f *rt.Frozen
	err := r.Do(func(th *rt.Thread) error {
		return loaded(th, objects.JSONOptions{}, func(root rt.Ref) (err error) {
			f, err = th.Freeze(root)
			if err == nil {
				_, err = f.WriteTo(&file)
			}
			return err
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	for n := range file.Len() {
		written, err := f.WriteTo(&limited{left: n})
		if !errors.Is(err, ErrInjected) || written != int64(n) {
			t.Fatalf("written to a disk with room for %d bytes: %d, %v", n, written, err)
		}
		if _, err := r.OpenImageAt(&limited{left: n, text: file.Bytes()}); !errors.Is(err, ErrInjected) {
			t.Fatalf("read up to byte %d: %v", n, err)
		}
	}
	if m := r.Memory(); m.FrozenGraphs != 1 {
		t.Errorf("%+v", m)
	}
	if err := errors.Join(r.Unload(f), r.Close()); err != nil {
		t.Error(err)
	}
}

// TestImageKill kills a process while it overwrites an image, again and again. There must
// always be a complete image.
func TestImageKill(t *testing.T) {
	const variable = "ICHOR_TEST_IMAGE"
	if file := os.Getenv(variable); file != "" {
		writeForever(file)
	}
	file := filepath.Join(t.TempDir(), "image")
	r := property.Must(rt.New(rt.Options{AddressSpace: 64 << 20}))
	kills := 30
	if testing.Short() {
		kills = 5
	}
	for i := range kills {
		killed(t, variable+"="+file, i)
		f, err := r.OpenImage(file)
		if err != nil {
			t.Fatalf("after kill %d: %v", i, err)
		}
		if err := r.Unload(f); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}

// writeForever writes images of different sizes to one file.
func writeForever(file string) {
	r := property.Must(rt.New(rt.Options{}))
	property.Check(r.Do(func(th *rt.Thread) error {
		for n := 0; ; n++ {
			b := property.Must(objects.NewBytes(th, make([]byte, n%7*100_000)))
			f := property.Must(th.Freeze(b))
			property.Check(f.WriteFile(file))
			property.Check(th.Unload(f))
			th.DecRef(b)
			if n == 0 {
				fmt.Println("written")
			}
		}
	}))
}

// killed starts this test in a process of its own, and kills that process some time after it has
// written its first image.
func killed(t *testing.T, env string, i int) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestImageKill$")
	cmd.Env = append(os.Environ(), env)
	out := property.Must(cmd.StdoutPipe())
	property.Check(cmd.Start())
	if _, err := io.ReadFull(out, make([]byte, len("written"))); err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Duration(i) * 500 * time.Microsecond)
	property.Check(cmd.Process.Kill())
	_ = cmd.Wait() // killed
}

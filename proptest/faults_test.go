package proptest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	goruntime "runtime"
	"strings"
	"testing"
	"time"

	"github.com/ichor-go/ichor/objects"
	rt "github.com/ichor-go/ichor/runtime"
)

// faultPrograms are whole programs. Each gives up all references that it owns, in any case.
var faultPrograms = map[string]func(th *rt.Thread) error{
	"json": func(th *rt.Thread) error { return loaded(th, objects.JSONOptions{}, nothingElse) },
	"json born immortal": func(th *rt.Thread) error {
		return loaded(th, objects.JSONOptions{Immortal: true}, nothingElse)
	},
	"list": func(th *rt.Thread) error {
		return th.Scope(func(s *rt.Scope) {
			l, other := objects.List(s.Own(objects.NewList(th))), objects.List(s.Own(objects.NewList(th, rt.None)))
			for i := range 70 {
				v := s.Own(objects.NewInt(th, bigBase+int64(i)))
				s.Check(l.Append(th, v))
				s.Check(l.Insert(th, 0, v))
			}
			s.Check(l.Extend(th, other))
			s.Check(other.Extend(th, l))
			for range 50 {
				s.Own(l.Pop(th))
				s.Check(l.Remove(th, 0))
			}
			s.Check(l.Clear(th))
		})
	},
	"dict": func(th *rt.Thread) error {
		return th.Scope(func(s *rt.Scope) {
			d, other := objects.Dict(s.Own(objects.NewDict(th))), objects.Dict(s.Own(objects.NewDict(th)))
			for i := range 60 {
				key, v := s.Own(objects.NewString(th, fmt.Sprint("key ", i))), s.Own(objects.NewFloat(th, float64(i)))
				s.Check(d.Set(th, key, v))
				if i%3 == 0 {
					s.Own(d.Pop(th, key))
				}
				s.Check(other.Set(th, v, key))
			}
			s.Check(d.Update(th, other))
			s.Check(d.Clear(th))
		})
	},
	"kinds": func(th *rt.Thread) error {
		return th.Scope(func(s *rt.Scope) {
			text, b := s.Own(objects.Intern(th, "interned")), s.Own(objects.NewBytes(th, []byte("raw")))
			tuple := s.Own(objects.NewTuple(th, text, b))
			rec := s.Own(record.New(th, tuple, text, rt.None))
			c := objects.Cell(s.Own(objects.NewCell(th, rec)))
			s.Check(c.Store(th, tuple))
			s.Own(objects.NewWeak(th, rec, func(*rt.Thread) {}))
			s.Own(objects.NewForeign(th, 1, nil))
			n := s.Own(newFaultNode(th, rec))
			th.IncRef(n)
			setFaultNode(th, n, n) // a cycle
		})
	},
	"freeze": func(th *rt.Thread) error {
		return loaded(th, objects.JSONOptions{}, func(root rt.Ref) error {
			f, err := th.Freeze(root, rt.FreezeOptions{ShareEqual: true})
			if err != nil {
				return err
			}
			return th.Unload(f)
		})
	},
	"image": func(th *rt.Thread) error {
		return loaded(th, objects.JSONOptions{}, func(root rt.Ref) (err error) {
			f, err := th.Freeze(root)
			if err != nil {
				return err
			}
			var file bytes.Buffer
			_, err = f.WriteTo(&file)
			if err = errors.Join(err, th.Unload(f)); err != nil {
				return err
			}
			if f, err = th.Runtime().OpenImageAt(bytes.NewReader(file.Bytes())); err != nil {
				return err
			}
			return th.Unload(f)
		})
	},
	"immortalize": func(th *rt.Thread) error {
		return loaded(th, objects.JSONOptions{}, func(root rt.Ref) error {
			if err := th.Immortalize(root); err != nil {
				return err
			}
			v, err := objects.NewInt(th, bigBase)
			if err != nil {
				return err
			}
			defer th.DecRef(v)
			key, err := objects.NewString(th, "new")
			if err != nil {
				return err
			}
			defer th.DecRef(key)
			return objects.Dict(root).Set(th, key, v)
		})
	},
}

const faultText = `{"a": [1, 2.5, -3000000000, "text", {"b": null}], "c": {}, "d": "text", "e": [[[[]]]], "f": 12345678901234567890123}`

func nothingElse(rt.Ref) error { return nil }

// loaded loads a document, calls use with it, and gives it up.
func loaded(th *rt.Thread, o objects.JSONOptions, use func(root rt.Ref) error) error {
	root, err := objects.FromJSON(th, strings.NewReader(faultText), o)
	if err != nil {
		return err
	}
	defer th.DecRef(root)
	return use(root)
}

// A fault node refers to two objects, and may be in a cycle.
var faultNode = must(rt.DefineType(rt.Type{
	Name: "fault node", Mutable: true,
	Slots: func(_ rt.Heap, o rt.Body) (rt.Body, int, int) { return o, 0, 2 },
}))

func newFaultNode(th *rt.Thread, v rt.Ref) (rt.Ref, error) {
	r, o, err := th.New(faultNode, 8)
	if err == nil {
		th.IncRef(v)
		o.SetRef(0, v)
	}
	return r, err
}

func setFaultNode(th *rt.Thread, n, v rt.Ref) { th.Retire(th.Body(n).SwapRef(1, v)) }

// TestFaults makes each allocation and each system call of each program fail once, in every
// mode.
func TestFaults(t *testing.T) {
	for _, o := range configs()[:3] {
		t.Run(configName(o), func(t *testing.T) {
			for name, program := range faultPrograms {
				t.Run(name, func(t *testing.T) { Faults(t, o, program) })
			}
			if goruntime.GOOS == "linux" {
				o.Backing = rt.MemfdBacking
				for _, name := range []string{"freeze", "image"} {
					t.Run(name+" in a memfd", func(t *testing.T) { Faults(t, o, faultPrograms[name]) })
				}
			}
		})
	}
}

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
	r := must(rt.New(rt.Options{AddressSpace: 64 << 20}))
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
	r := must(rt.New(rt.Options{AddressSpace: 64 << 20}))
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
	r := must(rt.New(rt.Options{}))
	must(0, r.Do(func(th *rt.Thread) error {
		for n := 0; ; n++ {
			b := must(objects.NewBytes(th, make([]byte, n%7*100_000)))
			f := must(th.Freeze(b))
			must(0, f.WriteFile(file))
			must(0, th.Unload(f))
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
	out := must(cmd.StdoutPipe())
	must(0, cmd.Start())
	if _, err := io.ReadFull(out, make([]byte, len("written"))); err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Duration(i) * 500 * time.Microsecond)
	must(0, cmd.Process.Kill())
	_ = cmd.Wait() // killed
}

// Faults detects a program that leaks when the error is injected, and one that hides
// the error.
func TestFaultsFinds(t *testing.T) {
	o := rt.Options{AddressSpace: 64 << 20, Checked: true, CollectAfter: -1}
	found := false
	for n := range int64(10) {
		_, err := faulty(o, n+1, func(th *rt.Thread) error {
			l, err := objects.NewList(th)
			if err != nil {
				return err
			}
			m, err := objects.NewList(th, l)
			if err != nil {
				return err // l leaks
			}
			th.DecRefs([]rt.Ref{l, m})
			return nil
		})
		var audit *rt.AuditError
		found = found || errors.As(err, &audit)
	}
	if !found {
		t.Error("a list is lost, and nobody minds")
	}
	_, err := faulty(o, 1, func(th *rt.Thread) error {
		if _, err := objects.NewList(th); err != nil {
			return errors.New("something")
		}
		return nil
	})
	if err == nil || !strings.Contains(err.Error(), "another one") {
		t.Errorf("the error is hidden: %v", err)
	}
}

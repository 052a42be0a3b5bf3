package overlay

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestNotes has one of everything that is not rewritten. Each line that must be named ends in
// a comment that says how the note begins.
func TestNotes(t *testing.T) {
	files := map[string]string{
		"notes.go": `package notes

import (
	"hash/maphash"
	"iter"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"reflect"
	"runtime"
	"sync"
	"unsafe"

	"outside"
)

var wg sync.WaitGroup

func assembly(x int) int // note: assembly has no Go body

//go:linkname nanotime runtime.nanotime // note: linkname
func nanotime() int64 // note: nanotime has no Go body

func talk(c net.Conn) {
	_, _ = os.ReadFile("x") // note: os.ReadFile talks
	_, _ = http.Get("x")    // note: net/http.Get talks
	_, _ = c.Read(nil)      // note: net.Conn.Read talks
	_, _ = net.Dial("", "") // note: net.Dial talks
	_ = exec.Command("x").Run() // note: os/exec.Cmd.Run talks
	_ = os.Getenv("x")
	println(os.Args)
	var f *os.File
	_, _ = f.Write(nil) // note: os.File.Write talks
	_ = f.Name()
}

type key struct{ p *int }

func other(m map[key]int) {
	for k := range m { // note: the keys of this map
		_ = k
	}
	for _, v := range m {
		_ = v
	}
	runtime.SetFinalizer(new(int), nil) // note: runtime.SetFinalizer runs
	runtime.GC()
	next, _ := iter.Pull(maps.Keys(m)) // note: iter.Pull runs
	next()
	_ = *(*int32)(unsafe.Pointer(&wg)) // note: an unsafe.Pointer to sync.WaitGroup
	_ = *(*int32)(unsafe.Pointer(&m))
	_ = maphash.MakeSeed() // note: hash/maphash.MakeSeed: its hashes differ
	outside.Wait(&wg) // note: outside.Wait has to do with sync.WaitGroup
	outside.Fine(nil)
	_ = outside.Group // note: outside.Group has to do with sync.WaitGroup
	_ = outside.T{}
	reflect.Select(nil) // note: reflect.Select uses
	reflect.ValueOf(nil).Send(reflect.Value{}) // note: reflect.Value.Send uses
}

func mixed[T chan int | []int](x T) int { return len(x) } // note: len of a type parameter
`,
		"notes_test.go": `package notes

import (
	"os"
	"testing"
)

func TestX(*testing.T) { _, _ = os.ReadFile("x") }
`,
		"notes.s":        "// f(x)\n\nTEXT ·assembly(SB), 4, $0-16 // note: assembly runs\n\tRET\n",
		"go.mod":         "\nrequire outside v0.0.0\nreplace outside => ./outside\n",
		"outside/go.mod": "module outside\n\ngo 1.26\n",
		"outside/outside.go": `package outside

import "sync"

type T struct{ mu sync.Mutex }

var Group []map[string]*sync.WaitGroup

func Wait(*sync.WaitGroup) {}
func Fine(*T) {}
`,
	}
	dir := newModule(t, "notes", files)
	r, err := Rewrite(Config{Dir: dir, Tags: []string{"explore"}})
	if err != nil || len(r.Broken) > 0 {
		t.Fatal(err, r.Broken)
	}
	wants := 0
	for name, text := range files {
		for i, line := range strings.Split(text, "\n") {
			_, want, ok := strings.Cut(line, "// note: ")
			if !ok {
				continue
			}
			wants++
			prefix := fmt.Sprintf("%s:%d:", filepath.Join(dir, name), i+1)
			found := false
			for _, n := range r.Notes {
				at := fmt.Sprintf("%s:%d:", n.Position.Filename, n.Position.Line)
				found = found || at == prefix && strings.HasPrefix(n.Text, want)
			}
			if !found {
				t.Errorf("%s no note %q", prefix, want)
			}
		}
	}
	if len(r.Notes) != wants || t.Failed() {
		t.Errorf("%d notes, want %d", len(r.Notes), wants)
		for _, n := range r.Notes {
			t.Log(n)
		}
	}
}

// TestC rewrites a file that calls C.
func TestC(t *testing.T) {
	if _, err := exec.LookPath("gcc"); err != nil {
		t.Skip("no C compiler")
	}
	dir := newModule(t, "withc", map[string]string{"c.go": `package main

// static int twice(int x) { return 2 * x; }
import "C"

import "runtime"

func main() {
	c := make(chan C.int, 1)
	go func() { c <- C.twice(3) }()
	println(<-c)
	_, file, line, _ := runtime.Caller(0)
	println(file, line)
}
`})
	t.Setenv("CGO_ENABLED", "1")
	r, flags := overlayOf(t, Config{Dir: dir, Patterns: []string{"."}})
	if len(r.Notes) != 1 || r.Notes[0].Position.Line != 4 {
		t.Errorf("notes: %v", r.Notes)
	}
	if len(r.Files) != 1 {
		t.Errorf("%d files are rewritten", len(r.Files))
	}
	out := goRun(t, dir, append(append([]string{"run"}, flags...), ".")...)
	if want := "6\n" + filepath.Join(dir, "c.go") + " 12\n"; out != want {
		t.Errorf("the program prints %q, want %q", out, want)
	}
}

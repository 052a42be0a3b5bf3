package overlay

import (
	"cmp"
	"fmt"
	"go/types"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var directive = regexp.MustCompile(`/\*line [^*]*\*/`)

// plain removes the directives from a rewritten file.
func plain(text string) string {
	_, text, _ = strings.Cut(text, "\n") // the directive at the beginning
	return directive.ReplaceAllString(text, "")
}

// forms has statements, with the declarations
//
//	var c, d chan int; var e chan error; var b bool; var n int; func f(int, ...int) int; func g() (int, int)
//
// and what they become, if it is something else. S. stands for the shim, and each $1 for a new name.
var forms = []struct{ name, in, out string }{
	{"send", `c <- n`, `S.Send(c, n)`},
	{"send of a constant", `c <- 1`, `S.Send(c, 1)`},
	{"send of nil", `e <- nil`, `S.SendTo(e)(nil)`},
	{"send of another type", `e <- new(err)`, `S.SendTo(e)(new(err))`},
	{"receive", `<-c`, `S.Recv(c)`},
	{"receive in an expression", `n = f(<-c, -<-d)`, `n = f(S.Recv(c), -S.Recv(d))`},
	{"receive what was received", `c <- <-d`, `S.Send(c, S.Recv(d))`},
	{"second value", `n, b = <-c`, `n, b = S.Recv2(c)`},
	{"second value in parentheses", `_, b = (<-c)`, `_, b = (S.Recv2(c))`},
	{"second value of a declaration", `var v, ok = <-c; _, _ = v, ok`, `var v, ok = S.Recv2(c); _, _ = v, ok`},
	{"second value of a named type", `var y truth; _, y = <-c; _ = y`, `var y truth; _, y = S.Recv2As[truth](c); _ = y`},
	{"close", `close(c)`, `S.Close(c)`},
	{"deferred close", `defer close(c)`, `defer S.Close(c)`},
	{"close in parentheses", `(close)(c)`, `S.Close(c)`},
	{"length", `n = len(c) + cap(d) + len("x")`, `n = S.Len(c) + S.Cap(d) + len("x")`},
	{"go", `go f(n)`, `{ $1 := n; S.Go(func() { f($1) }) }`},
	{"go of a literal", `go func() { c <- 1 }()`, `S.Go(func() { S.Send(c, 1) })`},
	{"go of a literal with arguments", `go func(n int) {}(n)`, `{ $1, $2 := func(n int) {}, n; S.Go(func() { $1($2) }) }`},
	{"go of a literal with a result", `go func() int { return 1 }()`, `{ $1 := func() int { return 1 }; S.Go(func() { $1() }) }`},
	{"go with constants", `go f(1, 2)`, `{ S.Go(func() { f(1, 2) }) }`},
	{"go with an ellipsis", `go f(1, []int{n}...)`, `{ $1 := []int{n}; S.Go(func() { f(1, $1...) }) }`},
	{"go with several values", `go f(g())`, `{ $1, $2 := g(); S.Go(func() { f($1, $2) }) }`},
	{"go of a variable", `h := f; go h(<-c)`, `h := f; { $1, $2 := h, S.Recv(c); S.Go(func() { $1($2) }) }`},
	{"go of a builtin", `go close(c)`, `{ $1 := c; S.Go(func() { S.Close($1) }) }`},
	{"go with an untyped comparison", `go t(n == 1)`, `{ $1 := truth(n == 1); S.Go(func() { t($1) }) }`},
	{"go with a generic function", `go hof(n, id)`, `{ $1 := n; S.Go(func() { hof($1, id) }) }`},
	{"go with an untyped shift", `go s64(1<<n, 2+1<<n, -(1 << n))`, `{ $1, $2, $3 := int64(1<<n), int64(2+1<<n), int64(-(1 << n)); S.Go(func() { s64($1, $2, $3) }) }`},
	{"go with a shift of an int", `go f(1<<n, n<<1)`, `{ $1, $2 := 1<<n, n<<1; S.Go(func() { f($1, $2) }) }`},
	{"go with a shift of an imported type", `go dur(1 << n)`, `{ $1 := time.Duration(1 << n); S.Go(func() { dur($1) }) }`},
	{"go of instances", `go id[int](n)`, `{ $1 := n; S.Go(func() { id[int]($1) }) }`},
	{"go of instances of two types", `go id2[int, string](n, "")`, `{ $1 := n; S.Go(func() { id2[int, string]($1, "") }) }`},
	{"go of an imported function", `go runtime.KeepAlive(n)`, `{ $1 := n; S.Go(func() { runtime.KeepAlive($1) }) }`},
	{"go of an element", `go fs[n]()`, `{ $1 := fs[n]; S.Go(func() { $1() }) }`},
	{"go of a method", `go m.get(n)`, `{ $1, $2 := m.get, n; S.Go(func() { $1($2) }) }`},
	{"range", `for v := range c { n = v }`, `for $1 := c; ; { v, $2 := S.Recv2($1); if !$2 { break }; { n = v }}`},
	{"range without a value", `for range c { n++ }`, `for $1 := c; ; { _, $2 := S.Recv2($1); if !$2 { break }; { n++ }}`},
	{"range with a blank", `for _ = range c { n++ }`, `for $1 := c; ; { _, $2 := S.Recv2($1); if !$2 { break }; { n++ }}`},
	{"range that assigns", `for n = range c { b = true }`, `for $1 := c; ; { $3, $2 := S.Recv2($1); if !$2 { break }; n = $3; { b = true }}`},
	{"range over a map", `for k, v := range ma { n = k + v }`, `for $1 := S.Map(ma); $1.Next(); { k, v := $1.Key, $1.Value; { n = k + v }}`},
	{"range over keys", `for k := range ma { n = k }`, `for $1 := S.Map(ma); $1.Next(); { k := $1.Key; { n = k }}`},
	{"range that assigns values", `for _, n = range ma { b = true }`, `for $1 := S.Map(ma); $1.Next(); { _, n = $1.Key, $1.Value; { b = true }}`},
	{"range that counts entries", `for range ma { n++ }`, ``},
	{"random numbers", `n = rand.Intn(3) + int(r2.Int32N(3)) + r2.N(n)`, `n = S.Rand.Intn(3) + int(S.RandV2.Int32N(3)) + S.RandN(n)`},
	{"a source of random numbers", `n = rand.New(rand.NewSource(1)).Intn(3)`, ``},
	{"range over something else", `for n = range 3 { b = true }`, ``},
	{"an empty select", `select {}`, `for { S.Select(S.False) }`},
	{"select with only a default", `select { default: n = 1 }`, `switch S.Select(S.True) { default: n = 1 }`},
	{"select", `select { case v := <-c: n = v; case d <- n: }`,
		`switch $1, $2 := S.RecvCase(c), S.SendCase(d, n); S.Select(S.False, $1, $2) { case 0: v := $1.Value; n = v; default: }`},
	{"select with a default", `select { case n, b = <-c: case e <- nil: default: n = 1 }`,
		`switch $1, $2 := S.RecvCase(c), S.SendCaseTo(e)(nil); S.Select(S.True, $1, $2) { case 0: n, b = $1.Value, $1.OK; case 1: default: n = 1 }`},
	{"select of a named type", `var y truth; select { case _, y = <-c: n = 1 }; _ = y`,
		`var y truth; switch $1 := S.RecvCase(c); S.Select(S.False, $1) { default: _, y = $1.Value, $1.OK != S.False; n = 1 }; _ = y`},
	{"select with receives in its operands", `select { case <-cc(<-c): case c <- <-d: }`,
		`switch $1, $2 := S.RecvCase(cc(S.Recv(c))), S.SendCase(c, S.Recv(d)); S.Select(S.False, $1, $2) { case 0: default: }`},
	{"yield", `runtime.Gosched()`, `S.Gosched()`},
	{"padding", `var x [64 - unsafe.Sizeof(p)%64]byte; _ = x; <-c`, `var x [48]byte; _ = x; S.Recv(c)`},
	{"a size that is no padding", `var x [unsafe.Sizeof(p) - 1]byte; _ = x; <-c`, `var x [unsafe.Sizeof(p) - 1]byte; _ = x; S.Recv(c)`},
	{"own names", `close := func(chan int) {}; len := f; close(c); n = len(n)`, ``},
}

const around = `package p%d

import (
	"math/rand"
	r2 "math/rand/v2"
	"runtime"
	"time"
	"unsafe"
)

type (
	err   struct{}
	truth bool
	meth  struct{}
)

func (*err) Error() string { return "" }
func (meth) get(int)       {}
func f(int, ...int) int    { return 0 }
func g() (int, int)        { return 0, 0 }
func t(truth)              {}
func id[T any](x T) T      { return x }
func hof(int, func(n int) int) {}
func id2[T, U any](T, U)   {}
func s64(...int64)         {}
func dur(time.Duration)    {}
func cc(int) chan int      { return nil }

var (
	c, d chan int
	e    chan error
	b    bool
	n    int
	m    meth
	p    struct{ _ [16]byte }
	ma   map[int]int
	fs   []func()
	_    = runtime.GOOS
	_    rand.Source
	_    r2.Source
	_    unsafe.Pointer
)

func _() {
	%s
}
`

// TestForms compares the text of rewritten statements.
func TestForms(t *testing.T) {
	files := map[string]string{}
	for i, form := range forms {
		files[fmt.Sprintf("p%d/p.go", i)] = fmt.Sprintf(around, i, form.in)
	}
	dir := newModule(t, "forms", files)
	r, err := Rewrite(Config{Dir: dir, Tags: []string{"explore"}, Patterns: []string{"./..."}})
	if err != nil {
		t.Fatal(err)
	}
	for path, err := range r.Broken {
		t.Errorf("%s: %v", path, err)
	}
	for i, form := range forms {
		got := r.Files[filepath.Join(dir, fmt.Sprintf("p%d", i), "p.go")]
		want := cmp.Or(form.out, form.in)
		_, got, _ = strings.Cut(plain(got), "func _() {\n\t")
		got = strings.NewReplacer("explore_shim.", "S.", "explore_", "$", "\n}\n", "").Replace(got)
		if got != want {
			t.Errorf("%s: %s becomes\n%s, want\n%s", form.name, form.in, got, want)
		}
	}
}

// TestImports compares the text of rewritten imports.
func TestImports(t *testing.T) {
	const twins = Explorer
	for name, c := range map[string]struct{ in, out string }{
		"plain":   {"import \"sync\"\n\nvar _ sync.Mutex", "import sync \"" + twins + "/sync\"\n\nvar _ sync.Mutex"},
		"renamed": {"import s \"sync/atomic\"\n\nvar _ s.Bool", "import s \"" + twins + "/atomic\"\n\nvar _ s.Bool"},
		"dot":     {"import . \"time\"\n\nvar _ Duration", "import . \"" + twins + "/time\"\n\nvar _ Duration"},
		"blank":   {"import _ \"context\"", ""},
		"others":  {"import \"go.uber.org/atomic\"\n\nvar _ atomic.Bool", "import atomic \"" + twins + "/uatomic\"\n\nvar _ atomic.Bool"},
		"shim":    {"func f(c chan int) { c <- 1 }", "import explore_shim \"" + twins + "/shim\"\n\nfunc f(c chan int) { explore_shim.Send(c, 1) }"},
		"a name with the prefix": {"func f(explore_x chan int) { explore_x <- 1 }",
			"import explore__shim \"" + twins + "/shim\"\n\nfunc f(explore_x chan int) { explore__shim.Send(explore_x, 1) }"},
		"only padding": {"import \"unsafe\"\n\nvar _ [16 - unsafe.Sizeof(\"\")/2]byte",
			"import _ \"unsafe\"\n\nvar _ [8]byte"},
		"a random function": {"import _ \"unsafe\"\n\n//go:noescape\n//go:linkname rnd runtime.fastrand\nfunc rnd() uint32\n\nfunc f() uint32",
			"import explore_shim \"" + twins + "/shim\"\n\nimport _ \"unsafe\"\n\n//\n//\nfunc rnd() uint32 { return explore_shim.Rand32() }\n\nfunc f() uint32"},
		"a seed of hashes": {"import \"hash/maphash\"\n\nvar _ = maphash.MakeSeed()",
			"import explore_shim \"" + twins + "/shim\"\n\nimport _ \"hash/maphash\"\n\nvar _ = explore_shim.MakeSeed()"},
		"only yields": {"import r \"runtime\"\n\nvar _ = r.Gosched",
			"import explore_shim \"" + twins + "/shim\"\n\nimport _ \"runtime\"\n\nvar _ = explore_shim.Gosched"},
	} {
		dir := newModule(t, "imports", map[string]string{"p.go": "package p\n\n" + c.in + "\n"})
		r, err := Rewrite(Config{Dir: dir, Tags: []string{"explore"}})
		if err != nil || len(r.Broken) > 0 {
			t.Fatal(name, err, r.Broken)
		}
		got := plain(r.Files[filepath.Join(dir, "p.go")])
		want := ""
		if c.out != "" {
			want = "package p\n\n" + c.out + "\n"
		}
		got = strings.Replace(got, "package p; import", "package p\n\nimport", 1)
		if got != want {
			t.Errorf("%s: got\n%s\nwant\n%s", name, got, want)
		}
	}
}

// TestSizes has tests that look at sizes: what they compare and store is the original's. What may lead to
// memory stays that of the twin.
func TestSizes(t *testing.T) {
	dir := newModule(t, "sizes", map[string]string{"p.go": "package p\n", "p_test.go": `package p

import (
	"sync"
	"testing"
	"unsafe"
)

type padded struct {
	next *padded
	locks [2]sync.Mutex
}

type plain struct{ n int }

func TestSize(t *testing.T) {
	size := unsafe.Sizeof(padded{})
	var again = unsafe.Sizeof(padded{})
	if size != 24 || unsafe.Sizeof(sync.Mutex{}) == 9 || 8 < (unsafe.Sizeof(plain{})) {
		t.Fatal(size, again, 2*unsafe.Sizeof(padded{}))
	}
}
`})
	r, err := Rewrite(Config{Dir: dir, Tags: []string{"explore"}})
	if err != nil || len(r.Broken) > 0 {
		t.Fatal(err, r.Broken)
	}
	got := plain(r.Files[filepath.Join(dir, "p_test.go")])
	for _, want := range []string{"size := uintptr(24)\n", "again = uintptr(24)\n", "|| uintptr(8) == 9 ||", "8 < (unsafe.Sizeof(plain{}))", "2*unsafe.Sizeof(padded{})"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
}

// TestTwinLacks has a twin that does not declare all names. The others stay those of the
// original.
func TestTwinLacks(t *testing.T) {
	for name, c := range map[string]struct{ in, out string }{
		"some": {"import \"time\"\n\nvar _ = time.Now\nvar _ = time.Hour\n",
			"import explore_time \"time\"\n\nimport time \"" + Explorer + "/time\"\n\nvar _ = time.Now\nvar _ = explore_time.Hour\n"},
		"all": {"import \"time\"\n\nvar _ = time.Hour\n",
			"import explore_time \"time\"\n\nimport _ \"time\"\n\nvar _ = explore_time.Hour\n"},
		"dot": {"import . \"time\"\n\nvar _ = Hour\nvar _ Time\n",
			"import explore_time \"time\"\n\nimport _ \"time\"\n\nvar _ = explore_time.Hour\nvar _ explore_time.Time\n"},
	} {
		dir := newModule(t, "lacks", map[string]string{"p.go": "package p\n\n" + c.in})
		config := &Config{Dir: dir, Tags: []string{"explore"}}
		l, err := config.load()
		if err != nil {
			t.Fatal(err)
		}
		less := types.NewPackage("less", "less")
		less.Scope().Insert(l.twins["time"].types.Scope().Lookup("Now"))
		l.twins["time"].types = less
		done := map[string]string{}
		l.rewritePackage(l.chosen[0], done)
		got := strings.Replace(plain(done[filepath.Join(dir, "p.go")]), "package p; import", "package p\n\nimport", 1)
		if want := "package p\n\n" + c.out; got != want {
			t.Errorf("%s: got\n%s\nwant\n%s", name, got, want)
		}
	}
}

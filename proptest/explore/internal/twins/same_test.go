package main

import (
	"encoding/json"
	"fmt"
	"go/types"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestSameCode compiles a package with the originals and with the twins, without the tag, and
// compares the machine code. The package has same.go, and for each twin a file that calls each
// function, except those in longer, and each method.
func TestSameCode(t *testing.T) {
	same, err := filepath.Abs("same")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(same, "same.go"))
	if err != nil {
		t.Fatal(err)
	}
	originals, calls := map[string]string{"same.go": string(text)}, 0
	for _, x := range List {
		text, n := everything(t, x)
		originals[x.Folder+"_all.go"] = text
		calls += n
	}
	if calls < 350 {
		t.Errorf("only %d functions and methods are called", calls)
	}
	twins := map[string]string{}
	for name, text := range originals {
		for _, x := range List {
			text = strings.Replace(text, `"`+x.Original+`"`, `"github.com/ichor-go/ichor/proptest/explore/`+x.Folder+`"`, 1)
		}
		if twins[name] = text; text == originals[name] {
			t.Fatalf("%s imports nothing that has a twin", name)
		}
	}
	old, own := overlay(t, same, originals), overlay(t, same, twins)
	want, got := instructions(t, old), instructions(t, own)
	for name, text := range want {
		if got[name] != text {
			t.Errorf("%s with the twins:\n%s\nwith the originals:\n%s", name, got[name], text)
		}
	}
	for name := range got {
		if want[name] == "" {
			t.Errorf("only with the twins: %s", name)
		}
	}
	if len(want) < calls {
		t.Errorf("only %d functions were compared", len(want))
	}
	if tagged := instructions(t, own, "-tags=explore"); maps.Equal(tagged, want) {
		t.Error("the tag changes nothing")
	}
}

// overlay returns the flag with which a folder has the given files.
func overlay(t *testing.T, folder string, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	replace := map[string]string{}
	for name, text := range files {
		at := filepath.Join(dir, name)
		if err := os.WriteFile(at, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		replace[filepath.Join(folder, name)] = at
	}
	list, err := json.Marshal(map[string]map[string]string{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	at := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(at, list, 0o600); err != nil {
		t.Fatal(err)
	}
	return "-overlay=" + at
}

// longer are the functions that make something and are one more call with the twins: their bodies are
// inlined with the originals, and too long to be with another function around them.
var longer = []string{"sync.OnceFunc", "sync.OnceValue", "sync.OnceValues", "context.WithDeadline", "errgroup.WithContext", "uatomic.NewPointer"}

// everything returns a file of package same that calls each function of a package, and each method of
// its types, and how many these are. Parameters of generic ones are int.
func everything(t *testing.T, x Twin) (text string, calls int) {
	t.Helper()
	p, err := load("", x.Original)
	if err != nil {
		t.Fatal(err)
	}
	imports, body := map[string]bool{}, &strings.Builder{}
	qualify := func(q *types.Package) string {
		if q == p {
			return "p"
		}
		imports[q.Path()] = true
		return q.Name()
	}
	call := func(name, receiver, callee string, s *types.Signature) {
		var params, args, results []string
		if receiver != "" {
			params = append(params, "x *"+receiver)
		}
		for i := range s.Params().Len() {
			params = append(params, fmt.Sprintf("a%d %s", i, types.TypeString(s.Params().At(i).Type(), qualify)))
			args = append(args, fmt.Sprint("a", i))
		}
		for v := range s.Results().Variables() {
			results = append(results, types.TypeString(v.Type(), qualify))
		}
		returns := "return "
		if len(results) == 0 {
			returns = ""
		}
		fmt.Fprintf(body, "func %s_%s(%s) (%s) { %s%s(%s) }\n\n", x.Folder, name, strings.Join(params, ", "), strings.Join(results, ", "), returns, callee, strings.Join(args, ", "))
		calls++
	}
	ints := func(l *types.TypeParamList) (list []types.Type) {
		for range l.Len() {
			list = append(list, types.Typ[types.Int])
		}
		return list
	}
	instance := func(o types.Type, l *types.TypeParamList) types.Type {
		if l.Len() == 0 {
			return o
		}
		made, err := types.Instantiate(nil, o, ints(l), true)
		if err != nil {
			t.Fatal(err)
		}
		return made
	}
	for _, name := range p.Scope().Names() {
		o := p.Scope().Lookup(name)
		if !o.Exported() || slices.Contains(longer, x.Folder+"."+name) {
			continue
		}
		switch o := o.(type) {
		case *types.Func:
			s := o.Type().(*types.Signature)
			call(name, "", "p."+name, instance(s, s.TypeParams()).(*types.Signature))
		case *types.TypeName:
			n, ok := types.Unalias(o.Type()).(*types.Named)
			if !ok {
				continue
			}
			made := instance(n, n.TypeParams())
			set := types.NewMethodSet(types.NewPointer(made))
			for i := range set.Len() {
				if m := set.At(i); m.Obj().Exported() {
					call(name+"_"+m.Obj().Name(), types.TypeString(made, qualify), "x."+m.Obj().Name(), m.Type().(*types.Signature))
				}
			}
		}
	}
	head := fmt.Sprintf("package same\n\nimport p %q\n", x.Original)
	for path := range imports {
		head += fmt.Sprintf("import %q\n", path)
	}
	return head + "\n" + body.String(), calls
}

// line is a line of the compiler's assembly output: address, position, instruction.
var line = regexp.MustCompile(`^\t0x[0-9a-f]+ \d+ \(([^)]*)\)\t(.*)$`)

var (
	// nothing matches what does nothing: tables, and the instructions that mark where inlined code
	// begins.
	nothing = regexp.MustCompile(`^(PCDATA|FUNCDATA|NOP|XCHGL\tAX, AX)`)
	// places matches targets of jumps and numbers of temporaries.
	places = regexp.MustCompile(`(_\d+|\t\d+$)`)
)

// instructions returns the instructions of each function of the package.
func instructions(t *testing.T, flags ...string) map[string]string {
	t.Helper()
	cmd := exec.Command("go", append(append([]string{"build", "-gcflags=-S"}, flags...), "./same")...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", cmd, err, out)
	}
	all, name := map[string]string{}, ""
	for l := range strings.Lines(string(out)) {
		m := line.FindStringSubmatch(strings.TrimSuffix(l, "\n"))
		if m == nil || nothing.MatchString(m[2]) {
			continue
		}
		if text, ok := strings.CutPrefix(m[2], "TEXT\t"); ok {
			name, _, _ = strings.Cut(text, "(SB)")
		}
		all[name] += places.ReplaceAllString(m[2], "") + "\n"
	}
	return all
}

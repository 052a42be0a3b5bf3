package lint

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
)

// The commands of a page are the lines of its sh blocks, inline code that begins with
// go, and the notes that say how to reproduce figures. Packages, flags, scenarios and
// tests that they name must exist.

// commands returns the commands of a page.
func commands(p page) (all []string) {
	for _, b := range p.blocks {
		if lang, _, _ := strings.Cut(b.info, " "); lang == "sh" {
			all = append(all, b.code...)
		}
	}
	for _, m := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(p.prose, -1) {
		code := strings.Join(strings.Fields(strings.ReplaceAll(m[1], `\|`, "|")), " ")
		if strings.HasPrefix(code, "go ") {
			all = append(all, code)
		}
	}
	for _, m := range regexp.MustCompile(`<!-- figures: (.*) -->`).FindAllStringSubmatch(p.prose, -1) {
		all = append(all, strings.Split(m[1], ";")...)
	}
	return all
}

// words splits a command as a shell does, up to a comment.
func words(command string) (all []string) {
	var word strings.Builder
	var quote rune
	begun := false
	end := func() {
		if begun {
			all = append(all, word.String())
		}
		word.Reset()
		begun = false
	}
	for _, c := range command {
		switch {
		case quote != 0 && c == quote:
			quote = 0
		case quote == 0 && (c == '\'' || c == '"'):
			quote, begun = c, true
		case quote == 0 && (c == ' ' || c == '\t'):
			end()
		case quote == 0 && c == '#' && !begun:
			return all
		default:
			begun = true
			word.WriteRune(c)
		}
	}
	end()
	return all
}

// inventory holds the names that commands can use.
type inventory struct {
	tests []testFunc
	bench func(args ...string) string // returns the output of the command bench
}

// goFlags are the flags of the go tool and of test binaries that pages use. The value
// says whether the flag takes an argument.
var goFlags = map[string]bool{
	"-race": false, "-v": false, "-short": false, "-benchmem": false,
	"-run": true, "-bench": true, "-fuzz": true, "-fuzztime": true, "-tags": true, "-count": true,
	"-benchtime": true, "-timeout": true, "-cpu": true, "-o": true, "-gcflags": true, "-pages": false, "-rapid.checks": true, "-rapid.seed": true,
}

// checkCommand returns what is wrong with a go command that is run in dir, a folder of the
// repository. It accepts all other commands.
func (v *inventory) checkCommand(dir, command string) error {
	w := words(command)
	for len(w) > 0 && strings.Contains(w[0], "=") {
		w = w[1:] // an environment variable
	}
	if len(w) == 0 || w[0] != "go" {
		return nil
	}
	if w = w[1:]; len(w) == 0 {
		return fmt.Errorf("go without a command")
	}
	if w[0] == "-C" && len(w) > 2 {
		dir, w = filepath.Join(dir, w[1]), w[2:]
	}
	verb, w := w[0], w[1:]
	if !slices.Contains([]string{"run", "test", "vet", "build", "install"}, verb) {
		return nil
	}
	var patterns []string // of tests
	var dirs []string
	for len(w) > 0 {
		arg := w[0]
		w = w[1:]
		if name, value, joined := strings.Cut(arg, "="); strings.HasPrefix(arg, "-") {
			takes, known := goFlags[name]
			if !known {
				return fmt.Errorf("go %s has no flag %s", verb, name)
			}
			if takes && !joined && len(w) > 0 {
				value, w = w[0], w[1:]
			}
			if name == "-run" || name == "-bench" || name == "-fuzz" {
				patterns = append(patterns, value)
			}
			continue
		}
		if strings.Contains(arg, "@") {
			return nil // a package of another module
		}
		found, err := packages(filepath.Join(dir, arg))
		if err != nil {
			return err
		}
		dirs = append(dirs, found...)
		if verb == "run" {
			return v.checkArgs(filepath.ToSlash(filepath.Join(dir, arg)), w)
		}
	}
	for _, p := range patterns {
		first, _, _ := strings.Cut(p, "/")
		re, err := regexp.Compile(first)
		if err != nil {
			return err
		}
		if p != "^$" && !slices.ContainsFunc(v.tests, func(f testFunc) bool {
			return slices.Contains(dirs, f.dir) && re.MatchString(f.name)
		}) {
			return fmt.Errorf("no test in %s matches %s", strings.Join(dirs, ", "), p)
		}
	}
	return nil
}

// packages returns the directories with Go files that an argument names.
func packages(arg string) (dirs []string, err error) {
	dir, all := strings.CutSuffix(filepath.ToSlash(arg), "/...")
	if arg == "..." {
		dir, all = ".", true
	}
	if !all {
		if files, _ := filepath.Glob(filepath.Join(root, dir, "*.go")); len(files) == 0 {
			return nil, fmt.Errorf("there is no package %s", arg)
		}
		return []string{dir}, nil
	}
	err = filepath.WalkDir(filepath.Join(root, dir), func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() && filepath.Ext(path) == ".go" {
			name, relErr := filepath.Rel(root, filepath.Dir(path))
			dirs, err = append(dirs, filepath.ToSlash(name)), relErr
		}
		return err
	})
	if err != nil || len(dirs) == 0 {
		return nil, fmt.Errorf("there is no package below %s", dir)
	}
	slices.Sort(dirs)
	return slices.Compact(dirs), nil
}

// checkArgs returns what is wrong with the arguments of one of the module's programs.
func (v *inventory) checkArgs(pkg string, args []string) error {
	var help string
	if pkg == "bench" {
		sub := []string{}
		for _, a := range args {
			if strings.HasPrefix(a, "-") || !regexp.MustCompile(`^[a-z][a-z-]*$`).MatchString(a) {
				break
			}
			sub = append(sub, a)
		}
		help = v.bench(append(sub, "-h")...)
		if !strings.Contains(help, "Usage: bench") {
			return fmt.Errorf("bench has no command %s", strings.Join(sub, " "))
		}
	}
	for i, a := range args {
		name, value, joined := strings.Cut(a, "=")
		if !strings.HasPrefix(a, "-") || a == "-h" {
			continue
		}
		flag := strings.TrimLeft(name, "-")
		if pkg == "bench" && !regexp.MustCompile(`\s--?`+regexp.QuoteMeta(flag)+`\b`).MatchString(help) ||
			pkg != "bench" && !mentions(pkg, flag) {
			return fmt.Errorf("%s has no flag %s", pkg, name)
		}
		if pkg == "bench" && flag == "scenario" {
			if !joined && i+1 < len(args) {
				value = args[i+1]
			}
			for s := range strings.SplitSeq(value, ",") {
				if !regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(s) + `\s`).MatchString(v.bench("list")) {
					return fmt.Errorf("bench has no scenario %s", s)
				}
			}
		}
	}
	return nil
}

// commandPackage defines the flags of the programs that import it.
const commandPackage = "bench/experiment/command"

// mentions reports whether the source of a program contains a flag's name, as a string
// or a field, or imports a package that does.
func mentions(pkg, flag string) bool {
	files, _ := filepath.Glob(filepath.Join(root, pkg, "*.go"))
	field := strings.ToUpper(flag[:1]) + flag[1:]
	return slices.ContainsFunc(files, func(file string) bool {
		b, err := os.ReadFile(file)
		text := string(b)
		return err == nil && !strings.HasSuffix(file, "_test.go") && (strings.Contains(text, `"`+flag+`"`) || strings.Contains(text, "\t"+field+" ") ||
			strings.Contains(text, commandPackage+`"`) && mentions(commandPackage, flag))
	})
}

// newInventory builds the command bench, which answers for its commands and flags.
func newInventory(t testing.TB) *inventory {
	program := filepath.Join(t.TempDir(), "bench.exe")
	build := exec.Command("go", "build", "-ldflags=-s -w", "-o", program, "./bench")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	var mu sync.Mutex
	said := map[string]string{}
	return &inventory{tests: testFuncs(t), bench: func(args ...string) string {
		mu.Lock()
		defer mu.Unlock()
		key := strings.Join(args, " ")
		if said[key] == "" {
			out, _ := exec.Command(program, args...).CombinedOutput() // the message about a mistake serves as well
			said[key] = string(out) + "\n"
		}
		return said[key]
	}}
}

func TestCommands(t *testing.T) {
	v := newInventory(t)
	t.Run("pages", func(t *testing.T) { checkPages(t, v) })
	t.Run("gate", func(t *testing.T) { checkGate(t, v) })
	t.Run("mistakes", func(t *testing.T) { checkMistakes(t, v) })
}

// moduleOf returns the folder of the module that a page belongs to: its commands run there.
func moduleOf(name string) string {
	dir := filepath.Dir(name)
	for dir != "." {
		if _, err := os.Stat(filepath.Join(root, dir, "go.mod")); err == nil {
			break
		}
		dir = filepath.Dir(dir)
	}
	return dir
}

// checkPages checks the commands of all pages.
func checkPages(t *testing.T, v *inventory) {
	checked := 0
	for _, p := range pages(t) {
		for _, c := range commands(p) {
			checked++
			if err := v.checkCommand(moduleOf(p.name), c); err != nil {
				t.Errorf("%s: %s: %v", p.name, c, err)
			}
		}
	}
	if checked < 40 {
		t.Errorf("only %d commands were found", checked)
	}
}

// gateTests matches a command of the gate that names tests and then packages.
var gateTests = regexp.MustCompile(`go test [^|]*?-run '([^']+)' (\./[^|\n]*)`)

// checkGate checks that the tests that the gate names exist, since go test passes without any.
func checkGate(t *testing.T, v *inventory) {
	text, err := os.ReadFile(filepath.Join(root, ".ci", "lib"))
	if err != nil {
		t.Fatal(err)
	}
	found := gateTests.FindAllStringSubmatch(strings.ReplaceAll(string(text), "\\\n", ""), -1)
	for _, m := range found {
		if err := v.checkCommand(".", "go test -run '"+m[1]+"' "+m[2]); m[1] != "^$" && err != nil {
			t.Errorf(".ci/lib: %v", err)
		}
	}
	if len(found) < 3 {
		t.Errorf("only %d commands with names of tests were found", len(found))
	}
}

// checkMistakes tries commands with and without planted mistakes.
func checkMistakes(t *testing.T, v *inventory) {
	for command, want := range map[string]string{
		"go run ./bench": "",
		"go run ./bench run -scenario pair,contend -count 3": "",
		"go run ./bench run -scenario pair,contendd":         "bench has no scenario contendd",
		"go run ./bench run -scenarios pair":                 "bench has no flag -scenarios",
		"go run ./bench rum":                                 "bench has no command rum",
		"go run ./bench image info all.img":                  "",
		"go run ./example/vm":                                "there is no package example/vm",
		"go run ./examples/vm -mode gil":                     "",
		"go run ./examples/vm -modes gil # comment":          "examples/vm has no flag -modes",
		"go run ./examples/experiment -plots .":              "",
		"go run ./examples/experiment -plot .":               "examples/experiment has no flag -plot",
		"go test -race ./...":                                "",
		"go test -rice ./...":                                "go test has no flag -rice",
		"go test ./objects ./nothing":                        "there is no package nothing",
		"go test ./objects -run 'Image|None'":                "",
		"go test ./objects -run 'NoSuch.*/x'":                "no test in objects matches NoSuch.*/x",
		"A=3 go test ./nothing/...":                          "there is no package below nothing",
		"go run honnef.co/go/tools/cmd/staticcheck@v0.8.2 .": "",
		"kill -INT 1": "",
	} {
		err := v.checkCommand(".", command)
		switch {
		case err == nil && want != "":
			t.Errorf("%s passes, want %q", command, want)
		case err != nil && (want == "" || err.Error() != want):
			t.Errorf("%s: got %v, want %q", command, err, want)
		}
	}
	page := readPage("x.md", "a `go run\n./a \\| b` c `-v`\n```sh\ngo one\n```\n<!-- figures: go two; go three -->\n```go\ngo four\n```")
	if got := strings.Join(commands(page), "+"); got != "go one+go run ./a | b+go two+ go three" {
		t.Errorf("the commands of a page: %s", got)
	}
}

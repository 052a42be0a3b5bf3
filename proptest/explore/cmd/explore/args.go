package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/ichor-go/ichor/proptest/explore/internal/overlay"
)

// commandLine is what the arguments say.
type commandLine struct {
	with  []string
	notes bool
	keep  bool // -work: keep the temporary folder, and say where it is
	dir   string

	modfile  string
	cover    bool // whether coverage is measured
	toolexec bool

	goTest   []string // the arguments of go test as they came, without the flags above and -tags
	build    []string // those of them that go list needs
	tags     []string
	patterns []string
}

var errHelp = errors.New("help")

func set(words string) map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(words) {
		m[w] = true
	}
	return m
}

// The flags of go test, so that the value of a flag is not taken for a package. Flags of the
// test's own program have to be written as -flag=value before the packages, or stand behind
// the packages, as go test wants it as well.
var (
	boolFlags = set(`a n race msan asan cover v work x linkshared modcacherw trimpath c i json benchmem short failfast
		fullpath artifacts buildvcs`)
	valueFlags = set(`C p covermode coverpkg asmflags buildmode compiler gccgoflags gcflags installsuffix ldflags mod
		modfile overlay pgo pkgdir tags toolexec exec o vet bench benchtime blockprofile blockprofilerate count
		coverprofile cpu cpuprofile fuzz fuzzcachedir fuzzminimizetime fuzztime list memprofile memprofilerate
		mutexprofile mutexprofilefraction outputdir parallel run skip shuffle timeout trace with`)
	// buildFlags decide which packages and files there are, or what is in the build cache.
	buildFlags = set(`race msan asan mod modfile modcacherw compiler installsuffix trimpath gcflags asmflags ldflags
		linkshared buildmode buildvcs pkgdir pgo toolexec p`)
)

// parse sorts the arguments behind "test".
func parse(args []string) (*commandLine, error) {
	c := &commandLine{notes: true}
	packages := false // the list of packages has ended
	for i := 0; i < len(args); i++ {
		arg := args[i]
		if arg == "-args" || arg == "--args" {
			c.goTest = append(c.goTest, args[i:]...)
			break
		}
		if len(arg) < 2 || arg[0] != '-' {
			if packages {
				c.goTest = append(c.goTest, arg)
				continue
			}
			for ; i < len(args) && (args[i] == "" || args[i][0] != '-'); i++ {
				c.patterns = append(c.patterns, args[i])
			}
			c.goTest = append(c.goTest, c.patterns...)
			packages = true
			i--
			continue
		}
		name, value, hasValue := strings.Cut(strings.TrimPrefix(arg[1:], "-"), "=")
		given := []string{arg}
		switch name = strings.TrimPrefix(name, "test."); {
		case name == "h" || name == "help":
			return nil, errHelp
		case name == "notes":
			c.notes = value != "false" && value != "0"
			continue
		case boolFlags[name]:
		case valueFlags[name]:
			if !hasValue {
				if i++; i == len(args) {
					return nil, fmt.Errorf("flag needs an argument: -%s", name)
				}
				value = args[i]
				given = append(given, value)
			}
		case !hasValue:
			packages = true // a flag of the test's program: what follows may be its value
		}
		if err := c.flag(name, value, given); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// flag takes one flag.
func (c *commandLine) flag(name, value string, given []string) error {
	switch name {
	case "with":
		for pattern := range strings.SplitSeq(value, ",") {
			if pattern = strings.TrimSpace(pattern); pattern != "" {
				c.with = append(c.with, pattern)
			}
		}
		return nil
	case "tags":
		c.tags = append(c.tags, strings.FieldsFunc(value, func(r rune) bool { return r == ',' || r == ' ' })...)
		return nil
	case "overlay":
		return errors.New("-overlay is the flag that explore itself uses: it cannot be combined with another")
	case "C":
		c.dir = value
		return nil
	case "modfile": // the packages that are copied need one of their own
		c.modfile = value
		c.build = append(c.build, "-modfile="+value)
		return nil
	case "cover", "covermode", "coverpkg", "coverprofile":
		c.cover = true
	case "toolexec":
		c.toolexec = true
	case "work":
		c.keep = true
	}
	if buildFlags[name] {
		c.build = append(c.build, given...)
	}
	c.goTest = append(c.goTest, given...)
	return nil
}

// again is the command with which the tests run in the same way. The names of the tests and
// the package follow it.
func (c *commandLine) again(executable string) string {
	words := []string{"explore", "test"}
	if strings.Contains(executable, "go-build") { // go run
		words = []string{"go", "run", overlay.Explorer + "/cmd/explore", "test"}
	}
	if c.dir != "" {
		words = append(words, "-C="+c.dir)
	}
	if len(c.with) > 0 {
		words = append(words, "-with="+strings.Join(c.with, ","))
	}
	if len(c.tags) > 0 {
		words = append(words, "-tags="+strings.Join(c.tags, ","))
	}
	words = append(words, c.build...)
	for i, w := range words {
		if strings.ContainsAny(w, " \t\n\"'\\$&|;<>()*?[]#~`!{}") {
			words[i] = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
		}
	}
	return strings.Join(words, " ")
}

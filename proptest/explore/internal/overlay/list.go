package overlay

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
)

// listed is a package as go list describes it. A variant for a test has a name such as
// "p [q.test]".
type listed struct {
	ImportPath string
	Name       string
	Dir        string
	Export     string
	ForTest    string
	Standard   bool
	DepOnly    bool
	GoFiles    []string
	CgoFiles   []string
	SFiles     []string
	EmbedFiles []string
	Imports    []string
	ImportMap  map[string]string
	Module     *module
	Error      *listError
}

type module struct {
	Path, Version, GoVersion, Dir string
	Main                          bool
}

type listError struct{ Pos, Err string }

const listFields = "ImportPath,Name,Dir,Export,ForTest,Standard,DepOnly,GoFiles,CgoFiles,SFiles,EmbedFiles,Imports,ImportMap,Module,Error"

// path returns the import path without the name of the test's variant.
func (l *listed) path() string {
	path, _, _ := strings.Cut(l.ImportPath, " [")
	return path
}

// isTestMain reports whether l is the program that the go command writes for a test.
func (l *listed) isTestMain() bool {
	return l.Name == "main" && strings.HasSuffix(l.ImportPath, ".test")
}

// goList runs go list with -e, and returns its packages in its order: dependencies first.
func (c *Config) goList(args ...string) ([]*listed, error) {
	all := append([]string{"list", "-e", "-json=" + listFields}, c.Flags...)
	all = append(all, "-tags="+strings.Join(c.Tags, ","))
	out, err := c.goCommand(append(all, args...)...)
	if err != nil {
		return nil, err
	}
	var packages []*listed
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		p := new(listed)
		if err := d.Decode(p); errors.Is(err, io.EOF) {
			return packages, nil
		} else if err != nil {
			return nil, fmt.Errorf("output of go list: %w", err)
		}
		packages = append(packages, p)
	}
}

// goCommand runs the go command, and returns what it prints.
func (c *Config) goCommand(args ...string) ([]byte, error) {
	cmd := exec.Command("go", args...)
	cmd.Dir = c.Dir
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return nil, &GoError{Command: args[0], Message: strings.TrimSpace(errs.String()), Err: err}
	}
	return out.Bytes(), nil
}

// A GoError is a failure of the go command: a flag that it does not know, or no module.
type GoError struct {
	Command string
	Message string
	Err     error
}

func (e *GoError) Error() string {
	if e.Message == "" {
		return "go " + e.Command + ": " + e.Err.Error()
	}
	return e.Message
}

func (e *GoError) Unwrap() error { return e.Err }

// matches reports whether an import path fits a pattern as the go command has them: "..."
// stands for any text, and p/... for p as well.
func matches(pattern, path string) bool {
	if base, ok := strings.CutSuffix(pattern, "/..."); ok && path == base {
		return true
	}
	parts := strings.Split(pattern, "...")
	rest, ok := strings.CutPrefix(path, parts[0])
	if !ok {
		return false
	}
	for i, part := range parts[1:] {
		if i == len(parts)-2 {
			return strings.HasSuffix(rest, part)
		}
		_, after, found := strings.Cut(rest, part)
		if !found {
			return false
		}
		rest = after
	}
	return rest == ""
}

package main

import (
	"fmt"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ichor-go/ichor/proptest/explore/internal/overlay"
)

// TestPrintNotes has more notes on a package than are printed.
func TestPrintNotes(t *testing.T) {
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	notes := []overlay.Note{{Position: token.Position{Filename: filepath.Join(here, "x.go"), Line: 3}, Package: "x", Text: "one"}}
	for i := range perPackage + 2 {
		notes = append(notes, overlay.Note{Position: token.Position{Filename: "/y/y.go", Line: i + 1}, Package: "y", Text: "many"})
	}
	var b strings.Builder
	printNotes(&b, notes)
	want := "explore: warning: x.go:3: one\n"
	for i := range perPackage {
		want += fmt.Sprintf("explore: warning: /y/y.go:%d: many\n", i+1)
	}
	want += "explore: warning: 2 more of these in y\n"
	if b.String() != want {
		t.Errorf("printed\n%s\nwant\n%s", b.String(), want)
	}
}

// TestWait has commands that end in different ways.
func TestWait(t *testing.T) {
	for _, c := range []struct {
		args   string
		status int
	}{{"version", 0}, {"nonsense", 2}} {
		if status, err := wait(exec.Command("go", c.args), nil); status != c.status || err != nil {
			t.Errorf("go %s: %d, %v", c.args, status, err)
		}
	}
	if status, err := wait(exec.Command("/no/such/command"), nil); status != 1 || err == nil {
		t.Errorf("no command: %d, %v", status, err)
	}
	early := make(chan os.Signal, 1)
	early <- os.Interrupt
	cmd := exec.Command("go", "version")
	if status, err := wait(cmd, early); status != 130 || err != nil || cmd.Process != nil {
		t.Errorf("an early signal: %d, %v, %v", status, err, cmd.Process)
	}
}

// TestRunTool runs tools in the way of -toolexec.
func TestRunTool(t *testing.T) {
	file := filepath.Join(t.TempDir(), "overlay.json")
	if err := os.WriteFile(file, []byte(`{"Replace": {"version": "env"}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cover := filepath.Join(dir, "cover") // go under the name of the tool whose arguments change
	goTool, err := exec.LookPath("go")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(cover, []byte("#!/bin/sh\nexec "+goTool+" \"$@\"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		overlay string
		args    []string
		status  int
		want    string
	}{
		{file, []string{"go", "version"}, 0, "go version"},
		{file, []string{cover, "version"}, 0, "GOROOT="},
		{file, []string{"go", "nonsense"}, 2, "unknown command"},
		{file, []string{"/no/such/tool", "x"}, 1, "explore: "},
		{"/no/such/file", []string{cover, "version"}, 1, "explore: "},
	} {
		if strings.HasSuffix(c.args[0], "cover") && os.PathSeparator != '/' {
			continue
		}
		var out strings.Builder
		if status := run(append([]string{toolexec, c.overlay}, c.args...), &out, &out); status != c.status || !strings.Contains(out.String(), c.want) {
			t.Errorf("%v: %d, %q", c.args, status, out.String())
		}
	}
	if flag, err := coverFlag([]string{"-modfile=x", "-overlay=/a b/o.json"}); err != nil || !strings.HasSuffix(flag, ` toolexec "/a b/o.json"`) {
		t.Errorf("%s, %v", flag, err)
	}
	if _, err := coverFlag(nil); err == nil {
		t.Error("no overlay, and no error")
	}
}

package command

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/ichor-go/ichor/bench/experiment"
)

func TestVersionAndHelp(t *testing.T) {
	for args, want := range map[string]struct {
		code   int
		stdout string
		line   string
	}{
		"version":               {ExitOK, "mine ", ""},
		"-version":              {ExitOK, runtime.Version() + " " + runtime.GOOS, ""},
		"version -h":            {ExitOK, "Usage: mine version", ""},
		"version x":             {ExitUsage, "", "unexpected argument x"},
		"help":                  {ExitOK, "Measures nothing.", ""},
		"help run":              {ExitOK, "Usage: mine run", ""},
		"help list":             {ExitOK, "Usage: mine list", ""},
		"help dance":            {ExitUsage, "", "unknown command dance; the commands are run, list, help, version"},
		"run dance":             {ExitUsage, "", "unexpected argument dance"},
		"-within 5s":            {ExitUsage, "", "-within needs -until"},
		"-until 5% -within -1s": {ExitUsage, "", `-within: "-1s" is not a duration above 0, such as 90s`},
		"-until 5% -within x":   {ExitUsage, "", `-within: "x" is not a duration above 0, such as 90s`},
		"list x":                {ExitUsage, "", `unknown scenario "x"; known: nothing`},
		"list nothing":          {ExitOK, "nothing  how long does nothing take?", ""},
		"-only a":               {ExitUsage, "", `-only: "a" is not a setting such as mode=atomic; commas separate settings`},
		"-only a=1":             {ExitUsage, "", `nothing: there is no setting "a"; its settings are threads`},
		"-until 0%":             {ExitUsage, "", `-until: "0%" is not a percentage above 0, such as 5%`},
		"-until x":              {ExitUsage, "", `-until: "x" is not a percentage above 0, such as 5%`},
		"-only threads=1 -benchtime 10x -count 6 -until 100% -within 1ms": {ExitOK, "6 samples of 10x a row or more, until no median's interval extends beyond ±100%", ""},
	} {
		var out, errs bytes.Buffer
		err := Run(t.Context(), "mine", "Measures nothing.", strings.Fields(args), &out, &errs, nothing())
		code := Code(t.Context(), "mine", err, &errs)
		if code != want.code || !strings.Contains(out.String(), want.stdout) || !strings.Contains(errs.String(), want.line) || code == ExitOK && errs.Len() > 0 || code == ExitUsage && out.Len() > 0 {
			t.Errorf("%s: exit code %d, stdout %q, stderr %q", args, code, out.String(), errs.String())
		}
	}
	info := &debug.BuildInfo{Main: debug.Module{Version: "v1.2.3"}, Settings: []debug.BuildSetting{{Key: "vcs.revision", Value: "0123456789abcdef"}, {Key: "vcs.modified", Value: "true"}}}
	got := versionLine("mine", func() (*debug.BuildInfo, bool) { return info, true })
	if !strings.HasPrefix(got, "mine v1.2.3, commit 0123456789ab with changes, go") {
		t.Errorf("the version is %q", got)
	}
	if got := versionLine("mine", func() (*debug.BuildInfo, bool) { return nil, false }); !strings.HasPrefix(got, "mine unknown version, go") {
		t.Errorf("the version is %q", got)
	}
}

// A list fits into 80 columns, and has whole explanations only of scenarios that are named.
func TestListWidth(t *testing.T) {
	long := experiment.Scenario{Name: "long", Question: "How " + strings.Repeat("very ", 40) + "long? (" + strings.Repeat("Word ", 30) + "wörter.)"}
	var out bytes.Buffer
	if err := List(&out, []experiment.Scenario{nothing(), long}); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(out.String()) {
		if len([]rune(line)) > 81 {
			t.Errorf("%d columns: %s", len([]rune(line))-1, line)
		}
	}
	if text := strings.Join(strings.Fields(out.String()), " "); !strings.HasPrefix(text, "nothing how long does nothing take? long How very") || !strings.HasSuffix(text, "very long?") {
		t.Errorf("the list is %q", text)
	}
	out.Reset()
	if err := List(&out, []experiment.Scenario{nothing(), long}, "long"); err != nil || !strings.Contains(out.String(), "wörter.)") || strings.Contains(out.String(), "nothing") {
		t.Errorf("%v, %q", err, out.String())
	}
}

// A name that is too long for its column has a line of its own, and its question follows.
func TestListLongNames(t *testing.T) {
	name := strings.Repeat("w", 90)
	long := experiment.Scenario{Name: name, Question: strings.Repeat("word ", 40) + "end?"}
	wide := experiment.Scenario{Name: "wide", Question: strings.Repeat("日本", 60)}
	var out bytes.Buffer
	if err := List(&out, []experiment.Scenario{nothing(), long, wide}); err != nil {
		t.Fatal(err)
	}
	if text := out.String(); !strings.Contains(text, "\n"+name+"\n  ") || !strings.Contains(text, "end?\n") || strings.Count(text, "日") != 60 {
		t.Errorf("the list is\n%s", text)
	}
	for line := range strings.Lines(out.String()) {
		if n := text.StringWidthWithoutEscSequences(strings.TrimSpace(line)); n > listWidth && !strings.HasPrefix(line, name) {
			t.Errorf("%d columns: %s", n, line)
		}
	}
}

// A folder for plots that cannot be written is found before anything is measured.
func TestUnwritableFolder(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, folder := range []string{file, filepath.Join(file, "below")} {
		var out, errs bytes.Buffer
		err := Run(t.Context(), "mine", "", []string{"-plots", folder, "-benchtime", "1h"}, &out, &errs, nothing())
		if code := Code(t.Context(), "mine", err, &errs); code != ExitUsage || !strings.Contains(errs.String(), file) || out.Len() > 0 {
			t.Errorf("exit code %d, stdout %q, stderr %q", code, out.String(), errs.String())
		}
	}
	folder := filepath.Join(t.TempDir(), "a", "b")
	if err := CheckFolder(folder); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(folder); err != nil || len(left) > 0 {
		t.Errorf("%v, %v", left, err)
	}
}

// A set-up that fails is a failure, and not an interruption.
func TestFailedSetup(t *testing.T) {
	s := nothing()
	plan := s.Plan
	s.Plan = func(env *experiment.Env) (*experiment.Plan, error) {
		p, err := plan(env)
		p.Setup = func(context.Context) error { return errors.New("no such file") }
		return p, err
	}
	var out, errs bytes.Buffer
	err := Run(t.Context(), "mine", "", nil, &out, &errs, s)
	if code := Code(t.Context(), "mine", err, &errs); code != ExitFailed || errs.String() != "mine: nothing: set-up: no such file\n" ||
		!strings.HasSuffix(out.String(), "partial: failed after 0 of 10 samples\n") {
		t.Errorf("exit code %d, stdout %q, stderr %q", code, out.String(), errs.String())
	}
}

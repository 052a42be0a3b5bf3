package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ichor-go/ichor/proptest/explore/internal/overlay"
)

// test rewrites the packages and runs go test. It returns the exit status.
func test(c *commandLine, stdout, stderr io.Writer) (int, error) {
	interrupts := make(chan os.Signal, 4)
	signal.Notify(interrupts, stopSignals...)
	defer signal.Stop(interrupts)

	if c.cover && c.toolexec {
		return 2, errors.New("coverage needs -toolexec for itself: leave one of the two out")
	}
	if len(c.tags) == 0 {
		c.tags = environmentTags(c.dir)
	}
	tags := append([]string{"explore"}, c.tags...)
	result, err := overlay.Rewrite(overlay.Config{Dir: c.dir, Flags: c.build, Tags: tags, Patterns: c.patterns, With: c.with})
	if err != nil {
		return 1, err
	}
	for _, pattern := range result.Unused {
		fmt.Fprintf(stderr, "explore: -with %s: no test here imports such a package\n", pattern)
	}
	for _, path := range result.Kept {
		fmt.Fprintf(stderr, "explore: -with: the explorer itself imports %s, so it is not rewritten\n", path)
	}
	if !result.Explored && len(result.Packages) > 0 {
		fmt.Fprintf(stderr, "explore: no test of these packages imports %s: nothing is explored\n", overlay.Explorer)
	}
	for _, path := range slices.Sorted(maps.Keys(result.Broken)) {
		fmt.Fprintf(stderr, "explore: %s does not compile: its tests do not run\n", path)
	}
	if c.notes {
		printNotes(stderr, result.Notes)
	}
	dir, err := os.MkdirTemp("", "explore-")
	if err != nil {
		return 1, err
	}
	if c.keep {
		fmt.Fprintf(stderr, "EXPLORE=%s\n", dir)
	} else {
		defer os.RemoveAll(dir)
	}
	flags, env, err := result.Write(dir)
	if err != nil {
		return 1, err
	}
	if c.modfile != "" && !slices.ContainsFunc(flags, func(f string) bool { return strings.HasPrefix(f, "-modfile=") }) {
		flags = append(flags, "-modfile="+c.modfile)
	}
	if c.cover {
		flag, err := coverFlag(flags)
		if err != nil {
			return 1, err
		}
		flags = append(flags, flag)
	}
	args := slices.Concat([]string{"test", "-tags=" + strings.Join(tags, ",")}, flags, c.goTest)
	cmd := exec.Command("go", args...)
	self, _ := os.Executable()
	folder, err := filepath.Abs(c.dir) // patterns are relative to it, and so are packages in messages
	if err != nil {
		return 1, err
	}
	interrupted := filepath.Join(dir, "interrupted")
	cmd.Env = append(os.Environ(), append(env, "EXPLORE_COMMAND="+c.again(self), "EXPLORE_FOLDER="+folder, "EXPLORE_INTERRUPTED="+interrupted)...)
	cmd.Dir, cmd.Stdin, cmd.Stdout, cmd.Stderr = c.dir, os.Stdin, stdout, stderr
	status, err := wait(cmd, interrupts)
	// The go command loses what an interrupted test has printed, unless it prints at once.
	if text, _ := os.ReadFile(interrupted); len(text) > 0 {
		fmt.Fprintf(stderr, "%s", text)
	}
	return status, err
}

// environmentTags returns the tags in GOFLAGS. The flag -tags of the go command replaces them.
func environmentTags(dir string) (tags []string) {
	cmd := exec.Command("go", "env", "GOFLAGS")
	cmd.Dir = dir
	out, err := cmd.Output()
	if err != nil {
		return nil // the next go command says why
	}
	for _, flag := range strings.Fields(string(out)) {
		if value, ok := strings.CutPrefix(strings.TrimLeft(flag, "-"), "tags="); ok {
			tags = strings.Split(value, ",")
		}
	}
	return tags
}

// wait runs a command, and passes on each signal that comes. It returns the exit status.
func wait(cmd *exec.Cmd, interrupts <-chan os.Signal) (int, error) {
	ownGroup(cmd)
	select {
	case <-interrupts: // before anything ran
		return 130, nil
	default:
	}
	if err := cmd.Start(); err != nil {
		return 1, err
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	for {
		select {
		case s := <-interrupts:
			passOn(cmd, s)
		case err := <-done:
			var exit *exec.ExitError
			if errors.As(err, &exit) {
				return max(exit.ExitCode(), 1), nil
			}
			if err != nil {
				return 1, err
			}
			return 0, nil
		}
	}
}

// perPackage is how many notes on a package are printed.
const perPackage = 8

func printNotes(w io.Writer, notes []overlay.Note) {
	here, _ := os.Getwd()
	seen := map[string]int{}
	for _, n := range notes {
		seen[n.Package]++
		if seen[n.Package] <= perPackage {
			if relative, err := filepath.Rel(here, n.Position.Filename); err == nil && !strings.HasPrefix(relative, "..") {
				n.Position.Filename = relative
			}
			fmt.Fprintf(w, "explore: warning: %v\n", n)
		}
	}
	for _, path := range slices.Sorted(maps.Keys(seen)) {
		if more := seen[path] - perPackage; more > 0 {
			fmt.Fprintf(w, "explore: warning: %d more of these in %s\n", more, path)
		}
	}
}

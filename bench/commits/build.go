package commits

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/ichor-go/ichor/bench/internal/process"
)

// workingTree is the name of the files as they are, with changes that are not committed.
const workingTree = "."

// A builder makes checkouts and builds in a temporary folder.
type builder struct {
	folder string
	trees  []string // checkouts that git knows of
}

func newBuilder() (*builder, error) {
	folder, err := os.MkdirTemp("", "ichor-commits")
	if err != nil {
		return nil, err
	}
	return &builder{folder: folder}, nil
}

// close removes the checkouts and the builds, also after an interruption.
func (b *builder) close() (err error) {
	for _, tree := range b.trees {
		_, e := git(context.Background(), "worktree", "remove", "--force", tree)
		err = errors.Join(err, e)
	}
	return errors.Join(err, os.RemoveAll(b.folder))
}

// resolve returns a short name of the commit.
func (b *builder) resolve(ctx context.Context, rev string) (string, error) {
	if rev == workingTree {
		return "working-tree", nil
	}
	name, err := git(ctx, "rev-parse", "--short", "--verify", "--quiet", "--end-of-options", rev+"^{commit}")
	if err != nil {
		if _, e := git(ctx, "rev-parse", "--show-toplevel"); e != nil {
			return "", e
		}
		return "", fmt.Errorf("%q is no commit of this repository", rev)
	}
	return name, nil
}

// build checks the commit out, and builds its command in so many layouts.
func (b *builder) build(ctx context.Context, rev string, layouts int) (programs []program, err error) {
	var tree string
	if rev == workingTree {
		if tree, err = git(ctx, "rev-parse", "--show-toplevel"); err != nil {
			return nil, err
		}
	} else {
		tree = filepath.Join(b.folder, fmt.Sprintf("tree-%d", len(b.trees)))
		if _, err := git(ctx, "worktree", "add", "--quiet", "--detach", tree, rev); err != nil {
			return nil, err
		}
		b.trees = append(b.trees, tree)
	}
	for layout := range layouts {
		file := filepath.Join(b.folder, fmt.Sprintf("bench-%d-%d.exe", len(b.trees), layout))
		if rev == workingTree {
			file = filepath.Join(b.folder, fmt.Sprintf("bench-here-%d.exe", layout))
		}
		cmd := exec.CommandContext(ctx, "go", "build", "-buildvcs=false", "-trimpath",
			"-ldflags", fmt.Sprintf("-s -w -funcalign=64 -randlayout=%d", layout+1), "-o", file, "./bench")
		cmd.Dir = tree
		cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) } // so that go ends its compilers
		cmd.WaitDelay = 10 * time.Second
		if out, err := cmd.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("%s: go build ./bench: %w: %s", rev, err, strings.TrimSpace(string(out)))
		}
		programs = append(programs, runner(file))
	}
	return programs, nil
}

// runner runs a program. What it says on standard error is part of its error.
func runner(file string) program {
	return func(ctx context.Context, args ...string) ([]byte, error) {
		cmd := exec.CommandContext(ctx, file, args...)
		cmd.Env = process.Env()
		var errs strings.Builder
		cmd.Stderr = &errs
		out, err := cmd.Output()
		if err != nil && errs.Len() > 0 {
			err = fmt.Errorf("%w: %s", err, strings.TrimSpace(errs.String()))
		}
		return out, err
	}
}

// git runs git in the current folder, and returns what it prints.
func git(ctx context.Context, args ...string) (string, error) {
	var errs strings.Builder
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("git %s: %w: %s", args[0], err, strings.TrimSpace(errs.String()))
	}
	return strings.TrimSpace(string(out)), nil
}

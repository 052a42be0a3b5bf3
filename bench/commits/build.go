package commits

import (
	"context"
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

// A builder makes checkouts and builds in a temporary folder. It leaves nothing in the repository,
// not even if it is killed: git keeps no account of the checkouts.
type builder struct {
	folder string
	built  int // how many commits
}

func newBuilder() (*builder, error) {
	folder, err := os.MkdirTemp("", "ichor-commits")
	if err != nil {
		return nil, err
	}
	return &builder{folder: folder}, nil
}

// close removes the checkouts and the builds, also after an interruption.
func (b *builder) close() (err error) { return os.RemoveAll(b.folder) }

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

// checkout writes the files of the commit into a folder, by an index of its own.
func (b *builder) checkout(ctx context.Context, rev, folder string) error {
	top, err := git(ctx, "rev-parse", "--show-toplevel")
	if err != nil {
		return err
	}
	for _, args := range [][]string{{"read-tree", rev + "^{tree}"}, {"checkout-index", "--all", "--prefix=" + folder + "/"}} {
		if _, err := gitWith(ctx, []string{"GIT_INDEX_FILE=" + folder + ".index"}, append([]string{"-C", top}, args...)...); err != nil {
			return err
		}
	}
	return nil
}

// build checks the commit out, and builds its command in so many layouts.
func (b *builder) build(ctx context.Context, rev string, layouts int) (programs []program, err error) {
	b.built++
	tree := filepath.Join(b.folder, fmt.Sprintf("tree-%d", b.built))
	if rev == workingTree {
		tree, err = git(ctx, "rev-parse", "--show-toplevel")
	} else {
		err = b.checkout(ctx, rev, tree)
	}
	if err != nil {
		return nil, err
	}
	for layout := range layouts {
		file := filepath.Join(b.folder, fmt.Sprintf("bench-%d-%d.exe", b.built, layout))
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
func git(ctx context.Context, args ...string) (string, error) { return gitWith(ctx, nil, args...) }

// gitWith is git with more variables in its environment.
func gitWith(ctx context.Context, env []string, args ...string) (string, error) {
	var errs strings.Builder
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("git %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(errs.String()))
	}
	return strings.TrimSpace(string(out)), nil
}

package overlay

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// moduleCopy is a module that is copied, because the go command allows no overlay of files in
// the module cache. A copy has the folders of the packages in use, and nothing else.
type moduleCopy struct {
	module *module
	files  map[string]string // by path in the module: where the original is
	texts  map[string]string // by path in the module: what is rewritten
}

// copies finds the modules with rewritten files in the module cache.
func (l *loader) copies(files map[string]string) ([]*moduleCopy, error) {
	out, err := l.config.goCommand("env", "GOMODCACHE")
	if err != nil {
		return nil, err
	}
	cache := strings.TrimSpace(string(out)) + string(filepath.Separator)
	found := map[string]*moduleCopy{}
	for _, path := range slices.Sorted(maps.Keys(l.listed)) {
		p := l.listed[path]
		if p.Module == nil || !strings.HasPrefix(p.Module.Dir, cache) {
			continue
		}
		m := found[p.Module.Path]
		if m == nil {
			m = &moduleCopy{module: p.Module, files: map[string]string{}, texts: map[string]string{}}
			found[p.Module.Path] = m
			if goMod := filepath.Join(p.Module.Dir, "go.mod"); isFile(goMod) {
				m.files["go.mod"] = goMod
			} else {
				m.texts["go.mod"] = "module " + p.Module.Path + "\n"
			}
		}
		if err := m.addPackage(p, files); err != nil {
			return nil, err
		}
	}
	var copies []*moduleCopy
	for _, path := range slices.Sorted(maps.Keys(found)) {
		if m := found[path]; slices.ContainsFunc(slices.Collect(maps.Keys(m.texts)), func(name string) bool { return name != "go.mod" }) {
			copies = append(copies, m)
		}
	}
	return copies, nil
}

func isFile(name string) bool {
	info, err := os.Stat(name)
	return err == nil && info.Mode().IsRegular()
}

// addPackage adds the files of a package's folder, what it embeds, and the folders below
// it if its tests run, which may read any of them.
func (m *moduleCopy) addPackage(p *listed, rewritten map[string]string) error {
	add := func(name string) error {
		inside, err := filepath.Rel(m.module.Dir, name)
		if err != nil {
			return err
		}
		m.files[inside] = name
		if text, ok := rewritten[name]; ok {
			m.texts[inside] = text
		}
		return nil
	}
	entries, err := os.ReadDir(p.Dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Type().IsRegular() {
			if err := add(filepath.Join(p.Dir, e.Name())); err != nil {
				return err
			}
		}
	}
	for _, name := range p.EmbedFiles {
		if err := add(filepath.Join(p.Dir, name)); err != nil {
			return err
		}
	}
	if p.DepOnly {
		return nil
	}
	return filepath.WalkDir(p.Dir, func(name string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		return add(name)
	})
}

// isCopied reports whether a file belongs to a copied module.
func (r *Result) isCopied(path string) bool {
	return slices.ContainsFunc(r.copies, func(m *moduleCopy) bool {
		return strings.HasPrefix(path, m.module.Dir+string(filepath.Separator))
	})
}

// writeCopies writes the copies, and a go.mod or go.work in dir that replaces the modules by
// them.
func (r *Result) writeCopies(dir string) (flags, env []string, err error) {
	if len(r.copies) == 0 {
		return nil, nil, nil
	}
	var replaces []string
	for _, m := range r.copies {
		to, err := m.write()
		if err != nil {
			return nil, nil, err
		}
		replaces = append(replaces, "-replace="+m.module.Path+"@"+m.module.Version+"="+to)
	}
	out, err := r.config.goCommand("env", "GOMOD", "GOWORK")
	if err != nil {
		return nil, nil, err
	}
	lines := strings.Split(strings.TrimRight(string(out), "\n"), "\n")
	if len(lines) == 2 && lines[1] != "" && lines[1] != "off" {
		env, err = r.writeWork(dir, lines[1], replaces)
		return nil, env, err
	}
	goMod := lines[0]
	for _, flag := range r.config.Flags {
		if name, ok := strings.CutPrefix(flag, "-modfile="); ok {
			goMod = name
		}
	}
	if !filepath.IsAbs(goMod) {
		goMod = filepath.Join(r.config.Dir, goMod)
	}
	to := filepath.Join(dir, "go.mod")
	if err := copyWithSum(goMod, to); err != nil {
		return nil, nil, err
	}
	if _, err := r.config.goCommand(append(append([]string{"mod", "edit"}, replaces...), to)...); err != nil {
		return nil, nil, err
	}
	return []string{"-modfile=" + to}, nil, nil
}

// writeWork writes a go.work. Its folders become absolute, because they are relative to it.
func (r *Result) writeWork(dir, goWork string, replaces []string) ([]string, error) {
	to := filepath.Join(dir, "go.work")
	if err := copyWithSum(goWork, to); err != nil {
		return nil, err
	}
	out, err := r.config.goCommand("work", "edit", "-json", goWork)
	if err != nil {
		return nil, err
	}
	var work struct {
		Use     []struct{ DiskPath string }
		Replace []struct {
			Old, New struct{ Path, Version string }
		}
	}
	if err := json.Unmarshal(out, &work); err != nil {
		return nil, fmt.Errorf("%s: %w", goWork, err)
	}
	absolute := func(path string) string {
		if filepath.IsAbs(path) {
			return path
		}
		return filepath.Join(filepath.Dir(goWork), path)
	}
	args := []string{"work", "edit"}
	for _, u := range work.Use {
		args = append(args, "-dropuse="+u.DiskPath, "-use="+absolute(u.DiskPath))
	}
	for _, e := range work.Replace {
		if e.New.Version == "" {
			old := e.Old.Path
			if e.Old.Version != "" {
				old += "@" + e.Old.Version
			}
			args = append(args, "-replace="+old+"="+absolute(e.New.Path))
		}
	}
	if _, err := r.config.goCommand(append(append(args, replaces...), to)...); err != nil {
		return nil, err
	}
	return []string{"GOWORK=" + to}, nil
}

// copyWithSum copies a go.mod or go.work, and the checksums beside it.
func copyWithSum(from, to string) error {
	text, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	if err := os.WriteFile(to, text, 0o600); err != nil {
		return err
	}
	sum := func(name string) string {
		if base, ok := strings.CutSuffix(name, ".mod"); ok {
			return base + ".sum"
		}
		return name + ".sum"
	}
	text, err = os.ReadFile(sum(from))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	return os.WriteFile(sum(to), text, 0o600)
}

// write writes the copy into the user's cache, unless it is there. Its name is a hash of what
// it has, so that the go command finds the same files at the same place and need not build
// them again.
func (m *moduleCopy) write() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	names := slices.Sorted(maps.Keys(m.files))
	h := sha256.New()
	fmt.Fprintf(h, "%s@%s %s\n", m.module.Path, m.module.Version, m.module.Dir)
	for _, name := range names {
		fmt.Fprintf(h, "%q %q\n", name, m.texts[name])
	}
	parent := filepath.Join(cache, "ichor-explore")
	to := filepath.Join(parent, hex.EncodeToString(h.Sum(nil)[:12]))
	now := time.Now()
	if isFile(filepath.Join(to, "go.mod")) {
		_ = os.Chtimes(to, now, now) // it is in use
		return to, nil
	}
	if err := os.MkdirAll(parent, 0o700); err != nil {
		return "", err
	}
	removeOld(parent, now)
	temp, err := os.MkdirTemp(parent, "new-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(temp)
	for name := range maps.Keys(m.files) {
		if err := m.writeFile(temp, name); err != nil {
			return "", err
		}
	}
	for name := range maps.Keys(m.texts) {
		if err := m.writeFile(temp, name); err != nil {
			return "", err
		}
	}
	if err := os.Rename(temp, to); err != nil && !isFile(filepath.Join(to, "go.mod")) {
		return "", err // else somebody else was faster
	}
	return to, nil
}

// removeOld removes copies that nobody has used for a month.
func removeOld(dir string, now time.Time) {
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		if info, err := e.Info(); err == nil && now.Sub(info.ModTime()) > 30*24*time.Hour {
			_ = os.RemoveAll(filepath.Join(dir, e.Name()))
		}
	}
}

func (m *moduleCopy) writeFile(dir, name string) error {
	text := []byte(m.texts[name])
	if _, ok := m.texts[name]; !ok {
		var err error
		if text, err = os.ReadFile(m.files[name]); err != nil {
			return err
		}
	}
	to := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return err
	}
	return os.WriteFile(to, text, 0o600)
}

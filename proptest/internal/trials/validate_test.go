package trials

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/anishathalye/porcupine"
	"pgregory.net/rapid"

	"github.com/ichor-go/ichor/proptest/internal/modes"
	"github.com/ichor-go/ichor/proptest/internal/property"
	rt "github.com/ichor-go/ichor/runtime"
)

// TestValidate demands a clear error for each subject that is wrong itself.
func TestValidate(t *testing.T) {
	at := 0
	for _, c := range []struct {
		says   string
		change func(s *Subject[int])
	}{
		{"<nil>", func(*Subject[int]) {}},
		{"proptest: the subject's New: planted", func(s *Subject[int]) {
			s.New = func(*rt.Thread) (rt.Ref, error) { return rt.Nil, errors.New("planted") }
		}},
		{"proptest: the subject's New returns no object", func(s *Subject[int]) {
			s.New = func(*rt.Thread) (rt.Ref, error) { return rt.Nil, nil }
		}},
		{"proptest: the subject Freezes, and its type has no Freezing", func(s *Subject[int]) { s.Freezes = true }},
		{"proptest: operation op returns 0 of type int, and its Model 0 of type int64", func(s *Subject[int]) {
			s.Ops[0].Model = func(m, _ int) (int, any) { return m + 1, int64(m) }
		}},
		{"proptest: operation op returns 0 of type int, and its Model nil", func(s *Subject[int]) { s.Ops[0].Model = filled }},
		{"proptest: the Model of operation op returns 1 for a state, and then 2: it changes the state, or states cannot be compared", func(s *Subject[int]) {
			s.Ops[0].Model = func(int, int) (int, any) { at++; return at, at }
		}},
		{"<nil>", func(s *Subject[int]) { // the programs find it
			s.Ops[0].Do = func(*rt.Thread, rt.Ref, int) (any, error) { panic("planted") }
		}},
	} {
		s := boxes(add, added).Subject
		c.change(&s)
		if got := fmt.Sprint(Validate(s, rt.Options{})); got != c.says {
			t.Errorf("found %q, want %q", got, c.says)
		}
	}
}

// Counters are objects with a number and a version, which can be frozen.
func counters(kind *rt.Type) *trials[int] {
	x := boxes(func(t *rt.Thread, r rt.Ref, _ int) (any, error) {
		if r.IsFrozen() {
			return nil, rt.ErrFrozen
		}
		t.Body(r).Add(1, 1)
		return int(t.Body(r).Add(0, 1)) - 1, nil
	}, added)
	x.New = func(t *rt.Thread) (rt.Ref, error) {
		r, _, err := t.New(kind, 16)
		return r, err
	}
	look := Op[int]{Name: "look", Model: func(m, _ int) (int, any) { return m, m }, Do: func(t *rt.Thread, r rt.Ref, _ int) (any, error) {
		n := t.Body(r).Load(0)
		if r.IsFrozen() && n > 1<<20 {
			panic("an impossible number")
		}
		return int(n), nil
	}}
	x.Freezes, x.Ops = true, append(x.Ops, look)
	x.Ops[0].Writes = true
	return x
}

// counterType defines a type of counters.
func counterType(name string, version func(rt.Heap, rt.Body) uint64, check func(*rt.Check) error) *rt.Type {
	return property.Must(rt.DefineType(rt.Type{
		Name: name, Mutable: true,
		Freezing: &rt.Freezing{Layout: name, Copy: rt.CopyBody(16), Version: version, Check: check},
	}))
}

// TestFreezingContract has types whose Version stays, or whose Check passes everything, and one that is right.
func TestFreezingContract(t *testing.T) {
	version := func(_ rt.Heap, o rt.Body) uint64 { return uint64(o.Load(1)) }
	lazy := rt.CheckBody(16)
	strict := func(k *rt.Check) error {
		if k.Body().Word(0) > 1<<20 {
			return errors.New("an impossible number")
		}
		return lazy(k)
	}
	o := modes.All(rt.Options{AddressSpace: 4 << 20, CollectAfter: -1})[0]
	damages := func(x *trials[int]) (err error) {
		for at := range uint32(80) {
			for _, sealed := range []bool{false, true} {
				for bit := range uint8(8) {
					err = errors.Join(err, x.forge(o, plan{{}}, damage{at: at, bit: bit, sealed: sealed}))
				}
			}
		}
		return errors.Join(err, x.forge(o, plan{{}}, damage{cut: true, at: 20}))
	}
	for _, c := range []struct {
		name, says string
		version    func(rt.Heap, rt.Body) uint64
		check      func(*rt.Check) error
		run        func(x *trials[int]) error
	}{
		{"right", "<nil>", version, strict, func(x *trials[int]) error { return errors.Join(x.sequential(o, plan{{}, {}}), damages(x)) }},
		{"the version stays", "its Freezing.Version is 0 as before", func(rt.Heap, rt.Body) uint64 { return 0 }, strict,
			func(x *trials[int]) error { return x.sequential(o, plan{{}}) }},
		{"passes everything", "Freezing.Check has passed an object that was changed", version, lazy, damages},
	} {
		x := counters(counterType("proptest counter, "+c.name, c.version, c.check))
		if got := fmt.Sprint(c.run(x)); !strings.Contains(got, c.says) {
			t.Errorf("%s: found %s, want %q", c.name, got, c.says)
		}
	}
}

// TestKeepsTheFirstFailure runs this test's program again, with a failure that happens once: rapid calls it
// flaky, and the log has its text all the same.
func TestKeepsTheFirstFailure(t *testing.T) {
	if os.Getenv("TRIALS_FLAKY") != "" {
		failed := false
		x := boxes(add, added)
		x.check(t, func(t *rapid.T) {
			if !failed {
				failed = true
				x.report(t, property.Counts.Broken("it happens once"))
			}
		})
		return
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestKeepsTheFirstFailure$", "-rapid.nofailfile")
	cmd.Env = append(os.Environ(), "TRIALS_FLAKY=1")
	out, err := cmd.CombinedOutput()
	if text := string(out); err == nil || !strings.Contains(text, "flaky") || !strings.Contains(text, "the first failure, which did not happen again:") || !strings.Contains(text, "it happens once") {
		t.Errorf("%v: %s", err, text)
	}
}

// TestPicture draws a history that no order of its calls explains.
func TestPicture(t *testing.T) {
	x := boxes(add, added)
	x.t = t
	x.picture([]porcupine.Operation{{Input: step{}, Output: 7, Call: 1, Return: 2}})
	page, err := os.ReadFile(filepath.Join(t.ArtifactDir(), "history.html"))
	if err != nil || !strings.Contains(string(page), "op(0) = 7") {
		t.Errorf("%v: %d bytes", err, len(page))
	}
}

//go:build !explore

package explore_test

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/ichor-go/ichor/proptest/explore"
)

// TestStress runs functions without the tag explore.
func TestStress(t *testing.T) {
	runs := 0
	failed, text := recorded(func(t testing.TB) {
		explore.Test(t, func(e *explore.E) {
			runs++
			done := 0
			e.Go("a", func() { done++ })
			e.Wait()
			e.Sometimes("never", false)
			if done != 1 {
				e.Fatalf("not done")
			}
		})
	})
	if failed || runs < 2 {
		t.Errorf("%d runs:\n%s", runs, text)
	}
	wantText(t, text, "nothing was explored, for want of -tags explore; ", " runs with real goroutines")
	failed, text = recorded(func(t testing.TB) {
		explore.Test(t, func(e *explore.E) {
			e.Logf("seen %d", 3)
			e.Fatalf("planted")
			e.Errorf("it goes on")
		})
	})
	if !failed {
		t.Error("a failure was not found")
	}
	wantText(t, text, "seen 3", "planted", "run 1 of a stress test has failed")
	t.Setenv("EXPLORE_BOUND", "x")
	_, text = recorded(func(t testing.TB) { explore.Test(t, func(e *explore.E) {}) })
	wantText(t, text, `explore: EXPLORE_BOUND="x"`)
}

// TestStressDraw runs a function once for what rapid has drawn.
func TestStressDraw(t *testing.T) {
	runs := 0
	rapid.Check(t, func(t *rapid.T) { explore.Draw(t, func(e *explore.E) { runs++ }) })
	if runs == 0 {
		t.Error("the function was not run")
	}
}

// TestRunOnce runs a program without the tag explore.
func TestRunOnce(t *testing.T) {
	n := [2]int64{}
	checked := false
	if _, err := explore.Run("once", explore.Config{}, func() explore.Fixed {
		return explore.Fixed{
			Threads: []func(){func() { n[0] = explore.Moment() }, func() { n[1] = explore.Moment() }},
			Check:   func() error { checked = true; return nil },
		}
	}); err != nil {
		t.Error(err)
	}
	if !checked || n[0] == 0 || n[0] == n[1] {
		t.Errorf("checked: %t, moments %v", checked, n)
	}
}

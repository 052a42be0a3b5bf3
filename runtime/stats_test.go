package runtime

import (
	"context"
	"fmt"
	"os/exec"
	"runtime/metrics"
	"slices"
	"testing"

	"github.com/ichor-go/ichor/internal/stat"
)

// typeNamed returns a type's line of the statistics.
func typeNamed(s Stats, name string) TypeStats {
	i := slices.IndexFunc(s.Types, func(x TypeStats) bool { return x.Type == name })
	if i < 0 {
		return TypeStats{Type: name}
	}
	return s.Types[i]
}

// samples returns the number of samples in a histogram.
func samples(h *metrics.Float64Histogram) (n uint64) {
	for _, c := range h.Counts {
		n += c
	}
	return n
}

// TestStatsOfTypes makes objects of each kind and reads how much they have in use.
func TestStatsOfTypes(t *testing.T) {
	forModes(t, func(t *testing.T, o Options) {
		clean(t, o, func(t *testing.T, th *Thread) {
			if s := th.ReadStats(); len(s.Types) != 0 || s.Memory.Objects != 0 {
				t.Errorf("a new runtime has %+v", s.Types)
			}
			var mortal []Ref
			for range 5 {
				mortal = append(mortal, newBox(th, newLeaf(th)))
			}
			big, _, err := th.New(leafType, 1000)
			must0(t, err)
			mortal = append(mortal, big)
			fixed := newBox(th, newLeaf(th))
			must0(t, th.Immortalize(fixed))
			must0(t, th.Immortally(func() error {
				newNode(th, newLeaf(th), newLeaf(th))
				return nil
			}))

			s := th.ReadStats()
			boxBytes := th.weightOf(fixed)
			bigBytes := th.sizeOf(big)
			if boxBytes < 32+16 || bigBytes < 1016 {
				t.Errorf("a box weighs %d, a leaf of 1000 bytes %d", boxBytes, bigBytes)
			}
			for _, want := range []TypeStats{
				{Type: "box", Objects: 6, Bytes: 6 * boxBytes, InPlace: 1, InPlaceBytes: boxBytes},
				{Type: "leaf", Objects: 7, Bytes: 6*32 + bigBytes, InPlace: 1, InPlaceBytes: 32, Born: 2},
				{Type: "node", Born: 1},
			} {
				if got := typeNamed(s, want.Type); got != want {
					t.Errorf("%+v, want %+v", got, want)
				}
			}
			if len(s.Types) != 3 || s.Types[2].Type != "node" || s.Types[0].Bytes < s.Types[1].Bytes {
				t.Errorf("not by falling bytes: %+v", s.Types)
			}

			// The sums over types equal the accounts. In checked mode the accounts include the
			// quarantine, which is empty here.
			var objects, bytes, born int64
			for _, x := range s.Types {
				objects, bytes, born = objects+x.Objects, bytes+x.Bytes, born+x.Born
			}
			if m := s.Memory; objects != m.Objects || bytes != m.ObjectBytes+m.BlockBytes || born != m.Immortals || m.InPlace != 2 {
				t.Errorf("%d objects of %d bytes, %d born immortal; the accounts say %+v", objects, bytes, born, m)
			}
			th.DecRefs(mortal)
			if got := typeNamed(th.ReadStats(), "box"); got.Objects != 1 {
				t.Errorf("the dead objects are still counted: %+v", got)
			}
		})
	})
}

// TestReadStats reads statistics on goroutines that are attached, that are not, and after
// Close.
func TestReadStats(t *testing.T) {
	forModes(t, func(t *testing.T, o Options) {
		r := newRuntime(t, o)
		must0(t, r.Run(context.Background(), 4, func(_ context.Context, th *Thread, _ int) error {
			for range 10 {
				x := newBox(th, newLeaf(th))
				if s := th.ReadStats(); typeNamed(s, "box").Objects < 1 || s.Memory.Attached < 1 {
					t.Error("the thread's own objects are missing")
				}
				th.DecRef(x)
			}
			return nil
		}))
		s, err := r.ReadStats()
		must0(t, err)
		if len(s.Types) != 0 || s.Memory.Attached != 1 || s.Closed {
			t.Errorf("afterwards: %+v", s)
		}
		if n := samples(s.Pauses); n != 40 {
			t.Errorf("%d pauses, want 40", n)
		}
		if n := samples(s.Stopping); o.Mode == LockFree && n != s.World.Stops || o.Mode == GIL && n != 0 {
			t.Errorf("%d times to stop, and %d stops", n, s.World.Stops)
		}
		if o.Mode == GIL && s.GIL.Acquires < 5 {
			t.Errorf("five threads have taken the GIL so often: %+v", s.GIL)
		}
		must0(t, r.Close())
		if _, err := r.ReadStats(); err != ErrClosed {
			t.Errorf("after Close: %v", err)
		}
		if !r.QuickStats().Closed {
			t.Error("after Close: Closed is false")
		}
		wantIn(t, panics(t, func() { (&Thread{}).ReadStats() }), "ichor: the thread is not attached: Thread.ReadStats of thread 0; want ")
	})
}

// TestMergesAreCounted has each kind of thread that may merge queued objects do so.
func TestMergesAreCounted(t *testing.T) {
	for _, checked := range []bool{false, true} {
		r, owner, other := biasedPair(t, Options{Checked: checked})
		want := func(queued int64, m Merges) {
			t.Helper()
			s := r.QuickStats()
			if s.Queued != queued || (s.QueuedBytes > 0) != (queued > 0) || s.Merges != m {
				t.Errorf("%d queued (%d bytes), %+v: want %d, %+v", s.Queued, s.QueuedBytes, s.Merges, queued, m)
			}
		}
		want(0, Merges{})
		for range 3 {
			other.DecRef(newLeaf(owner))
		}
		want(3, Merges{})
		owner.Checkpoint()
		want(0, Merges{ByOwner: 3})
		x := newLeaf(owner)
		owner.Blocking(func() { other.DecRef(x) })
		want(0, Merges{ByOwner: 3, ForAway: 1})

		other.DecRef(newLeaf(owner))
		other.DecRef(newLeaf(owner))
		want(2, Merges{ByOwner: 3, ForAway: 1})
		other.stopped = true // as good as stopped: one goroutine drives both
		other.settle()
		other.stopped = false
		want(0, Merges{ByOwner: 3, ForAway: 1, InStop: 2})
		closePair(t, r, owner, other)
		want(0, Merges{ByOwner: 3, ForAway: 1, InStop: 2})
	}
}

// TestDeferredIsTold follows retired bytes until they are released.
func TestDeferredIsTold(t *testing.T) {
	for _, checked := range []bool{false, true} {
		r := newRuntime(t, Options{Mode: LockFree, CollectAfter: -1, Checked: checked})
		reader, writer := must(r.Attach()), must(r.Attach())
		want := func(bytes int64) {
			t.Helper()
			if s := r.QuickStats(); s.Deferred != bytes {
				t.Errorf("%d bytes wait, want %d", s.Deferred, bytes)
			}
		}
		begun := r.QuickStats().GraceBegun
		leaf := newLeaf(writer)
		bytes := writer.sizeOf(leaf)
		writer.Retire(leaf)
		writer.Checkpoint()
		want(bytes) // the reader may see it
		writer.Retire(newLeaf(writer))
		writer.Detach()
		want(2 * bytes) // left to others
		if s := r.QuickStats(); s.GraceBegun <= begun || s.GraceOver > s.GraceBegun || s.Pooled != 1 || s.Memory.Attached != 1 {
			t.Errorf("%+v", s)
		}
		for range 3 {
			reader.Checkpoint()
		}
		want(0)
		if s := r.QuickStats(); s.GraceOver == 0 {
			t.Error("no grace period is over")
		}

		// A stop of the world releases for other threads.
		writer = must(r.Attach())
		writer.Retire(newLeaf(writer))
		writer.Checkpoint()
		want(bytes)
		reader.stopped = true
		reader.settle()
		reader.stopped = false
		want(0)

		reader.Detach()
		writer.Detach()
		must0(t, r.Close())
		want(0)
	}
}

// TestOperations checks the numbers of count operations, by their cost.
func TestOperations(t *testing.T) {
	forModes(t, func(t *testing.T, o Options) {
		clean(t, o, func(t *testing.T, th *Thread) {
			r := th.Runtime()
			x, y := newLeaf(th), newLeaf(th)
			must0(t, th.Immortalize(y))
			var z Ref
			must0(t, th.Immortally(func() error { z = newLeaf(th); return nil }))
			seven, _ := Int(7)
			others := []Ref{x, y, z, Nil, seven}

			want := func(what string, mine, foreign, skipped int64, f func()) {
				t.Helper()
				before := r.QuickStats().Operations
				f()
				got := r.QuickStats().Operations
				got.Owned, got.Shared, got.Skipped = got.Owned-before.Owned, got.Shared-before.Shared, got.Skipped-before.Skipped
				want := Operations{Counted: stat.On || o.Checked, SkippedCounted: stat.On}
				if want.Counted {
					switch {
					case o.Mode == GIL:
						want.Owned = mine + foreign
					case o.Counting == Biased:
						want.Owned, want.Shared = mine, foreign
					default:
						want.Shared = mine + foreign
					}
				}
				if stat.On {
					want.Skipped = skipped
				}
				if got != want {
					t.Errorf("%s: %+v, want %+v", what, got, want)
				}
			}
			want("one call each", 2, 0, 6, func() {
				for _, r := range others {
					th.IncRef(r)
					th.DecRef(r)
				}
			})
			want("slices", 2, 0, 6, func() {
				th.IncRefs(others)
				th.DecRefs(others)
			})
			want("attempts", 2, 0, 2, func() {
				th.TryIncRef(x)
				th.DecRef(x)
				th.TryIncRef(z)
				th.TryIncRef(y)
			})
			want("retired objects", 2, 0, 3, func() {
				th.IncRef(x)
				for _, r := range others {
					th.Retire(r)
				}
				for range 3 {
					th.Checkpoint()
				}
			})
			n := newNode(th, newLeaf(th), y, None)
			want("a container's death", 2, 0, 2, func() { th.DecRef(n) })
			want("on another thread", 0, 2, 2, func() {
				th.Blocking(func() {
					done := make(chan error)
					go func() {
						done <- r.Do(func(th *Thread) error {
							th.IncRef(x)
							th.DecRef(x)
							th.IncRef(y)
							th.DecRef(y)
							return nil
						})
					}()
					must0(t, <-done)
				})
			})
			th.DecRef(x)
		})
	})
}

// TestStatisticsBuild runs tests of this package in a build with the tag.
func TestStatisticsBuild(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: -short runs no statistics build, so nothing shows that it counts")
	}
	args := []string{"test", "-tags=ichorstats", "-vet=off", "-ldflags=-w", "-timeout=100s", "-short",
		"-run=^Test(Stats|ReadStats|Operations|Merges|Deferred|Metrics|Expvar|Counting|DeepFree|Retire|Immortal|Finalize|Collect$)", ".", "./metrics"}
	if out, err := exec.Command("go", args...).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func BenchmarkReadStats(b *testing.B) {
	for _, n := range []int{0, 1_000_000} {
		b.Run(fmt.Sprintf("objects=%d", n), func(b *testing.B) {
			r := newRuntime(b, Options{CollectAfter: -1})
			must0(b, r.Do(func(t *Thread) error {
				var all []Ref
				for range n / 2 {
					all = append(all, newBox(t, newLeaf(t)))
				}
				for b.Loop() {
					t.ReadStats()
				}
				t.DecRefs(all)
				return nil
			}))
			must0(b, r.Close())
		})
	}
}

// TestStatisticsOfWhatIsLeft checks the figures for calls that a thread has left, and for
// skipped operations. Objects of an unknown type have no row.
func TestStatisticsOfWhatIsLeft(t *testing.T) {
	clean(t, Options{}, func(t *testing.T, th *Thread) {
		r := th.rt
		skipped := r.QuickStats().Operations.Skipped
		th.tally.ops[opSkipped].Add(3)
		th.Later(func(*Thread) {})
		th.Later(func(*Thread) {})
		th.leavePending()
		if s := r.QuickStats(); s.Left != 2 || s.Operations.Skipped != skipped+3 {
			t.Errorf("%d are left, want 2; %d operations more were skipped, want 3", s.Left, s.Operations.Skipped-skipped)
		}
		th.Checkpoint()
		if s := r.QuickStats(); s.Left != 0 {
			t.Errorf("%d are left", s.Left)
		}
		x, y := newLeaf(th), newLeaf(th)
		meta := th.header(x).Meta()
		th.header(x).Birth(th.stamp, 12345)
		if s := th.ReadStats(); len(s.Types) != 1 || s.Types[0].Type != "leaf" || s.Types[0].Objects != 1 {
			t.Errorf("the types are %+v", s.Types)
		}
		th.header(x).Birth(th.stamp, meta)
		th.DecRefs([]Ref{x, y})
	})
}

package locks

import (
	"fmt"
	"testing"
)

func TestWorldMisuse(t *testing.T) {
	w, other := NewWorld(), NewWorld()
	m, x := w.Join("m"), w.Join("x")
	mustPanic(t, `member is outside: Member.Exit of member "m"; want `, m.Exit)
	mustPanic(t, `member is outside: Member.Pause of member "m"; want `, m.Pause)
	mustPanic(t, `member is outside: World.Stop of member "m"; want `, func() { w.Stop(m) })
	mustPanic(t, `World.Start of a stranger`, func() { w.Start(nil) })
	mustPanic(t, `member of another world: World.Part of member "m`, func() { other.Part(m) })
	m.Enter()
	mustPanic(t, `member is inside: Member.Enter of member "m"; want `, m.Enter)
	mustPanic(t, `member is inside: World.Part of member "m"; want `, func() { w.Part(m) })
	mustPanic(t, `member of another world: World.Stop of member "m`, func() { other.Stop(m) })
	mustPanic(t, `World.Start of member "m"`, func() { w.Start(m) })
	w.Stop(m)
	mustPanic(t, `member is asking: World.Stop of member "m"; want `, func() { w.Stop(m) })
	mustPanic(t, `member is asking: Member.Exit of member "m"; want `, m.Exit)
	mustPanic(t, `member is asking: Member.Pause of member "m"; want `, m.Pause)
	mustPanic(t, `World.Start of member "x"`, func() { w.Start(x) })
	mustPanic(t, `World.Start of a stranger`, func() { w.Start(nil) })
	w.Start(m)
	m.Exit()
	w.Part(m)
	mustPanic(t, `member is parted: Member.Enter of member "m"; want `, m.Enter)
	mustPanic(t, `member is parted: World.Part of member "m"; want `, func() { w.Part(m) })
	x.Enter() // the world still works
	w.Stop(x)
	w.Start(x)
	x.Exit()
}

func BenchmarkWorld(b *testing.B) {
	b.Run("op=enter-exit", func(b *testing.B) {
		m := NewWorld().Join("m")
		for b.Loop() {
			m.Enter()
			m.Exit()
		}
	})
	b.Run("op=stop-start", func(b *testing.B) {
		w := NewWorld()
		for b.Loop() {
			w.Stop(nil)
			w.Start(nil)
		}
	})
}

// TestStrings: each String is one line that says what the value is.
func TestStrings(t *testing.T) {
	watchdog(t)
	want := func(v fmt.Stringer, want string) {
		t.Helper()
		if got := fmt.Sprint(v); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	g := NewGIL(0)
	want(g, "GIL, free")
	g.Acquire()
	want(g, "GIL, held, 0 waiting")
	g.Release()
	g.AcquireFor("a")
	done := make(chan bool)
	go func() { g.AcquireFor("b"); g.Release(); done <- true }()
	await(func() bool { return g.Waiter() != nil })
	want(g, "GIL, held by a, 1 waiting")
	g.Release()
	<-done

	w := NewWorld()
	a, b := w.Join("a"), w.Join("b")
	a.Enter()
	want(a, `member "a", inside`)
	want(w, "world of 2 members, 1 inside, running")
	b.Enter()
	go func() { w.Stop(b); done <- true }()
	await(a.Stopping)
	want(w, "world of 2 members, 1 inside, being stopped")
	a.Exit()
	<-done
	want(w, `world of 2 members, 0 inside, stopped by member "b"`)
	w.Start(b)
	b.Exit()
	want(b, `member "b", outside`)
}

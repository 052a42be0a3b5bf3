package locks

import "testing"

func TestWorldMisuse(t *testing.T) {
	w, other := NewWorld(), NewWorld()
	m, x := w.Join("m"), w.Join("x")
	mustPanic(t, `Exit of member "m", which is outside`, m.Exit)
	mustPanic(t, `Pause of member "m", which is outside`, m.Pause)
	mustPanic(t, `Stop of member "m", which is outside`, func() { w.Stop(m) })
	mustPanic(t, `Start by a stranger`, func() { w.Start(nil) })
	mustPanic(t, `Part of member "m" of another world`, func() { other.Part(m) })
	m.Enter()
	mustPanic(t, `Enter of member "m", which is inside`, m.Enter)
	mustPanic(t, `Part of member "m", which is inside`, func() { w.Part(m) })
	mustPanic(t, `Stop by member "m" of another world`, func() { other.Stop(m) })
	mustPanic(t, `Start by member "m"`, func() { w.Start(m) })
	w.Stop(m)
	mustPanic(t, `Stop of member "m", which is asking`, func() { w.Stop(m) })
	mustPanic(t, `Exit of member "m", which is asking`, m.Exit)
	mustPanic(t, `Pause of member "m", which is asking`, m.Pause)
	mustPanic(t, `Start by member "x"`, func() { w.Start(x) })
	mustPanic(t, `Start by a stranger`, func() { w.Start(nil) })
	w.Start(m)
	m.Exit()
	w.Part(m)
	mustPanic(t, `Enter of member "m", which is parted`, m.Enter)
	mustPanic(t, `Part of member "m", which is parted`, func() { w.Part(m) })
	x.Enter() // the world is none the worse
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

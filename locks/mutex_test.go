package locks

import (
	goruntime "runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// waiting returns the number of goroutines that are parked for the word.
func waiting(w *uint32) (n int) {
	b := bucketOf(w)
	b.mu.Lock()
	defer b.mu.Unlock()
	for p := b.head; p != nil; p = p.next {
		if p.word == w {
			n++
		}
	}
	return n
}

func TestMutexExcludes(t *testing.T) {
	watchdog(t)
	const goroutines = 8
	var words [3]uint32
	var sums [3]int
	n := rounds(20000)
	var wg sync.WaitGroup
	for g := range goroutines {
		wg.Go(func() {
			for i := range n {
				k := (i + g) % len(words)
				if i%16 != 0 || !TryLock(&words[k]) {
					Lock(&words[k])
				}
				sums[k]++
				Unlock(&words[k])
			}
		})
	}
	wg.Wait()
	if got := sums[0] + sums[1] + sums[2]; got != goroutines*n {
		t.Errorf("sum %d, want %d", got, goroutines*n)
	}
	if words != [3]uint32{} {
		t.Errorf("words %v after the last Unlock", words)
	}
}

// TestTryLock2 checks that both words are locked, or none.
func TestTryLock2(t *testing.T) {
	var a, b uint32
	if !TryLock2(&a, &b) || TryLock(&a) || TryLock(&b) {
		t.Error("both are free, and are not locked")
	}
	Unlock(&a)
	if TryLock2(&a, &b) || TryLock2(&b, &a) || a != 0 || b == 0 {
		t.Errorf("one is locked: %d, %d afterwards", a, b)
	}
	Unlock(&b)
	if !TryLock2(&a, &a) || a == 0 {
		t.Error("one word twice")
	}
	Unlock2(&a, &a)
	if a != 0 || b != 0 {
		t.Errorf("left: %d, %d", a, b)
	}
}

// TestNoLostWakeUp ends each round with only parked goroutines left, so a lost wake-up
// makes the round hang.
func TestNoLostWakeUp(t *testing.T) {
	watchdog(t)
	for range rounds(5000) {
		var w uint32
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				Lock(&w)
				for range 2 * spins { // longer than the others spin
					goruntime.Gosched()
				}
				Unlock(&w)
			})
		}
		wg.Wait()
		if w != 0 {
			t.Fatalf("word %d at the end", w)
		}
	}
}

// TestParkLooksAgain: a waiter that comes to the lot after the unlock must not sleep.
func TestParkLooksAgain(t *testing.T) {
	watchdog(t)
	for _, v := range []uint32{0, lockedBit, parkedBit} {
		w := v
		if park(&w, now(), false) {
			t.Errorf("park(%d) says that the lock was handed over", v)
		}
		if b := bucketOf(&w); !b.mu.TryLock() {
			t.Errorf("park(%d) keeps its queue locked", v)
		} else {
			b.mu.Unlock()
		}
	}
}

// TestUnlockOfParked checks the effect of Unlock on waiters by how long they have
// waited.
func TestUnlockOfParked(t *testing.T) {
	at := now()
	for _, c := range []struct {
		waited []time.Duration
		word   uint32
		handed bool
	}{
		{nil, 0, false},
		{[]time.Duration{0}, 0, false},
		{[]time.Duration{fairAfter}, 0, false},
		{[]time.Duration{fairAfter + 1}, lockedBit, true},
		{[]time.Duration{0, 2 * fairAfter}, parkedBit, false},
		{[]time.Duration{2 * fairAfter, 0}, lockBits, true},
	} {
		w := lockBits
		b := bucketOf(&w)
		var queue []*parked
		for _, d := range c.waited {
			p := &parked{word: &w, since: at - d, wake: make(chan bool, 1)}
			b.mu.Lock()
			b.push(p, false)
			b.mu.Unlock()
			queue = append(queue, p)
		}
		unpark(&w, at)
		if w != c.word {
			t.Errorf("waited %v: word %d, want %d", c.waited, w, c.word)
		}
		for i, p := range queue {
			switch {
			case len(p.wake) != 0 && i != 0 || len(p.wake) == 0 && i == 0:
				t.Errorf("waited %v: waiter %d: %d wake-ups", c.waited, i, len(p.wake))
			case i == 0 && <-p.wake != c.handed:
				t.Errorf("waited %v: handed over: %v", c.waited, !c.handed)
			}
		}
		b.mu.Lock()
		for more := true; more; {
			_, more = b.pop(&w)
		}
		b.mu.Unlock()
	}
}

func TestParkedInOrder(t *testing.T) {
	watchdog(t)
	var w uint32
	var order []int
	var wg sync.WaitGroup
	Lock(&w)
	for i := range 6 {
		wg.Go(func() {
			Lock(&w)
			order = append(order, i)
			Unlock(&w)
		})
		await(func() bool { return waiting(&w) == i+1 })
	}
	if TryLock(&w) {
		t.Error("TryLock of a locked word")
	}
	Unlock(&w)
	wg.Wait()
	if !slices.Equal(order, []int{0, 1, 2, 3, 4, 5}) {
		t.Errorf("served in order %v", order)
	}
}

// TestHandedOver: nobody can barge past a waiter that has waited long, even before its
// goroutine runs.
func TestHandedOver(t *testing.T) {
	watchdog(t)
	var w uint32
	for range rounds(200) {
		Lock(&w)
		held, done := make(chan bool), make(chan bool)
		go func() {
			Lock(&w)
			<-held
			Unlock(&w)
			close(done)
		}()
		await(func() bool { return waiting(&w) == 1 })
		b := bucketOf(&w)
		b.mu.Lock()
		b.head.since -= 2 * fairAfter
		b.mu.Unlock()
		Unlock(&w)
		if TryLock(&w) {
			t.Fatal("barged past a waiter to whom the lock was due")
		}
		close(held)
		<-done
	}
}

// TestParkedSince: a waiter's time counts from its first park, even if another goroutine has
// barged past it.
func TestParkedSince(t *testing.T) {
	watchdog(t)
	for barged := false; !barged; {
		var w uint32
		b := bucketOf(&w)
		since := func() time.Duration {
			await(func() bool { return waiting(&w) == 1 })
			b.mu.Lock()
			defer b.mu.Unlock()
			return b.head.since
		}
		Lock(&w)
		before := now()
		var wg sync.WaitGroup
		wg.Go(func() {
			Lock(&w)
			Unlock(&w)
		})
		first := since()
		if first < before || first > now() {
			t.Errorf("parked at %v, and it is %v", first, now())
		}
		b.mu.Lock()
		b.head.since += time.Hour // so that the lock is not handed over to it
		b.mu.Unlock()
		Unlock(&w)
		if barged = TryLock(&w); barged {
			if again := since(); again != first {
				t.Errorf("parked since %v, and again since %v", first, again)
			}
			Unlock(&w)
		}
		wg.Wait()
	}
}

func TestLock2(t *testing.T) {
	watchdog(t)
	var words [4]uint32
	var sums [4]int
	n := rounds(10000)
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range n {
				a, b := (i+g)%4, (i*3+g*g)%4
				Lock2(&words[a], &words[b])
				sums[a]++
				if a != b {
					sums[b]++
				}
				Unlock2(&words[a], &words[b])
			}
		})
	}
	wg.Wait()
	if words != [4]uint32{} {
		t.Errorf("words %v at the end", words)
	}
	var w uint32
	Lock2(&w, &w)
	if w != lockedBit {
		t.Errorf("word %d after Lock2 with itself", w)
	}
	Unlock2(&w, &w)
	if w != 0 {
		t.Errorf("word %d after Unlock2 with itself", w)
	}
}

// TestLock2InOrder: a goroutine that waits for the lower word does not hold the higher one.
func TestLock2InOrder(t *testing.T) {
	watchdog(t)
	var words [2]uint32
	for _, first := range []int{0, 1} {
		Lock(&words[0])
		var wg sync.WaitGroup
		wg.Go(func() { Lock2(&words[first], &words[1-first]) })
		await(func() bool { return waiting(&words[0]) == 1 })
		if !TryLock(&words[1]) {
			t.Fatal("the higher word was locked first")
		}
		Unlock(&words[1])
		Unlock(&words[0])
		wg.Wait()
		if words != [2]uint32{lockedBit, lockedBit} {
			t.Errorf("words %v after Lock2", words)
		}
		Unlock2(&words[first], &words[1-first])
	}
}

func TestMutexMisuse(t *testing.T) {
	var w uint32
	mustPanic(t, "the lock is not locked: locks.Unlock of lock word 0x", func() { Unlock(&w) })
	w = parkedBit
	mustPanic(t, "the lock is not locked: locks.Unlock of lock word 0x", func() { Unlock(&w) })
	w = 12
	mustPanic(t, "not a lock word: locks.", func() { Lock(&w) })
	mustPanic(t, "not a lock word: locks.", func() { TryLock(&w) })
	mustPanic(t, "not a lock word: locks.", func() { Unlock(&w) })
}

// TestMutexModel compares words with booleans, one goroutine at a time. A word
// may have a parked bit that a waiter left behind: Lock keeps it, and Unlock
// finds no waiter and clears it.
func TestMutexModel(t *testing.T) {
	watchdog(t)
	rapid.Check(t, func(t *rapid.T) {
		var words [3]uint32
		var model, parked [3]bool
		pick := rapid.IntRange(0, 2)
		t.Repeat(map[string]func(*rapid.T){
			"trylock": func(t *rapid.T) {
				i := pick.Draw(t, "i")
				if got := TryLock(&words[i]); got == model[i] {
					t.Fatalf("TryLock %v, locked %v", got, model[i])
				}
				model[i] = true
			},
			"lock": func(t *rapid.T) {
				if i := pick.Draw(t, "i"); !model[i] {
					Lock(&words[i])
					model[i] = true
				}
			},
			"unlock": func(t *rapid.T) {
				i := pick.Draw(t, "i")
				if got := panics(func() { Unlock(&words[i]) }) == ""; got != model[i] {
					t.Fatalf("Unlock succeeds %v, locked %v", got, model[i])
				}
				if model[i] {
					parked[i] = false
				}
				model[i] = false
			},
			"parked": func(t *rapid.T) {
				i := pick.Draw(t, "i")
				words[i] |= parkedBit
				parked[i] = true
			},
			"": func(t *rapid.T) {
				for i, w := range words {
					if w&lockedBit != 0 != model[i] || w&parkedBit != 0 != parked[i] {
						t.Fatalf("word %d is %d, locked %v, parked %v", i, w, model[i], parked[i])
					}
				}
			},
		})
	})
}

// TestBucketModel compares a queue for several words with plain slices.
func TestBucketModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var b bucket
		var words [3]uint32
		var model [3][]*parked
		pick := rapid.IntRange(0, 2)
		t.Repeat(map[string]func(*rapid.T){
			"push": func(t *rapid.T) {
				i, front := pick.Draw(t, "i"), rapid.Bool().Draw(t, "front")
				p := &parked{word: &words[i]}
				b.push(p, front)
				if front {
					model[i] = slices.Insert(model[i], 0, p)
				} else {
					model[i] = append(model[i], p)
				}
			},
			"pop": func(t *rapid.T) {
				i := pick.Draw(t, "i")
				p, more := b.pop(&words[i])
				if len(model[i]) == 0 {
					if p != nil || more {
						t.Fatal("popped from nothing")
					}
					return
				}
				if p != model[i][0] || more != (len(model[i]) > 1) {
					t.Fatalf("popped %p, more %v; want %v", p, more, model[i])
				}
				model[i] = model[i][1:]
			},
		})
	})
}

// TestLotSpreads: the words of neighbouring objects use different queues.
func TestLotSpreads(t *testing.T) {
	words := make([]uint32, lotSize*4)
	used := map[*bucket]bool{}
	for i := 0; i < len(words); i += 4 { // 16 bytes, a granule
		used[bucketOf(&words[i])] = true
	}
	if len(used) < lotSize/2 {
		t.Errorf("%d words use %d queues", lotSize, len(used))
	}
}

func BenchmarkMutex(b *testing.B) {
	b.Run("contended=no", func(b *testing.B) {
		var w uint32
		for b.Loop() {
			Lock(&w)
			Unlock(&w)
		}
	})
	b.Run("contended=yes", func(b *testing.B) {
		var w uint32
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				Lock(&w)
				Unlock(&w)
			}
		})
	})
}

package bugs

import (
	"github.com/ichor-go/ichor/proptest/explore"
	"github.com/ichor-go/ichor/proptest/explore/atomic"
	"github.com/ichor-go/ichor/proptest/explore/sync"
)

// doubleChecked makes a value once, and sets the flag first.
func doubleChecked(e *explore.E, correct bool) {
	var (
		m     sync.Mutex
		made  atomic.Bool
		value atomic.Pointer[int]
	)
	get := func() *int {
		if !made.Load() {
			m.Lock()
			defer m.Unlock()
			if !made.Load() {
				if correct {
					value.Store(new(int))
				}
				made.Store(true)
				if !correct {
					value.Store(new(int))
				}
			}
		}
		return value.Load()
	}
	for range 2 {
		e.Go("gets", func() {
			if get() == nil {
				e.Fatalf("nil pointer")
			}
		})
	}
	e.Wait()
}

// pooledBuffer puts a buffer back whose bytes it still uses.
func pooledBuffer(e *explore.E, correct bool) {
	pool := sync.Pool{New: func() any { return new([8]byte) }}
	encode := func(b byte) []byte {
		buffer := pool.Get().(*[8]byte)
		defer pool.Put(buffer)
		out := append(buffer[:0], b, b, b)
		if correct {
			return append([]byte(nil), out...)
		}
		return out
	}
	var turns atomic.Int32 // what is done with the bytes takes a while
	for _, b := range []byte("xy") {
		e.Go("encodes "+string(b), func() {
			text := encode(b)
			turns.Add(1)
			if string(text) != string([]byte{b, b, b}) {
				e.Fatalf("another's bytes: %s", text)
			}
		})
	}
	e.Wait()
}

// treiber is a stack whose nodes are numbers, which are pushed again after they were popped.
func treiber(e *explore.E, correct bool) {
	const tag = 16
	var (
		head  atomic.Uint32
		next  [4]atomic.Uint32
		taken [4]atomic.Int32
	)
	for i := range 3 {
		next[i+1].Store(uint32((i + 2) % 4))
	}
	head.Store(1)
	bump := func(h uint32) uint32 {
		if correct {
			return h/tag*tag + tag
		}
		return 0
	}
	pop := func() uint32 {
		for {
			h := head.Load()
			if h%tag == 0 {
				return 0
			}
			if head.CompareAndSwap(h, next[h%tag].Load()+bump(h)) {
				if taken[h%tag].Add(1) > 1 {
					e.Fatalf("%d is taken twice", h%tag)
				}
				return h % tag
			}
		}
	}
	push := func(i uint32) {
		taken[i].Add(-1)
		for {
			h := head.Load()
			next[i].Store(h % tag)
			if head.CompareAndSwap(h, i+bump(h)) {
				return
			}
		}
	}
	e.Go("pops", func() { pop(); pop() })
	e.Go("pops and pushes", func() {
		a := pop()
		pop()
		if a != 0 {
			push(a)
		}
	})
	e.Wait()
}

// stampede looks into a cache, and loads what is missing.
func stampede(e *explore.E, correct bool) {
	var (
		m     sync.Mutex
		cache sync.Map
		loads atomic.Int32
	)
	get := func() {
		if correct {
			m.Lock()
			defer m.Unlock()
		}
		if _, ok := cache.Load("key"); !ok {
			loads.Add(1)
			cache.Store("key", 1)
		}
	}
	for range 2 {
		e.Go("gets", get)
	}
	e.Wait()
	if n := loads.Load(); n != 1 {
		e.Fatalf("loaded %d times", n)
	}
}

// mapResize stores into the table that it has found, which another goroutine is copying.
func mapResize(e *explore.E, correct bool) {
	type table struct {
		m     sync.Mutex
		moved atomic.Bool
		slots [4]atomic.Int32
	}
	var current atomic.Pointer[table]
	current.Store(&table{})
	store := func(i int, v int32) {
		for {
			t := current.Load()
			t.m.Lock()
			if correct && t.moved.Load() {
				t.m.Unlock()
				continue
			}
			t.slots[i].Store(v)
			t.m.Unlock()
			return
		}
	}
	e.Go("stores", func() { store(0, 7) })
	e.Go("grows", func() {
		old, bigger := current.Load(), &table{}
		old.m.Lock()
		for i := range old.slots[:1] {
			bigger.slots[i].Store(old.slots[i].Load())
		}
		current.Store(bigger)
		old.moved.Store(true)
		old.m.Unlock()
	})
	e.Wait()
	if current.Load().slots[0].Load() != 7 {
		e.Fatalf("what was stored is lost")
	}
}

// groupCommit is a write-ahead log: who comes first flushes for all. One that joins after the flush
// has begun must wait for the next.
func groupCommit(e *explore.E, correct bool) {
	var (
		m                sync.Mutex
		written, flushed int
		flushing         bool
		durable          atomic.Int32
	)
	done := sync.NewCond(&m)
	commit := func() {
		m.Lock()
		defer m.Unlock()
		written++
		mine := written
		for flushed < mine {
			if flushing {
				done.Wait()
				continue
			}
			flushing = true
			upTo := written
			m.Unlock()
			durable.Store(int32(upTo)) // the flush
			m.Lock()
			flushing = false
			if correct {
				flushed = upTo
			} else {
				flushed = written // what was written meanwhile is not on the disk
			}
			done.Broadcast()
		}
		if int(durable.Load()) < mine {
			e.Fatalf("record %d is acknowledged before it is durable", mine)
		}
	}
	for range 3 {
		e.Go("commits", commit)
	}
	e.Wait()
}

// relock looks an item up under RLock, and moves it to the front under Lock.
func relock(e *explore.E, correct bool) {
	var (
		m    sync.RWMutex
		list = []string{"a", "b"}
	)
	find := func(key string) int {
		for i, k := range list {
			if k == key {
				return i
			}
		}
		return -1
	}
	e.Go("gets", func() {
		m.RLock()
		i := find("b")
		m.RUnlock()
		if i < 0 {
			return
		}
		m.Lock()
		defer m.Unlock()
		if correct {
			if i = find("b"); i < 0 {
				return
			}
		}
		if i >= len(list) || list[i] != "b" {
			e.Fatalf("the item was evicted")
		}
		list[0], list[i] = list[i], list[0]
	})
	e.Go("evicts", func() {
		m.Lock()
		list = list[:1]
		m.Unlock()
	})
	e.Wait()
}

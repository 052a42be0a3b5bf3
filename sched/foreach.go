package sched

import (
	"context"
	"math"

	"github.com/ichor-go/ichor/internal/aligned"
	"github.com/ichor-go/ichor/internal/fault"
)

// ForEach calls fn once for each item number from 0 up to items, in n goroutines
// with states of their own. No order is promised. Errors, panics, Goexit and
// cancellation are those of Run; after any of them items are left out, and without
// one none is. No more workers start than there are items. Any goroutine.
func ForEach[S any](
	ctx context.Context, n, items int,
	open func(worker int) (S, error), close func(S),
	fn func(ctx context.Context, s S, item int) error,
) error {
	switch {
	case n < 1:
		return fault.Errorf("ForEach with %d workers, want at least 1", n)
	case uint64(items) > math.MaxUint32: // or negative
		return fault.Errorf("ForEach with %d items, want 0 to %d", items, uint32(math.MaxUint32))
	case items == 0:
		return context.Cause(ctx)
	}
	n = min(n, items)
	sh := newShares(n, items)
	return Run(ctx, n, open, close, func(ctx context.Context, s S, worker int) error {
		for ctx.Err() == nil {
			item, ok := sh.next(worker)
			if !ok {
				return nil
			}
			if err := fn(ctx, s, item); err != nil {
				return err
			}
		}
		return nil
	})
}

// shares divides item numbers among workers. At each moment a number is in one
// share, or was returned by next once, or is on its way between a steal's two
// steps.
type shares []share

// share is one worker's range of items that nobody has begun, lo <= item < hi.
//
//	63 ........ 32 31 ......... 0
//	hi             lo               empty: lo == hi
//
// State — condition — invariant — transition (who):
//
//	empty — lo == hi — only the owner writes it — to filled by a steal (owner)
//	filled— lo < hi — to itself or empty: lo+1 by next (owner), less
//	        its upper half by a steal (others), all by CAS
//
// A word that is equal is the same set of free items, so a CAS cannot be fooled by
// a word that changed in between.
type share struct {
	word aligned.Uint64
	_    [cacheLine - 8]byte
}

func pack(lo, hi uint32) uint64          { return uint64(hi)<<32 | uint64(lo) }
func unpack(word uint64) (lo, hi uint32) { return uint32(word), uint32(word >> 32) }

func newShares(n, items int) shares {
	sh := make(shares, n)
	for i := range sh {
		lo, hi := uint64(i)*uint64(items)/uint64(n), uint64(i+1)*uint64(items)/uint64(n)
		sh[i].word.Store(pack(uint32(lo), uint32(hi)))
	}
	return sh
}

// next returns an item that only this caller gets, from its own share or else
// from another's. False: all shares were seen empty.
func (sh shares) next(worker int) (int, bool) {
	own := &sh[worker].word
	for {
		v := own.Load()
		lo, hi := unpack(v)
		if lo == hi {
			return sh.steal(worker)
		}
		if own.CompareAndSwap(v, pack(lo+1, hi)) {
			return int(lo), true
		}
	}
}

// steal moves the upper half of the first share that is not empty into the
// worker's own, which is, and returns its first item. A range that another thief
// is moving at this moment is in no share: who misses it ends early, and the
// other does the work.
func (sh shares) steal(worker int) (int, bool) {
	for i := 1; i < len(sh); i++ {
		victim := &sh[(worker+i)%len(sh)].word
		for {
			v := victim.Load()
			lo, hi := unpack(v)
			if lo == hi {
				break
			}
			mid := lo + (hi-lo)/2
			if victim.CompareAndSwap(v, pack(lo, mid)) {
				sh[worker].word.Store(pack(mid+1, hi))
				return int(mid), true
			}
		}
	}
	return 0, false
}

package sched

import (
	"context"
	"math"

	"github.com/ichor-go/ichor/internal/aligned"
	"github.com/ichor-go/ichor/internal/fault"
)

// ForEach calls fn once for each item number from 0 up to items, in n goroutines with
// states of their own, in no particular order. Errors, panics, Goexit and cancellation
// are as for Run. After any of these some items are left out; otherwise none is. No
// more workers start than there are items. Any goroutine.
func ForEach[S any](
	ctx context.Context, n, items int,
	open func(ctx context.Context, worker int) (S, error), close func(S),
	fn func(ctx context.Context, s S, item int) error,
) error {
	switch {
	case n < 1:
		return fault.Errorf("ForEach with %d workers, want at least 1", n)
	case uint64(items) > math.MaxUint32: // also true of negative numbers
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

// shares divides the item numbers among workers. At each moment a number is in one
// share, or has been returned by next once, or is between the two steps of a steal.
type shares []share

// share is one worker's range of items that have not begun, lo <= item < hi.
//
//	63 ........ 32 31 ......... 0
//	hi             lo               empty: lo == hi
//
//	empty   condition: lo == hi
//	        invariant: only the owner writes the word
//	        to filled by a steal (owner)
//	filled  condition: lo < hi
//	        to filled or empty by next, which adds 1 to lo (owner), or by a steal,
//	        which takes the upper half (others), all by CAS
//
// Equal words mean the same set of free items, so a CAS is correct even if the word has
// changed in between (no ABA problem).
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

// next returns an item for this caller alone, from its own share or else from another
// one. It returns false if all shares were found empty.
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

// steal moves the upper half of the first non-empty share into the worker's own share,
// which is empty, and returns the first item of that half. A range that another thief
// is moving at this moment is in no share. A worker that misses it ends early, and the
// other thief does the work.
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

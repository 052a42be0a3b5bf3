package copymap

// Equal finds copies by their contents. It uses open addressing, and is at most two thirds full.
// An entry is 0 if it is empty; else its upper half is the copy's hash, and its lower half the
// copy's offset in granules, plus 1. The zero value is empty. One goroutine at a time.
type Equal struct {
	places []uint64
	n      int
}

// Find returns the offset of a copy that is the same as the one at offset at, whose hash is
// given. If there is none, it enters that one and returns at.
func (e *Equal) Find(hash, at uint32, same func(a, b uint32) bool) uint32 {
	if 3*(e.n+1) > 2*len(e.places) {
		e.grow()
	}
	mask := uint32(len(e.places) - 1)
	for i := hash & mask; ; i = (i + 1) & mask {
		switch p := e.places[i]; {
		case p == 0:
			e.places[i] = uint64(hash)<<32 | uint64(at+1)
			e.n++
			return at
		case uint32(p>>32) == hash && same(uint32(p)-1, at):
			return uint32(p) - 1
		}
	}
}

func (e *Equal) grow() {
	old := e.places
	e.places = make([]uint64, max(2*len(old), 1024))
	mask := uint32(len(e.places) - 1)
	for _, p := range old {
		if p == 0 {
			continue
		}
		i := uint32(p>>32) & mask
		for e.places[i] != 0 {
			i = (i + 1) & mask
		}
		e.places[i] = p
	}
}

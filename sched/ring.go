package sched

// ring is a queue in a circular slice. The length of the slice is a power of two.
//
//	n = items in it;  item i is at buf[(head+i) & (len(buf)-1)]
type ring[E any] struct {
	buf  []E
	head int
	n    int
}

const (
	ringMin  = 16
	ringKeep = 1 << 12 // an empty ring whose slice is longer drops it; a guess
)

// push adds e at the back.
func (r *ring[E]) push(e E) {
	if r.n == len(r.buf) {
		r.grow()
	}
	r.buf[(r.head+r.n)&(len(r.buf)-1)] = e
	r.n++
}

// pop removes and returns the front item. The ring must not be empty.
func (r *ring[E]) pop() E {
	var zero E
	at := &r.buf[r.head]
	e := *at
	*at = zero // drops what it points to
	r.head = (r.head + 1) & (len(r.buf) - 1)
	r.n--
	if r.n == 0 && len(r.buf) > ringKeep {
		r.buf, r.head = nil, 0
	}
	return e
}

// front returns the front item in place. The ring must not be empty.
func (r *ring[E]) front() *E { return &r.buf[r.head] }

// at returns item i in place, counted from the front. There must be one.
func (r *ring[E]) at(i int) *E { return &r.buf[(r.head+i)&(len(r.buf)-1)] }

func (r *ring[E]) grow() {
	buf := make([]E, max(ringMin, 2*len(r.buf)))
	k := copy(buf, r.buf[r.head:])
	copy(buf[k:], r.buf[:r.head])
	r.buf, r.head = buf, 0
}

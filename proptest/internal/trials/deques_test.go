package trials

import (
	"slices"

	"github.com/ichor-go/ichor/locks"
	"github.com/ichor-go/ichor/objects"
	"github.com/ichor-go/ichor/proptest/internal/property"
	rt "github.com/ichor-go/ichor/runtime"
)

// Types such as users write, right and with a bug each, for TestExploreDeques.

// Words of a deque's body. The items are in a ring of slots, in a block of their own.
const (
	wordLock = iota
	wordHead
	wordLen
	wordRoom
	wordBlock
	dequeWords
)

var dequeType = property.Must(rt.DefineType(rt.Type{
	Name: "explored deque", Mutable: true,
	Slots: func(h rt.Heap, o rt.Body) (rt.Body, int, int) {
		b := o.Ref(wordBlock)
		if b.IsNil() {
			return o, 0, 0
		}
		return h.Block(b), 0, int(o.Word(wordRoom))
	},
	Block: func(o rt.Body) rt.Ref { return o.Ref(wordBlock) },
}))

// deque is a kind of deque. Without locks, its threads race.
type deque struct{ locks bool }

func newDeque(t *rt.Thread) (rt.Ref, error) {
	r, _, err := t.New(dequeType, 4*dequeWords)
	return r, err
}

func (d deque) lock(t *rt.Thread, r rt.Ref) (o rt.Body, unlock func()) {
	o = t.Body(r)
	if !d.locks || !t.LockFree() {
		return o, func() {}
	}
	locks.Lock(o.Lock(wordLock))
	return o, func() { locks.Unlock(o.Lock(wordLock)) }
}

// push adds a number at the back, or at the front.
func (d deque) push(back bool) func(*rt.Thread, rt.Ref, int) (any, error) {
	return func(t *rt.Thread, r rt.Ref, number int) (any, error) {
		v, err := objects.NewInt(t, boxed+int64(number))
		if err != nil {
			return nil, err
		}
		o, unlock := d.lock(t, r)
		defer unlock()
		if err := grow(t, r, o); err != nil {
			t.DecRef(v)
			return nil, err
		}
		head, n, room := o.Word(wordHead), o.Word(wordLen), o.Word(wordRoom)
		at := (head + n) % room
		if !back {
			at = (head + room - 1) % room
			o.SetWord(wordHead, at)
		}
		t.Block(o.Ref(wordBlock)).StoreRef(int(at), v)
		o.SetWord(wordLen, n+1)
		return nil, nil
	}
}

// grow makes room for one more item.
func grow(t *rt.Thread, r rt.Ref, o rt.Body) error {
	n, room := o.Word(wordLen), o.Word(wordRoom)
	if n < room {
		return nil
	}
	bytes := t.BlockBytes(r, int(4*max(4, 2*room)))
	block, b, err := t.NewBlock(r, bytes)
	if err != nil {
		return err
	}
	old := o.Ref(wordBlock)
	for i := range n {
		b.SetRef(int(i), t.Block(old).LoadRef(int((o.Word(wordHead)+i)%room)))
	}
	o.SetWord(wordHead, 0)
	o.SetWord(wordRoom, uint32(bytes/4))
	o.SetRef(wordBlock, block)
	t.RetireBlock(old)
	return nil
}

func (d deque) popFront(t *rt.Thread, r rt.Ref, _ int) (any, error) {
	o, unlock := d.lock(t, r)
	defer unlock()
	n, head := o.Word(wordLen), o.Word(wordHead)
	if n == 0 {
		return none, nil
	}
	v := t.Block(o.Ref(wordBlock)).SwapRef(int(head), rt.Nil)
	o.SetWord(wordHead, (head+1)%o.Word(wordRoom))
	o.SetWord(wordLen, n-1)
	defer t.Retire(v)
	return numberOf(t, v), nil
}

func (d deque) get(t *rt.Thread, r rt.Ref, i int) (any, error) {
	o, unlock := d.lock(t, r)
	defer unlock()
	if i < 0 || i >= int(o.Word(wordLen)) {
		return none, nil
	}
	return numberOf(t, t.Block(o.Ref(wordBlock)).LoadRef((int(o.Word(wordHead))+i)%int(o.Word(wordRoom)))), nil
}

// last returns the last item in two steps: another thread may come between them.
func (d deque) last(t *rt.Thread, r rt.Ref, _ int) (any, error) {
	o, unlock := d.lock(t, r)
	n := int(o.Word(wordLen))
	unlock()
	return d.get(t, r, n-1)
}

// none is what operations return that find no item.
const none = -1

// numberOf returns the number in v, which it borrows.
func numberOf(t *rt.Thread, v rt.Ref) int {
	t.IncRef(v)
	defer t.DecRef(v)
	n, _ := objects.Int(v).Value(t)
	return int(n - boxed)
}

// subject returns the deque's operations. Only with twoSteps they have last among them.
func (d deque) subject(twoSteps bool) Subject[[]int] {
	item := func(m []int, i int) int {
		if i < 0 || i >= len(m) {
			return none
		}
		return m[i]
	}
	s := Subject[[]int]{New: newDeque, Ops: []Op[[]int]{
		{Name: "push back", Do: d.push(true), Writes: true, Linearizable: true,
			Model: func(m []int, n int) ([]int, any) { return append(slices.Clone(m), n), nil }},
		{Name: "push front", Do: d.push(false), Writes: true, Linearizable: true,
			Model: func(m []int, n int) ([]int, any) { return append([]int{n}, m...), nil }},
		{Name: "pop front", Do: d.popFront, Writes: true, Linearizable: true,
			Model: func(m []int, _ int) ([]int, any) { return slices.Clone(m[min(1, len(m)):]), item(m, 0) }},
		{Name: "get", Do: d.get, Linearizable: true,
			Model: func(m []int, n int) ([]int, any) { return m, item(m, n) }},
	}}
	if twoSteps {
		s.Ops = append(s.Ops, Op[[]int]{Name: "last", Do: d.last, Linearizable: true,
			Model: func(m []int, _ int) ([]int, any) { return m, item(m, len(m)-1) }})
	}
	return s
}

// matrixType has four slots, which readers read without a lock.
var matrixType = property.Must(rt.DefineType(rt.Type{
	Name: "explored matrix", Mutable: true,
	Slots: func(_ rt.Heap, o rt.Body) (rt.Body, int, int) { return o, 0, 4 },
}))

// matrix returns the operations of a matrix. giveUp gives up what a slot has held; anything but
// Retire is a bug.
func matrix(giveUp func(*rt.Thread, rt.Ref)) Subject[[4]int] {
	return Subject[[4]int]{
		New: func(t *rt.Thread) (rt.Ref, error) {
			r, _, err := t.New(matrixType, 4*4)
			return r, err
		},
		Ops: []Op[[4]int]{
			{Name: "set", Writes: true, Linearizable: true,
				Do: func(t *rt.Thread, r rt.Ref, n int) (any, error) {
					v, err := objects.NewInt(t, boxed+int64(n))
					if err == nil {
						giveUp(t, t.Body(r).SwapRef(n%4, v))
					}
					return nil, err
				},
				Model: func(m [4]int, n int) ([4]int, any) { m[n%4] = n; return m, nil }},
			{Name: "get", Linearizable: true,
				Do: func(t *rt.Thread, r rt.Ref, n int) (any, error) {
					v := t.Body(r).LoadRef(n % 4)
					if v.IsNil() {
						return 0, nil
					}
					return numberOf(t, v), nil
				},
				Model: func(m [4]int, n int) ([4]int, any) { return m, m[n%4] }},
		},
	}
}

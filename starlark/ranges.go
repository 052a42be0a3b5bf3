package starlark

import "fmt"

// Words of a range: four numbers of 64 bits. Immutable.
const (
	rangeStart = 0
	rangeStop  = 2
	rangeStep  = 4
	rangeLen   = 6
)

type rangeValue struct{ start, stop, step, len int }

func (th *Thread) newRange(start, stop, step int) (Value, error) {
	r, o, err := th.t.New(rangeType, 32)
	if err != nil {
		return 0, err
	}
	o.SetUint64(rangeStart, uint64(start))
	o.SetUint64(rangeStop, uint64(stop))
	o.SetUint64(rangeStep, uint64(step))
	o.SetUint64(rangeLen, uint64(lengthOfRange(start, stop, step)))
	return counted(r), nil
}

func (th *Thread) rangeOf(v Value) rangeValue {
	o := th.t.Body(v.ref())
	return rangeValue{int(o.Uint64(rangeStart)), int(o.Uint64(rangeStop)), int(o.Uint64(rangeStep)), int(o.Uint64(rangeLen))}
}

func lengthOfRange(start, stop, step int) int {
	switch {
	case step > 0 && stop > start:
		return int(uint(stop-1-start)/uint(step)) + 1
	case step < 0 && start > stop:
		return int(uint(start-1-stop)/uint(-step)) + 1
	}
	return 0
}

func (r rangeValue) String() string {
	switch {
	case r.step != 1:
		return fmt.Sprintf("range(%d, %d, %d)", r.start, r.stop, r.step)
	case r.start != 0:
		return fmt.Sprintf("range(%d, %d)", r.start, r.stop)
	}
	return fmt.Sprintf("range(%d)", r.stop)
}

func (r rangeValue) contains(x int) bool {
	delta := x - r.start
	quo, rem := delta/r.step, delta%r.step
	return rem == 0 && 0 <= quo && quo < r.len
}

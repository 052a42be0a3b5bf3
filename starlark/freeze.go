package starlark

import rt "github.com/ichor-go/ichor/runtime"

// Freeze freezes v and everything that it leads to: lists, dicts and sets cannot be changed
// any more. v is borrowed.
func (th *Thread) Freeze(v Value) {
	work := []Value{v.borrowed()}
	seen := map[rt.Handle]bool{}
	for len(work) > 0 {
		v := work[len(work)-1]
		work = work[:len(work)-1]
		if !v.isRef() || seen[v.ref().Handle] {
			continue
		}
		o := th.t.Body(v.ref())
		switch th.kind(v) {
		case kList:
			if th.setFrozen(o) {
				for i := range th.listLen(v) {
					work = append(work, th.listAt(v, i))
				}
			}
		case kDict, kSet:
			if th.setFrozen(o) {
				for i := 0; ; {
					k, x, next := th.tableNext(v, i)
					if k == 0 {
						break
					}
					i = next
					work = append(work, k, x)
				}
			}
		case kTuple:
			seen[v.ref().Handle] = true
			for i := range th.tupleLen(v) {
				work = append(work, th.tupleAt(v, i))
			}
		case kStruct, kModule:
			seen[v.ref().Handle] = true
			work = append(work, th.structHead(v))
			for i := range th.structLen(v) {
				work = append(work, th.structAt(v, i))
			}
		case kFunction:
			seen[v.ref().Handle] = true
			for i := range int(o.Word(funcLen)) {
				if r := o.Ref(funcSlots + i); !r.IsNil() {
					work = append(work, th.peek(r))
				}
			}
		case kCell:
			seen[v.ref().Handle] = true
			if r := o.LoadRef(cellSlot); !r.IsNil() {
				work = append(work, th.peek(r))
			}
		case kMethod:
			recv, _ := th.methodParts(v)
			work = append(work, recv)
		case kHost:
			seen[v.ref().Handle] = true
			if h, ok := th.host(v).(HostFreeze); ok {
				h.Freeze(th)
			}
		}
	}
}

// setFrozen sets the flag of a container, and reports whether it was not set.
func (th *Thread) setFrozen(o rt.Body) bool {
	th.lock(o)
	defer th.unlock(o)
	if o.Load(listFlags)&flagFrozen != 0 {
		return false
	}
	o.Store(listFlags, o.Load(listFlags)|flagFrozen)
	return true
}

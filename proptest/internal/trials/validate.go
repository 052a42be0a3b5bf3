package trials

import (
	"fmt"
	"reflect"

	rt "github.com/ichor-go/ichor/runtime"
)

// Validate makes one object of a subject and calls each operation on it, to find what no type of objects is to
// blame for: an observation of another type than the model's, a model that changes the state that it is given.
// Whatever else goes wrong, the programs find and shrink.
func Validate[M any](s Subject[M], o rt.Options) (wrong error) {
	x := newTrials(s, Config{Options: o})
	x.config.Options.Mode, x.config.Options.Counting, x.config.Options.Checked = rt.LockFree, rt.Atomic, false
	r, err := rt.New(x.config.Options)
	if err != nil {
		return err
	}
	t, err := r.Attach()
	if err != nil {
		return err
	}
	failed := new(trial[M]).attempt(func() {
		object, err := s.New(t)
		switch {
		case err != nil:
			wrong = fmt.Errorf("proptest: the subject's New: %w", err)
			return
		case object == rt.Nil:
			wrong = fmt.Errorf("proptest: the subject's New returns no object")
			return
		}
		wrong = x.validate(t, object)
		t.DecRef(object)
	})
	if failed != nil {
		return wrong // a thread that has panicked may hold locks
	}
	t.Detach()
	_ = r.Close() // the programs find leaks
	return wrong
}

func (x *trials[M]) validate(t *rt.Thread, object rt.Ref) error {
	if kind := t.TypeOf(object); x.Freezes && (kind == nil || kind.Freezing == nil) {
		return fmt.Errorf("proptest: the subject Freezes, and its type has no Freezing")
	}
	state := x.Model
	for _, op := range x.Ops {
		after, want := op.Model(state, 0)
		if again, _ := op.Model(state, 0); !reflect.DeepEqual(after, again) {
			return fmt.Errorf("proptest: the Model of operation %s returns %+v for a state, and then %+v: it changes the state, or states cannot be compared", op.Name, after, again)
		}
		if op.Derive != nil {
			if made, err := op.Derive(t, object, 0); err == nil {
				t.DecRef(made)
			}
			continue
		}
		seen, err := op.Do(t, object, 0)
		if err != nil {
			continue
		}
		if reflect.TypeOf(seen) != reflect.TypeOf(want) {
			return fmt.Errorf("proptest: operation %s returns %s, and its Model %s", op.Name, typed(seen), typed(want))
		}
		state = after
	}
	return nil
}

// typed returns a value with its type.
func typed(v any) string {
	if v == nil {
		return "nil"
	}
	return fmt.Sprintf("%v of type %T", v, v)
}

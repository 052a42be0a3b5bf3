package objects

import (
	"fmt"
	"slices"
	"sync"
	"unicode/utf8"

	"github.com/puzpuzpuz/xsync/v3"
	"go.uber.org/atomic"

	"github.com/ichor-go/ichor/internal/fault"
	rt "github.com/ichor-go/ichor/runtime"
)

// Words of a Record's body.
const (
	recordVersion = 0 // raised before and after each change
	recordSlots   = 1
)

// RecordType is a type that a user has defined by the names of its fields. Its objects are
// Records. Immutable.
type RecordType struct {
	*rt.Type
	fields []string
}

var (
	recordTypes = xsync.NewMapOf[string, *RecordType]()

	// recordsByID holds each record type at the index of its id. A definition replaces the
	// whole table, because records are read often and types are defined rarely.
	recordsByID     atomic.Pointer[[]*RecordType]
	recordsByIDLock sync.Mutex // held while a type is defined
)

// addRecordType adds y to recordsByID.
func addRecordType(y *RecordType) {
	recordsByIDLock.Lock()
	defer recordsByIDLock.Unlock()
	var old []*RecordType
	if p := recordsByID.Load(); p != nil {
		old = *p
	}
	table := make([]*RecordType, max(len(old), int(y.ID())+1))
	copy(table, old)
	table[y.ID()] = y
	recordsByID.Store(&table)
}

// recordTypeAt returns the record type with the given id, or nil.
func recordTypeAt(id rt.TypeID) *RecordType {
	if p := recordsByID.Load(); p != nil && int(id) < len(*p) {
		return (*p)[id]
	}
	return nil
}

// DefineRecord returns the type with the given name and fields. A second definition with
// the same name and fields returns the same type. Field names must be distinct, not empty,
// and valid UTF-8. Any goroutine.
func DefineRecord(name string, fields ...string) (*RecordType, error) {
	seen := map[string]bool{}
	for _, f := range fields {
		if f == "" {
			return nil, fault.Errorf("define record %s: a field has no name", name)
		}
		if seen[f] {
			return nil, fault.Errorf("define record %s: two fields have the name %q", name, f)
		}
		if !utf8.ValidString(f) {
			return nil, notUTF8(fmt.Sprintf("define record %s: field %q", name, f), f)
		}
		seen[f] = true
	}
	id := fmt.Sprintf("%q %q", name, fields) // quoted, so that no two definitions have the same id
	var err error
	y, _ := recordTypes.LoadOrTryCompute(id, func() (*RecordType, bool) {
		var y *RecordType
		y, err = defineRecord(name, fields)
		return y, err != nil
	})
	return y, err
}

func defineRecord(name string, fields []string) (*RecordType, error) {
	n := len(fields)
	y, err := rt.DefineType(rt.Type{
		Name:     name,
		Mutable:  true,
		Slots:    func(_ rt.Heap, o rt.Body) (rt.Body, int, int) { return o, recordSlots, n },
		Freezing: recordFreezing(fields),
	})
	if err != nil {
		return nil, err
	}
	rec := &RecordType{Type: y, fields: slices.Clone(fields)}
	addRecordType(rec)
	return rec, nil
}

// FieldError reports that a record has no field of the given number.
type FieldError struct {
	Type   string
	Field  int
	Fields int // how many the record has
}

func (e *FieldError) Error() string {
	return fmt.Sprintf("%s%s has no field %d: it has %d fields", fault.Prefix, e.Type, e.Field, e.Fields)
}

// Fields returns the names of the fields. Any goroutine.
func (y *RecordType) Fields() []string { return slices.Clone(y.fields) }

// Index returns the number of the field with the given name, or -1. Any goroutine.
func (y *RecordType) Index(field string) int { return slices.Index(y.fields, field) }

// Is reports whether r is a record of type y. r is borrowed. Attached thread.
func (y *RecordType) Is(t *rt.Thread, r rt.Ref) bool {
	_, ok := t.Object(r, y.ID())
	return ok
}

// New returns a new reference to a record with the given values, one for each field. The
// values are borrowed: the record takes counts of its own. The error is rt.ErrNilRef or
// rt.ErrMemoryLimit, or says that the number of values is wrong. Attached thread.
func (y *RecordType) New(t *rt.Thread, values ...rt.Ref) (Record, error) {
	if len(values) != len(y.fields) {
		return rt.Nil, fault.Errorf("new %s: %d values, want one for each of %d fields", y, len(values), len(y.fields))
	}
	for i, v := range values {
		t.MustUse(v)
		if v.IsNil() {
			return rt.Nil, fault.Errorf("new %s: field %s: %w", y, y.fields[i], rt.ErrNilRef)
		}
	}
	r, o, err := t.New(y.Type, 4*(recordSlots+len(values)))
	if err != nil {
		return rt.Nil, err
	}
	t.IncRefs(values)
	copy(o.Refs(recordSlots, len(values)), values)
	return r, nil
}

// Record is an object of a type that DefineRecord has returned. Its fields are numbered:
// see RecordType.Index. Each field can be replaced. The number of fields never changes. Its
// methods borrow it. Any number of attached threads may use one at the same time.
type Record rt.Ref

// Type returns the record's type, or nil if r is not a record. Attached thread.
func (r Record) Type(t *rt.Thread) *RecordType {
	if y := recordTypeAt(t.QuickKind(r)); y != nil {
		return y
	}
	return r.typeSlow(t)
}

// typeSlow is Type for references whose header alone does not tell the type.
func (r Record) typeSlow(t *rt.Thread) *RecordType {
	if y := t.TypeOf(r); y != nil {
		return recordTypeOf(y)
	}
	return nil
}

// At returns a borrowed reference to field i, and whether there is one. Wait-free. Attached
// thread.
func (r Record) At(t *rt.Thread, i int) (rt.Ref, bool) {
	y := recordTypeAt(t.QuickKind(r)) // Type, inlined by hand
	if y == nil {
		y = r.typeSlow(t)
	}
	if y == nil || uint(i) >= uint(len(y.fields)) {
		return rt.Nil, false
	}
	return t.Slot(r, t.Body(r), recordSlots+i), true
}

// Get returns a new reference to field i. The error is a *FieldError or a *rt.TypeError.
// Wait-free. Attached thread.
func (r Record) Get(t *rt.Thread, i int) (rt.Ref, error) {
	v, ok := r.At(t, i)
	if !ok {
		return rt.Nil, r.missing(t, i)
	}
	t.IncRef(v)
	return v, nil
}

// missing returns the error of a call that has not found field i.
func (r Record) missing(t *rt.Thread, i int) error {
	if y := r.Type(t); y != nil {
		return &FieldError{y.String(), i, len(y.fields)}
	}
	got := "nil reference"
	if y := t.TypeOf(r); y != nil {
		got = y.String()
	}
	return &rt.TypeError{Want: "record", Got: got}
}

// write checks that field i can be set to v, and returns the record's body.
func (r Record) write(t *rt.Thread, i int, v rt.Ref) (o rt.Body, err error) {
	y := r.Type(t)
	t.MustUse(v)
	switch {
	case y == nil || uint(i) >= uint(len(y.fields)):
		err = r.missing(t, i)
	case v.IsNil():
		err = fault.Errorf("set %s.%s: %w", y, y.fields[i], rt.ErrNilRef)
	case r.IsFrozen():
		err = t.FrozenError(r)
	default:
		o = t.Body(r)
	}
	return o, err
}

// Set replaces field i with v. It changes one slot, so it takes no lock. v is borrowed: the
// record takes a count of its own. The error is a *FieldError, a *rt.TypeError,
// rt.ErrNilRef or rt.ErrFrozen. Wait-free. Attached thread.
func (r Record) Set(t *rt.Thread, i int, v rt.Ref) error {
	o, err := r.write(t, i, v)
	if err != nil {
		return err
	}
	t.Retire(replaceField(t, o, i, v))
	return nil
}

// replaceField replaces field i of the record o, and returns the slot's own reference to
// the old value, which the caller retires.
func replaceField(t *rt.Thread, o rt.Body, i int, v rt.Ref) (old rt.Ref) {
	t.IncRef(v)
	o.Add(recordVersion, 1) // before and after, so that a concurrent copy by Freeze sees one of them
	old = o.SwapRef(recordSlots+i, v)
	o.Add(recordVersion, 1)
	return old
}

// Swap is like Set, and returns a new reference to the old value of the field. v is
// borrowed. Errors as for Set. Wait-free. Attached thread.
func (r Record) Swap(t *rt.Thread, i int, v rt.Ref) (rt.Ref, error) {
	o, err := r.write(t, i, v)
	if err != nil {
		return rt.Nil, err
	}
	old := replaceField(t, o, i, v)
	t.IncRef(old) // the slot's own count is retired: a reader may have loaded it
	t.Retire(old)
	return old, nil
}

// CompareAndSwap replaces field i with v if the field is old, and reports whether it did.
// It compares references, not values: see Cell.CompareAndSwap. The caller owns a reference
// to old, or has borrowed it since its last safe point. old and v are borrowed: the record
// takes a count of its own. Errors as for Set. Wait-free. Attached thread.
func (r Record) CompareAndSwap(t *rt.Thread, i int, old, v rt.Ref) (bool, error) {
	o, err := r.write(t, i, v)
	if err != nil {
		return false, err
	}
	t.MustUse(old)
	if old.IsNil() {
		return false, errNilOld("record")
	}
	if o.LoadRef(recordSlots+i) != old {
		return false, nil
	}
	t.IncRef(v) // before other threads can see v
	o.Add(recordVersion, 1)
	done := o.CAS(recordSlots+i, uint32(old.Handle), uint32(v.Handle))
	o.Add(recordVersion, 1)
	if done {
		t.Retire(old)
	} else {
		t.DecRef(v)
	}
	return done, nil
}

// recordTypeOf returns the record type that y belongs to, or nil.
func recordTypeOf(y *rt.Type) *RecordType { return recordTypeAt(y.ID()) }

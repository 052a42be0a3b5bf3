package objects

import (
	"fmt"
	"slices"
	"unicode/utf8"

	"github.com/puzpuzpuz/xsync/v3"

	"github.com/ichor-go/ichor/internal/fault"
	rt "github.com/ichor-go/ichor/runtime"
)

// Words of a Record's body.
const (
	recordVersion = 0 // raised before and after each change
	recordSlots   = 1
)

// RecordType is a type that a user defined by the names of its fields. Its objects are
// Records. Immutable.
type RecordType struct {
	*rt.Type
	fields []string
}

var (
	recordTypes = xsync.NewMapOf[string, *RecordType]()
	recordsByID = xsync.NewMapOf[rt.TypeID, *RecordType]()
)

// DefineRecord returns the type with this name and these fields. Defining it
// again returns the same type. Any goroutine.
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
	id := fmt.Sprintf("%q %q", name, fields) // quoted: no two definitions have the same
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
	recordsByID.Store(y.ID(), rec)
	return rec, nil
}

// FieldError says that a record has no field of that number.
type FieldError struct {
	Type   string
	Field  int
	Fields int // how many it has
}

func (e *FieldError) Error() string {
	return fmt.Sprintf("%s%s has no field %d: it has %d fields", fault.Prefix, e.Type, e.Field, e.Fields)
}

// Fields returns the names of the fields. Any goroutine.
func (y *RecordType) Fields() []string { return slices.Clone(y.fields) }

// Index returns the number of a field, or -1. Any goroutine.
func (y *RecordType) Index(field string) int { return slices.Index(y.fields, field) }

// New returns a new reference to a record with the values, one for each field. They are
// borrowed: the record takes counts of its own. Attached thread.
func (y *RecordType) New(t *rt.Thread, values ...rt.Ref) (rt.Ref, error) {
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

func (y *RecordType) open(t *rt.Thread, r rt.Ref, field int) (o rt.Body, err error) {
	o, ok := t.Object(r, y.ID())
	switch {
	case !ok:
		got := "nil reference"
		if x := t.TypeOf(r); x != nil {
			got = x.String()
		}
		err = &rt.TypeError{Want: y.String(), Got: got}
	case uint(field) >= uint(len(y.fields)):
		err = &FieldError{y.String(), field, len(y.fields)}
	}
	return o, err
}

// At returns a borrowed reference to a field of the record r, by the field's number, and
// whether there is one. r is borrowed. Wait-free. Attached thread.
func (y *RecordType) At(t *rt.Thread, r rt.Ref, field int) (rt.Ref, bool) {
	o, err := y.open(t, r, field)
	if err != nil {
		return rt.Nil, false
	}
	return t.Slot(r, o, recordSlots+field), true
}

// Get returns a new reference to a field of the record r, which it borrows. Wait-free.
// Attached thread.
func (y *RecordType) Get(t *rt.Thread, r rt.Ref, field int) (rt.Ref, error) {
	o, err := y.open(t, r, field)
	if err != nil {
		return rt.Nil, err
	}
	v := t.Slot(r, o, recordSlots+field)
	t.IncRef(v)
	return v, nil
}

// Set replaces a field of the record r. It changes one slot, so it takes no lock. r and v
// are borrowed: the record takes a count of its own. Attached thread.
func (y *RecordType) Set(t *rt.Thread, r rt.Ref, field int, v rt.Ref) error {
	o, err := y.open(t, r, field)
	if err != nil {
		return err
	}
	t.MustUse(v)
	if v.IsNil() {
		return fault.Errorf("set %s.%s: %w", y, y.fields[field], rt.ErrNilRef)
	}
	if r.IsFrozen() {
		return t.FrozenError(r)
	}
	t.IncRef(v)
	o.Add(recordVersion, 1) // before and after: who copies the record sees one of them
	old := o.SwapRef(recordSlots+field, v)
	o.Add(recordVersion, 1)
	t.Retire(old)
	return nil
}

// recordTypeOf returns the record type that y belongs to, or nil.
func recordTypeOf(y *rt.Type) *RecordType {
	r, _ := recordsByID.Load(y.ID())
	return r
}

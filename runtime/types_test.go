package runtime

import (
	"strings"
	"testing"

	"github.com/ichor-go/ichor/internal/arena"
	"github.com/ichor-go/ichor/internal/imagefile"
)

// TestDefineTypeRefuses checks that inconsistent types are refused, and that the error says
// why.
func TestDefineTypeRefuses(t *testing.T) {
	traverse := func(Heap, Body, func(Ref)) {}
	slots := func(_ Heap, o Body) (Body, int, int) { return o, 0, 0 }
	copies := func(*Copy) error { return nil }
	check := func(*Check) error { return nil }
	hash := func(Body) uint32 { return 1 }
	version := func(Heap, Body) uint64 { return 1 }
	code := func(*Thread, Ref) {}
	drop := func(*Thread, Ref, Body) {}
	long := strings.Repeat("x", imagefile.MaxTypeText)
	good := func(y Type) {
		t.Helper()
		if got, err := DefineType(y); err != nil || got.Name != y.Name || got.id < firstUserType || types.table[got.id].Load() != got {
			t.Errorf("%+v: %v", y, err)
		}
	}
	good(Type{Name: "good", Traverse: traverse})
	good(Type{Name: "good", Slots: slots, Mutable: true, Freezing: &Freezing{Copy: copies, Version: version, Hash: hash}})
	good(Type{Name: "good", Freezing: &Freezing{Layout: "taken", Copy: copies, Check: check}})
	good(Type{Name: "good", Freezing: &Freezing{Layout: long, Copy: copies, Check: check}})
	good(Type{Name: "another", Freezing: &Freezing{Layout: "taken", Copy: copies, Check: check}})
	for want, y := range map[string]Type{
		"no name":                              {},
		"it has Traverse and Slots":            {Traverse: traverse, Slots: slots},
		"has no Copy":                          {Freezing: &Freezing{}},
		"has no Version":                       {Mutable: true, Freezing: &Freezing{Copy: copies}},
		"a Hash, but the type has no":          {Freezing: &Freezing{Copy: copies, Hash: hash}},
		"a Layout but no Check":                {Freezing: &Freezing{Layout: "x", Copy: copies}},
		"Freezing and Finalize":                {Finalize: code, Freezing: &Freezing{Copy: copies}},
		"or Drop: frozen objects":              {Drop: drop, Freezing: &Freezing{Copy: copies}},
		"images take at most":                  {Freezing: &Freezing{Layout: long + "x", Copy: copies, Check: check}},
		"its name or layout has 1048577 bytes": {Name: long + "x", Freezing: &Freezing{Layout: "x", Copy: copies, Check: check}},
		"with the layout \"taken\"":            {Name: "good", Freezing: &Freezing{Layout: "taken", Copy: copies, Check: check}},
	} {
		if y.Name == "" && want != "no name" {
			y.Name = "bad"
		}
		next := types.next
		if got, err := DefineType(y); err == nil || got != nil {
			t.Errorf("defined, want an error with %q", want)
		} else {
			wantIn(t, err.Error(), "define type", want)
		}
		if types.next != next {
			t.Errorf("%s: a number is used up", want)
		}
	}
	next := types.next
	defer func() { types.next = next }()
	types.next = metaTypeMax
	if got, err := DefineType(Type{Name: "one too many"}); err == nil || got != nil {
		t.Error("there is room for any number of types")
	} else {
		wantIn(t, err.Error(), "65535 types are defined")
	}
}

// TestDefineBuiltinRefuses checks that a number that is taken or out of range is refused, and
// so is a float with more than its header.
func TestDefineBuiltinRefuses(t *testing.T) {
	for _, id := range []TypeID{0, TypeNone, firstUserType, firstUserType + 1, maxTypes - 1} {
		wantIn(t, panics(t, func() { defineBuiltin(id, Type{Name: "x"}, nil) }), "defined twice, or out of range")
	}
	float := types.table[TypeFloat].Swap(nil)
	defer types.table[TypeFloat].Store(float)
	for _, y := range []Type{
		{Traverse: func(Heap, Body, func(Ref)) {}}, {Block: func(Body) Ref { return Nil }}, {Finalize: func(*Thread, Ref) {}},
		{Forget: func(*Thread, Ref, Body) {}}, {Drop: func(*Thread, Ref, Body) {}},
	} {
		wantIn(t, panics(t, func() { defineBuiltin(TypeFloat, y, nil) }), "a float has no body")
		if types.table[TypeFloat].Load() != nil {
			t.Error("it is defined all the same")
		}
	}
	next := types.next
	if y := defineBuiltin(TypeFloat, Type{Name: "float"}, nil); y.id != TypeFloat || types.table[TypeFloat].Load() != y || types.next != next {
		t.Errorf("a float is of type %d, and the next one gets %d", y.id, types.next)
	}
	number := types.table[TypeNumber].Swap(nil)
	defer types.table[TypeNumber].Store(number)
	defineBuiltin(TypeNumber, Type{Name: "number", Drop: func(*Thread, Ref, Body) {}}, nil)
}

// TestTypesTellWhatTheyNeed checks that what a type's objects need at birth and at death
// follows from the type's functions, even if the type was made from another one.
func TestTypesTellWhatTheyNeed(t *testing.T) {
	bare, deaf := *nodeType, *watchType
	bare.Name, bare.Traverse = "bare", nil
	deaf.Name, deaf.Drop = "deaf", nil
	for _, c := range []struct {
		y       *Type
		meta    uint32
		purpose arena.Purpose
	}{
		{leafType, 0, arena.Leaves},
		{nodeType, metaRefs, arena.Containers},
		{rowType, metaRefs | metaSlots, arena.Containers},
		{boxType, metaRefs | metaBlock, arena.Containers},
		{finalType, metaRefs | metaDeath, arena.Containers},
		{watchType, metaRefs | metaDeath, arena.Containers},
		{must(DefineType(bare)), 0, arena.Leaves},
		{must(DefineType(deaf)), metaRefs, arena.Containers},
	} {
		if c.y.meta != uint32(c.y.id)|c.meta || c.y.purpose != c.purpose {
			t.Errorf("%s: meta word %#x, purpose %d; want %#x, %d", c.y, c.y.meta, c.y.purpose, uint32(c.y.id)|c.meta, c.purpose)
		}
	}
}

// TestFinalizedBodyIsItsOwn checks that the record of a finalizer's call lies behind the body,
// all of which belongs to the type.
func TestFinalizedBodyIsItsOwn(t *testing.T) {
	calls, bytes := 0, 0
	full := must(DefineType(Type{Name: "full", Finalize: func(th *Thread, r Ref) {
		calls++
		for i := range bytes / 4 {
			if w := th.Body(r).Word(i); w != 7 {
				t.Errorf("of %d bytes word %d is %#x", bytes, i, w)
			}
		}
		th.IncRef(r)
		th.DecRef(r)
	}}))
	forModes(t, func(t *testing.T, o Options) {
		clean(t, o, func(t *testing.T, th *Thread) {
			for bytes = 4; bytes <= 64; bytes += 4 {
				calls = 0
				x, o, err := th.New(full, bytes)
				must0(t, err)
				for i := range bytes / 4 {
					o.SetWord(i, 7)
				}
				th.DecRef(x)
				th.Checkpoint()
				th.Checkpoint()
				if calls != 1 {
					t.Errorf("of %d bytes: %d finalizers were called", bytes, calls)
				}
			}
		})
	})
}

// TestKinds asks for the kind of each sort of reference, in all ways.
func TestKinds(t *testing.T) {
	forModes(t, func(t *testing.T, o Options) {
		clean(t, o, func(t *testing.T, th *Thread) {
			x := newWide(th)
			f, err := th.Freeze(x)
			must0(t, err)
			float := newFloat(th, 1, 0)
			for _, c := range []struct {
				r    Ref
				kind TypeID
			}{
				{x, wideType.id}, {f.Root(), wideType.id}, {float, TypeFloat}, {None, TypeNone}, {must1(Int(1)), TypeInt}, {Nil, 0},
			} {
				y := types.table[c.kind].Load()
				if th.Kind(c.r) != c.kind || th.TypeOf(c.r) != y {
					t.Errorf("%s is a %s of kind %d, want %d", c.r, th.TypeOf(c.r), th.Kind(c.r), c.kind)
				}
				if c.r == Nil {
					continue
				}
				body, ok := th.Object(c.r, c.kind)
				if ok != !c.r.IsInt() || ok && body != th.Body(c.r) || !ok && !body.IsNil() {
					t.Errorf("%s is an object of its type: %t", c.r, ok)
				}
				if _, ok := th.Object(c.r, TypeTuple); ok {
					t.Errorf("%s is a tuple", c.r)
				}
				want := "ichor: want tuple, got " + y.Name
				if err := th.WantType(c.r, TypeTuple); err.Error() != want {
					t.Errorf("%v, want %s", err, want)
				}
			}
			if err := th.WantType(Nil, TypeTuple); err.Error() != "ichor: want tuple, got nil reference" {
				t.Error(err)
			}
			th.DecRefs([]Ref{x, float})
			must0(t, th.Unload(f))
		})
	})
}

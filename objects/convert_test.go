package objects

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	rt "github.com/ichor-go/ichor/runtime"
)

type goPoint struct {
	X    int            `json:"x"`
	Y    float64        `json:"y,omitempty"`
	Name string         `json:"name"`
	Raw  []byte         `json:"raw"`
	Next *goPoint       `json:"next"`
	More map[string]int `json:"more"`
	Any  any            `json:"any"`
	skip int
}

// TestFromGo converts values of each type, and converts the results back.
func TestFromGo(t *testing.T) {
	forAllModes(t, func(t *testing.T, o rt.Options) {
		clean(t, o, func(th *rt.Thread) {
			at := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
			for _, c := range []struct {
				v    any
				want string // as JSON
				back any    // if it is another value than v
			}{
				{nil, "null", nil},
				{true, "true", nil},
				{false, "false", nil},
				{int8(-3), "-3", int64(-3)}, {int16(-3), "-3", int64(-3)}, {int32(-3), "-3", int64(-3)}, {-3, "-3", int64(-3)},
				{int64(math.MinInt64), "-9223372036854775808", nil},
				{uint8(3), "3", int64(3)}, {uint16(3), "3", int64(3)}, {uint32(3), "3", int64(3)}, {uint(3), "3", int64(3)}, {uintptr(3), "3", int64(3)},
				{uint64(math.MaxInt64), "9223372036854775807", int64(math.MaxInt64)},
				{uint64(math.MaxUint64), "18446744073709551615", json.Number("18446744073709551615")},
				{float32(0.5), "0.5", 0.5}, {1.0, "1.0", nil}, {1e300, "1e+300", nil},
				{json.Number("1.50"), "1.50", 1.5}, {json.Number("1e999"), "1e999", nil}, {json.Number("7"), "7", int64(7)}, {json.Number(""), "0", int64(0)},
				{"", `""`, nil}, {"a ü \ufffd \\ufffd", `"a ü � \\ufffd"`, nil},
				{[]byte{}, `""`, nil}, {[]byte{1, 2}, `"AQI="`, nil},
				{[]any{}, "[]", nil}, {[]any{1.5, []any{"a"}, nil}, `[1.5,["a"],null]`, nil},
				{map[string]any{}, "{}", nil}, {map[string]any{"b": "x", "a": true, "": nil}, `{"":null,"a":true,"b":"x"}`, nil},
				{[]byte(nil), "null", noValue}, {[]any(nil), "null", noValue}, {map[string]any(nil), "null", noValue}, {(*int)(nil), "null", noValue},
				{[]string{"a", "b"}, `["a","b"]`, []any{"a", "b"}},
				{map[int]bool{2: true, 1: false}, `{"1":false,"2":true}`, map[string]any{"1": false, "2": true}},
				{[]float64{1, 1.5}, "[1,1.5]", []any{int64(1), 1.5}},
				{at, `"2026-01-02T03:04:05.000000006Z"`, "2026-01-02T03:04:05.000000006Z"},
				{json.RawMessage(`{"z":1,"a":2}`), `{"z":1,"a":2}`, map[string]any{"z": int64(1), "a": int64(2)}},
				{goPoint{X: 1, Name: "<\ufffd>", Raw: []byte{1}, skip: 2}, `{"x":1,"name":"<�>","raw":"AQ==","next":null,"more":null,"any":null}`,
					map[string]any{"x": int64(1), "name": "<\ufffd>", "raw": "AQ==", "next": nil, "more": nil, "any": nil}},
				{[]any{&goPoint{Y: 2}, map[string]any{"a": []int{1}}}, `[{"x":0,"y":2,"name":"","raw":null,"next":null,"more":null,"any":null},{"a":[1]}]`,
					[]any{map[string]any{"x": int64(0), "y": int64(2), "name": "", "raw": nil, "next": nil, "more": nil, "any": nil}, map[string]any{"a": []any{int64(1)}}}},
			} {
				r, err := FromGo(th, c.v)
				must0(t, err)
				if got := string(must(AppendJSON(th, nil, r))); got != c.want {
					t.Errorf("%#v became %s, want %s", c.v, got, c.want)
				}
				want := c.back
				if want == noValue {
					want = nil
				} else if want == nil {
					want = c.v
				}
				if got := must(ToGo[any](th, r)); !reflect.DeepEqual(got, want) {
					t.Errorf("%#v came back as %#v, want %#v", c.v, got, want)
				}
				audit(t, th, r)
				th.DecRef(r)
			}
			for _, v := range []float64{math.NaN(), math.Inf(1)} {
				r := must(FromGo(th, v))
				if got := must(ToGo[float64](th, r)); math.Float64bits(got) != math.Float64bits(v) {
					t.Errorf("%g came back as %g", v, got)
				}
				th.DecRef(r)
			}
		})
	})
}

// noValue stands for nil where nil stands for the value itself.
var noValue any = new(int)

// TestFromGoReferences: references of all kinds are taken as they are, and counted.
func TestFromGoReferences(t *testing.T) {
	type ownKind rt.Ref
	forAllModes(t, func(t *testing.T, o rt.Options) {
		clean(t, o, func(th *rt.Thread) {
			l, d, c := must(NewList(th)), must(NewDict(th)), must(NewCell(th, rt.None))
			r := must(FromGo(th, []any{l, map[string]any{"d": d}, rt.Ref(c), ownKind(l), rt.True, smallInt(3), []int{1}, Int(smallInt(4))}))
			items := List(r).Snapshot(th, nil)
			in, found := Dict(items[1]).LookupString(th, "d")
			if items[0] != rt.Ref(l) || !found || in != rt.Ref(d) || items[2] != rt.Ref(c) || items[3] != rt.Ref(l) || items[4] != rt.True || items[5] != smallInt(3) {
				t.Errorf("the objects in the list are others: %s", Format(th, r))
			}
			audit(t, th, append(items, l, d, c, r)...)
			th.DecRefs(append(items, l, d, c, r))
		})
	})
}

type badMarshaler struct{ panics bool }

func (b badMarshaler) MarshalJSON() ([]byte, error) {
	if b.panics {
		panic("marshal")
	}
	return nil, errors.New("no")
}

// waitingMarshaler waits until another thread has stopped the world.
type waitingMarshaler struct{ r *rt.Runtime }

func (w waitingMarshaler) MarshalJSON() ([]byte, error) {
	done := make(chan error)
	go func() { _, err := w.r.Collect(); done <- err }()
	return []byte("1"), <-done
}

func (w *waitingMarshaler) UnmarshalJSON([]byte) error {
	_, err := w.MarshalJSON()
	return err
}

// TestConvertErrors: an error names the cause and the path, and nothing is left behind.
func TestConvertErrors(t *testing.T) {
	loop, loopMap := []any{1, nil}, map[string]any{}
	loop[1] = map[string]any{"back": loop}
	loopMap["self me"] = loopMap
	type ring struct{ Next *ring }
	knot := &ring{}
	knot.Next = knot
	var deep any
	for range 10_001 {
		deep = []any{deep}
	}
	type withRef struct{ R rt.Ref }
	forAllModes(t, func(t *testing.T, o rt.Options) {
		clean(t, o, func(th *rt.Thread) {
			for want, v := range map[string]any{
				`ichor: convert root, of type chan int: json: unsupported type: chan int`:                                                             make(chan int),
				`ichor: convert root.a[1], of type func(): json: unsupported type: func()`:                                                            map[string]any{"a": []any{"text", func() {}}},
				`ichor: convert root[0], of type complex128: json: unsupported type: complex128`:                                                      []any{1i},
				`ichor: convert root["a b"], of type string: string: not valid UTF-8 at byte 0`:                                                       map[string]any{"a": 1, "a b": "\xff"},
				`ichor: convert root["\xff"], of type string: key: not valid UTF-8 at byte 0`:                                                         map[string]any{"\xff": 1},
				`ichor: convert root, of type []string: string: not valid UTF-8`:                                                                      []string{"\\", "a\xff"},
				`ichor: convert root[1], of type map[string]int: string: not valid UTF-8`:                                                             []any{2, map[string]int{"\xff": 1}},
				`ichor: convert root, of type json.Number: not a JSON number: "1x"`:                                                                   json.Number("1x"),
				`ichor: convert root[1].back, of type []interface {}: it contains itself`:                                                             loop,
				`ichor: convert root["self me"], of type map[string]interface {}: it contains itself`:                                                 loopMap,
				`ichor: convert root[0], of type objects.Dict: nil reference`:                                                                         []any{Dict(rt.Nil)},
				`ichor: convert root, of type []float64: json: unsupported value: NaN`:                                                                []float64{math.NaN()},
				`ichor: convert root, of type objects.badMarshaler: json: error calling MarshalJSON for type objects.badMarshaler: no`:                badMarshaler{},
				`ichor: convert root[0][0][0][0][0][0][0][0]...[0][0][0][0][0][0][0][0], of type []interface {}: it is more than 10000 levels deep`:   deep,
				`ichor: convert root, of type json.RawMessage: byte 8: expected a member name that is not yet in the object, found "a" a second time`: json.RawMessage(`{"a":1,"a":2}`),
			} {
				r, err := FromGo(th, v)
				var e *ConvertError
				if !r.IsNil() || !errors.As(err, &e) || err.Error() != want && !strings.Contains(want, "RawMessage") {
					t.Errorf("%s, %v\nwant %s", r, err, want)
				}
				audit(t, th)
			}
			for _, v := range []any{knot, withRef{rt.None}, []Dict{{}}, rt.None.Handle, map[string]List{"a": {}}} {
				if _, err := FromGo(th, v); err == nil {
					t.Errorf("%T was converted", v)
				}
			}
			if _, err := json.Marshal(withRef{rt.None}); err == nil {
				t.Error("a reference has JSON")
			}
			func() {
				defer func() { _ = recover() }()
				_, _ = FromGo(th, []any{"a string", badMarshaler{true}})
				t.Error("the panic was lost")
			}()
			audit(t, th)

			d, l, c := must(NewDict(th)), must(NewList(th)), must(NewCell(th, rt.None))
			a := must(NewString(th, "a"))
			ok(d.Set(th, a, l))
			ok(l.Append(th, c))
			nan := must(NewFloat(th, math.NaN()))
			y := must(DefineRecord("convert", "x"))
			rec := must(y.New(th, c))
			numbers := must(newDictSteal(th, []rt.Ref{smallInt(1), rt.None}))
			text, number := must(NewString(th, "text")), must(newNumber(th, []byte("1e999")))
			odd := must(NewBytes(th, []byte("bytes")))
			first := func(_ any, err error) error { return err }
			convert := []struct {
				got  error
				want string
			}{
				{first(ToGo[any](th, d)), "ichor: convert root.a[0], of type cell: it cannot become a Go value"},
				{first(ToGo[map[string][]int](th, d)), "ichor: convert root.a[0], of type cell: it cannot become a Go value"},
				{first(ToGo[any](th, rec)), "ichor: convert root.x, of type cell: it cannot become a Go value"},
				{first(ToGo[any](th, numbers)), "ichor: convert root, of type dict: the key 1 is not a string"},
				{first(ToGo[goPoint](th, numbers)), "ichor: convert root, of type dict: the key 1 is not a string"},
				{first(ToGo[any](th, rt.Nil)), "ichor: convert root, of type nil: nil reference"},
				{first(ToGo[int](th, rt.Nil)), "ichor: convert root, of type nil: nil reference"},
				{first(ToGo[float32](th, nan)), "ichor: convert root, of type float: not JSON: the float NaN"},
				{first(ToGo[int](th, rt.None)), "ichor: convert root, of type None: it cannot become a Go int"},
				{first(ToGo[string](th, rt.None)), "ichor: convert root, of type None: it cannot become a Go string"},
				{first(ToGo[goPoint](th, rt.None)), "ichor: convert root, of type None: it cannot become a Go objects.goPoint"},
				{first(ToGo[string](th, odd)), "ichor: convert root, of type bytes: it cannot become a Go string"},
				{first(ToGo[[]byte](th, text)), "ichor: convert root, of type string: it cannot become a Go []uint8"},
				{first(ToGo[int64](th, text)), "ichor: convert root, of type string: it cannot become a Go int64"},
				{first(ToGo[bool](th, smallInt(1))), "ichor: convert root, of type int: it cannot become a Go bool"},
				{first(ToGo[int64](th, number)), "ichor: convert root, of type number: it cannot become a Go int64"},
				{first(ToGo[float64](th, number)), "ichor: convert root, of type number: it cannot become a Go float64"},
				{first(ToGo[[]any](th, d)), "ichor: convert root.a[0], of type cell: it cannot become a Go value"},
				{first(ToGo[[]any](th, text)), "ichor: convert root, of type string: it cannot become a Go []interface {}"},
				{first(ToGo[int8](th, smallInt(300))), "ichor: convert root, of type int: json: cannot unmarshal number 300 into Go value of type int8"},
			}
			ok(l.Set(th, 0, d))
			convert = append(convert, []struct {
				got  error
				want string
			}{
				{first(ToGo[any](th, d)), "ichor: convert root.a[0], of type dict: it contains itself"},
				{first(ToGo[goPoint](th, d)), "ichor: convert root.a[0], of type dict: it contains itself"},
			}...)
			ok(d.Set(th, a, text))
			convert = append(convert, []struct {
				got  error
				want string
			}{
				{first(ToGo[goPoint](th, d)), `ichor: convert root, of type dict: json: unknown field "a"`},
				{first(ToGo[struct{ A int }](th, d)), "ichor: convert root, of type dict: json: cannot unmarshal string into Go struct field .a of type int"},
			}...)
			for _, c := range convert {
				if c.got == nil || c.got.Error() != c.want && !strings.Contains(c.want, "struct field") {
					t.Errorf("got  %v\nwant %s", c.got, c.want)
				}
			}
			ok(d.Set(th, a, rt.None))
			if got := must(ToGo[struct{ A any }](th, d)); got.A != nil {
				t.Errorf("%v", got)
			}
			if v, err := ToGo[struct{ A rt.Ref }](th, d); err == nil && v.A != rt.Nil {
				t.Error("a reference was made of JSON")
			}
			ok(d.Set(th, a, smallInt(1)))
			if _, err := ToGo[struct{ A rt.Ref }](th, d); err == nil {
				t.Error("a reference was made of JSON")
			}
			all := []rt.Ref{d, l, c, a, nan, rec, numbers, text, number, odd}
			audit(t, th, all...)
			th.DecRefs(all)
			th.Collect()
		})
		if o.Checked {
			return
		}
		o.MemoryLimit = 1 << 20
		clean(t, o, func(th *rt.Thread) {
			held := hog(t, th)
			for _, v := range []any{[]any{"a", strings.Repeat("x", 100_000)}, []string{strings.Repeat("x", 100_000)}, map[string]any{strings.Repeat("x", 100_000): 1}} {
				if _, err := FromGo(th, v); !errors.Is(err, rt.ErrMemoryLimit) || !strings.HasPrefix(err.Error(), "ichor: memory limit") {
					t.Errorf("got %v, want the memory limit", err)
				}
			}
			audit(t, th, held...)
			th.DecRefs(held)
		})
	})
}

// TestWayString: of a long path only the ends are shown.
func TestWayString(t *testing.T) {
	w := way{{"a", -1}}
	for i := range 17 {
		w = append(w, wayStep{i: i})
	}
	for n, want := range map[int]string{
		0:  "root",
		16: "root.a[0][1][2][3][4][5][6][7][8][9][10][11][12][13][14]",
		17: "root.a[0][1][2][3][4][5][6]...[8][9][10][11][12][13][14][15]",
		18: "root.a[0][1][2][3][4][5][6]...[9][10][11][12][13][14][15][16]",
	} {
		if got := w[:n].String(); got != want {
			t.Errorf("%d steps:\ngot  %s\nwant %s", n, got, want)
		}
	}
}

// TestToGo fills types other than any.
func TestToGo(t *testing.T) {
	forAllModes(t, func(t *testing.T, o rt.Options) {
		clean(t, o, func(th *rt.Thread) {
			v := goPoint{X: 1, Y: 1.5, Name: "n", Raw: []byte{1, 2}, Next: &goPoint{Name: "next"}, More: map[string]int{"m": 1}, Any: "any"}
			r := must(FromGo(th, v))
			if got := must(ToGo[goPoint](th, r)); !reflect.DeepEqual(got, v) {
				t.Errorf("got %+v, want %+v", got, v)
			}
			if got := must(ToGo[*goPoint](th, r)); !reflect.DeepEqual(*got, v) {
				t.Errorf("got %+v, want %+v", got, v)
			}
			th.DecRef(r)
			y := must(DefineRecord("to Go", "x", "y"))
			rec := must(y.New(th, smallInt(1), rt.True))
			if got := must(ToGo[any](th, rec)); !reflect.DeepEqual(got, map[string]any{"x": int64(1), "y": true}) {
				t.Errorf("%v", got)
			}
			f := must(th.Freeze(rec))
			if got := must(ToGo[map[string]any](th, f.Root())); !reflect.DeepEqual(got, map[string]any{"x": int64(1), "y": true}) {
				t.Errorf("%v", got)
			}
			must0(t, th.Unload(f))
			th.DecRef(rec)
			tuple := must(NewTuple(th, smallInt(1), smallInt(2)))
			if got := must(ToGo[[]int](th, tuple)); !reflect.DeepEqual(got, []int{1, 2}) {
				t.Errorf("%v", got)
			}
			if got := must(ToGo[[]any](th, tuple)); !reflect.DeepEqual(got, []any{int64(1), int64(2)}) {
				t.Errorf("%v", got)
			}
			shared := must(NewList(th, tuple, tuple)) // no cycle
			if got := must(ToGo[any](th, shared)); fmt.Sprint(got) != "[[1 2] [1 2]]" {
				t.Errorf("%v", got)
			}
			th.DecRefs([]rt.Ref{tuple, shared})
			if got := must(ToGo[float64](th, smallInt(7))); got != 7 {
				t.Errorf("%g", got)
			}
			for _, n := range []int64{1<<53 + 1, math.MaxInt64} {
				i := must(NewInt(th, n))
				if _, err := ToGo[float64](th, i); err == nil {
					t.Errorf("%d fits into a float64", n)
				}
				if got := must(ToGo[int64](th, i)); got != n {
					t.Errorf("%d", got)
				}
				d := must(newDictSteal(th, []rt.Ref{must(Intern(th, "A")), i}))
				if got := must(ToGo[struct{ A any }](th, d)); got.A != json.Number(fmt.Sprint(n)) {
					t.Errorf("%v", got)
				}
				th.DecRef(d)
			}
			if got := must(ToGo[json.Number](th, smallInt(7))); got != "7" {
				t.Error(got)
			}
			type name string
			s := must(NewString(th, "a name"))
			if got := must(ToGo[name](th, s)); got != "a name" {
				t.Error(got)
			}
			th.DecRef(s)
			for what, isNil := range map[string]bool{
				"any": must(ToGo[any](th, rt.None)) == nil, "[]byte": must(ToGo[[]byte](th, rt.None)) == nil, "[]any": must(ToGo[[]any](th, rt.None)) == nil,
				"map": must(ToGo[map[string]any](th, rt.None)) == nil, "pointer": must(ToGo[*int](th, rt.None)) == nil, "ints": must(ToGo[[]int](th, rt.None)) == nil,
			} {
				if !isNil {
					t.Errorf("None as %s is not nil", what)
				}
			}
			if got := must(ToGo[json.RawMessage](th, rt.None)); string(got) != "null" {
				t.Errorf("%s", got)
			}
		})
	})
}

// TestConvertWaits: user code runs outside the world.
func TestConvertWaits(t *testing.T) {
	forAllModes(t, func(t *testing.T, o rt.Options) {
		clean(t, o, func(th *rt.Thread) {
			r := must(FromGo(th, []any{"kept meanwhile", waitingMarshaler{th.Runtime()}}))
			n := must(NewInt(th, 1))
			v := waitingMarshaler{th.Runtime()}
			must0(t, toGo(th, n, &v))
			audit(t, th, r)
			th.DecRef(r)
		})
	})
}

// TestConvertModel converts random Go values to objects and back.
func TestConvertModel(t *testing.T) {
	withRuntime(t, rt.Options{}, func(r *rt.Runtime) {
		must0(t, r.Do(func(th *rt.Thread) error {
			rapid.Check(t, func(t *rapid.T) {
				v := drawGo(t, 3)
				r := must(FromGo(th, v))
				if back := must(ToGo[any](th, r)); !reflect.DeepEqual(back, v) {
					t.Fatalf("%#v came back as %#v", v, back)
				}
				again := must(FromGo(th, v))
				if !Equal(th, r, again) {
					t.Fatalf("%#v became two different objects", v)
				}
				th.DecRefs([]rt.Ref{r, again})
			})
			return nil
		}))
	})
}

func drawGo(t *rapid.T, depth int) any {
	kinds := 6
	if depth > 0 {
		kinds = 8
	}
	switch rapid.IntRange(0, kinds-1).Draw(t, "kind") {
	case 0:
		return nil
	case 1:
		return rapid.Bool().Draw(t, "bool")
	case 2:
		return rapid.Int64().Draw(t, "int")
	case 3:
		return rapid.Float64().Draw(t, "float")
	case 4:
		return rapid.String().Draw(t, "text")
	case 5:
		return append([]byte{}, rapid.SliceOfN(rapid.Byte(), 0, 5).Draw(t, "bytes")...)
	}
	n := rapid.IntRange(0, 3).Draw(t, "n")
	if rapid.Bool().Draw(t, "list") {
		list := []any{}
		for range n {
			list = append(list, drawGo(t, depth-1))
		}
		return list
	}
	m := map[string]any{}
	for range n {
		m[rapid.StringN(0, 3, -1).Draw(t, "name")] = drawGo(t, depth-1)
	}
	return m
}

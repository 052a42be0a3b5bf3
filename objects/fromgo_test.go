package objects

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/ichor-go/ichor/internal/jsonpos"
	rt "github.com/ichor-go/ichor/runtime"
)

// TestFromGoSiblings: a slice or map that several paths lead to is no cycle, and an error
// after it has the path to the value that cannot be converted.
func TestFromGoSiblings(t *testing.T) {
	clean(t, rt.Options{}, func(th *rt.Thread) {
		list, dict := []any{1}, map[string]any{"a": 1}
		r := must(FromGo(th, []any{list, dict, list, dict, map[string]any{"l": list, "d": dict}}))
		if got := Format(th, r); got != `[[1],{"a":1},[1],{"a":1},{"d":{"a":1},"l":[1]}]` {
			t.Errorf("%s", got)
		}
		th.DecRef(r)
		for want, v := range map[string]any{
			`ichor: convert root[2], of type complex128: json: unsupported type: complex128`:    []any{list, dict, 1i},
			`ichor: convert root.z, of type complex128: json: unsupported type: complex128`:     map[string]any{"a": list, "b": dict, "z": 1i},
			`ichor: convert root[1][1], of type complex128: json: unsupported type: complex128`: []any{list, []any{dict, 1i}},
		} {
			if _, err := FromGo(th, v); err == nil || err.Error() != want {
				t.Errorf("got  %v\nwant %s", err, want)
			}
		}
	})
}

// TestFromGoDepth: the deepest container may be empty or not.
func TestFromGoDepth(t *testing.T) {
	clean(t, rt.Options{}, func(th *rt.Thread) {
		for _, last := range []any{[]any{}, []any{1}, map[string]any{}} {
			v := last
			for range jsonpos.MaxDepth - 1 {
				v = []any{v}
			}
			th.DecRef(must(FromGo(th, v)))
			if _, err := FromGo(th, []any{v}); !errors.Is(err, errTooDeep) {
				t.Errorf("%v, one level too deep: %v", last, err)
			}
		}
	})
}

// TestFromGoTooLarge: the error of a container with too many items names its Go type, not
// that of its last item.
func TestFromGoTooLarge(t *testing.T) {
	defer func(items, entries int) { maxItems, maxEntries = items, entries }(maxItems, maxEntries)
	maxItems, maxEntries = 3, 2
	clean(t, rt.Options{}, func(th *rt.Thread) {
		for want, v := range map[string]any{
			"ichor: convert root[1], of type []interface {}: list of 4 items, want 0 to 3":           []any{1, []any{1, 2, 3, 4}},
			"ichor: convert root.m, of type map[string]interface {}: dict of 3 entries, want 0 to 2": map[string]any{"m": map[string]any{"a": 1, "b": 2, "c": 3}},
		} {
			if _, err := FromGo(th, v); err == nil || err.Error() != want {
				t.Errorf("got  %v\nwant %s", err, want)
			}
		}
	})
}

// TestFromGoBounds converts unsigned integers on both sides of the largest int64, and texts
// that look like an escape sequence.
func TestFromGoBounds(t *testing.T) {
	clean(t, rt.Options{}, func(th *rt.Thread) {
		for v, want := range map[uint64]any{1<<63 - 1: int64(math.MaxInt64), 1 << 63: json.Number("9223372036854775808")} {
			r := must(FromGo(th, v))
			if got := must(ToGo[any](th, r)); got != want {
				t.Errorf("%d became %v, of type %T", v, got, got)
			}
			th.DecRef(r)
		}
		for _, v := range []string{`\ufffd`, `\\ufffd`, `a\\\ufffd`, "\"ufffd", "\ufffd"} {
			r := must(FromGo(th, []string{v}))
			if got := must(ToGo[[]any](th, r)); got[0] != v {
				t.Errorf("%q became %q", v, got[0])
			}
			th.DecRef(r)
		}
		for _, v := range []string{"\\\xff", "\\\\\xff", "\"\xff", "\n\xff"} {
			if _, err := FromGo(th, []string{v}); !errors.Is(err, ErrNotUTF8) {
				t.Errorf("%q: %v", v, err)
			}
		}
	})
}

// TestFromGoWithoutMemory: no integer is lost if there is no memory for it.
func TestFromGoWithoutMemory(t *testing.T) {
	clean(t, rt.Options{MemoryLimit: 1 << 20}, func(th *rt.Thread) {
		held := hog(t, th)
		for {
			r, err := NewInt(th, bigBase)
			if err != nil {
				break
			}
			held = append(held, r)
		}
		for _, v := range []any{uint(math.MaxUint32), uint32(math.MaxUint32), uintptr(math.MaxUint32), uint64(bigBase), int64(bigBase)} {
			if r, err := FromGo(th, v); !errors.Is(err, rt.ErrMemoryLimit) || !r.IsNil() {
				t.Errorf("%T: %s, %v", v, r, err)
			}
		}
		th.DecRefs(held)
	})
}

// auditingMarshaler audits on another thread.
type auditingMarshaler struct{ r *rt.Runtime }

func (a auditingMarshaler) MarshalJSON() ([]byte, error) {
	err := a.r.Do(func(th *rt.Thread) error { return th.Audit() })
	return fmt.Appendf(nil, "%v", err == nil), err
}

// TestFromGoIsAudited: while user code runs, the audit knows the objects that the call has
// made.
func TestFromGoIsAudited(t *testing.T) {
	forAllModes(t, func(t *testing.T, o rt.Options) {
		clean(t, o, func(th *rt.Thread) {
			long := strings.Repeat("long", 10)
			r := must(FromGo(th, []any{long, map[string]any{"a": long, "b": auditingMarshaler{th.Runtime()}}}))
			audit(t, th, r)
			th.DecRef(r)
		})
	})
}

package objects

import (
	"math"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	rt "github.com/ichor-go/ichor/runtime"
)

// parse reads a document that must be valid.
func parse(t rapid.TB, th *rt.Thread, text string, opts ...JSONOptions) rt.Ref {
	t.Helper()
	r, err := FromJSON(th, strings.NewReader(text), opts...)
	must0(t, err)
	return r
}

// TestNumberLiterals: every number is written as it was read, and has the narrowest kind
// that can do so.
func TestNumberLiterals(t *testing.T) {
	const (
		i = rt.TypeInt
		f = rt.TypeFloat
		n = rt.TypeNumber
	)
	forModes(t, func(t *testing.T, o rt.Options) {
		clean(t, o, func(th *rt.Thread) {
			for literal, kind := range map[string]rt.TypeID{
				"0": i, "1": i, "-1": i, "268435455": i, "268435456": i, "-268435456": i, "-268435457": i,
				"9223372036854775807": i, "-9223372036854775808": i,
				"9223372036854775808": f, "-9223372036854775809": n, "123456789012345678901234567890": n,
				"-0": f, "-0.0": f, "0.0": f, "-0e0": f, "0e0": f, "0E+00": f, "1.0": f, "1.50": f, "1e5": f, "1E5": f, "1e+5": f,
				"1E+05": f, "1e05": f, "1e-05": f, "1e005": f, "1e0005": n, "1.50E-10": f, "100.00e2": n, "10e1": n, "0.1e1": n,
				"65.613616999999977": f, "0.1": f, "0.3": f, "0.1000000000000000055511151231257827021181583404541015625": f,
				"0.10000000000000001": f, "0.100000000000000001": n, "3.141592653589793238462643383279": n,
				"1e400": n, "-1e400": n, "1e-400": n, "5e-324": f, "4.9e-324": f, "4.9406564584124654e-324": f, "2e-324": n,
				"1.7976931348623157e308": f, "1.7976931348623157e+308": f, "1.7976931348623159e308": n,
				"1e23": f, "9.999999999999999e22": f, "123456789012345680000": n, "123456789012345680000.0": f, "100000000000000000000.0": f,
				"1." + strings.Repeat("0", 60): f, "1." + strings.Repeat("0", 61): n,
				"1e999": n, "1e99999999999999999999": n, "0e99999": n,
			} {
				r := parse(t, th, literal)
				if got := th.TypeOf(r).ID(); got != kind {
					t.Errorf("%s is of type %d, want %d", literal, got, kind)
				}
				if got, err := AppendJSON(th, nil, r); string(got) != literal || err != nil {
					t.Errorf("%s is written as %s, %v", literal, got, err)
				}
				want, _ := strconv.ParseFloat(literal, 64)
				if v, ok := Float(r).Value(th); ok && math.Float64bits(v) != math.Float64bits(want) {
					t.Errorf("%s became %v", literal, v)
				}
				th.DecRef(r)
			}
		})
	})
}

// TestFloatText pins down how floats are written that come from no document.
func TestFloatText(t *testing.T) {
	clean(t, rt.Options{}, func(th *rt.Thread) {
		for v, want := range map[float64]string{
			0: "0.0", 1: "1.0", -1.5: "-1.5", 1e-6: "0.000001", 1e-7: "1e-7", -1e-7: "-1e-7", 1e20: "100000000000000000000.0", 1e21: "1e+21",
			1.5e300: "1.5e+300", 5e-324: "5e-324", math.MaxFloat64: "1.7976931348623157e+308", 0.1: "0.1", 123456789012345680000: "123456789012345680000.0",
		} {
			r := must(NewFloat(th, v))
			if got := Format(th, r); got != want {
				t.Errorf("%v is written as %s, want %s", v, got, want)
			}
			th.DecRef(r)
		}
	})
}

// anyFloat draws from all finite bit patterns, and more often from numbers that people
// write.
func anyFloat() *rapid.Generator[float64] {
	return rapid.OneOf(
		rapid.Map(rapid.Uint64(), math.Float64frombits),
		rapid.Map(rapid.Int64(), func(v int64) float64 { return float64(v) }),
		rapid.Map(rapid.Int64Range(-1e9, 1e9), func(v int64) float64 { return float64(v) / 1e4 }),
		rapid.Float64(),
	).Filter(func(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) })
}

func TestFloatRoundTrip(t *testing.T) {
	forModes(t, func(t *testing.T, o rt.Options) {
		o.AddressSpace = smallSpace
		rapid.Check(t, func(t *rapid.T) {
			vs := rapid.SliceOfN(anyFloat(), 1, 50).Draw(t, "floats")
			clean(t, o, func(th *rt.Thread) {
				for _, v := range vs {
					r := must(NewFloat(th, v))
					text := must(AppendJSON(th, nil, r))
					back := parse(t, th, string(text))
					if got, ok := Float(back).Value(th); !ok || math.Float64bits(got) != math.Float64bits(v) {
						t.Logf("%s", text)
						t.Fatalf("a float does not survive its text")
					}
					if again := must(AppendJSON(th, nil, back)); string(again) != string(text) {
						t.Fatalf("a float's text changes")
					}
					th.DecRefs([]rt.Ref{r, back})
				}
			})
		})
	})
}

// TestLiteralRoundTrip: every literal of the grammar is written as it was read.
func TestLiteralRoundTrip(t *testing.T) {
	literal := rapid.StringMatching(`-?(0|[1-9][0-9]{0,25})(\.[0-9]{1,25})?([eE][+-]?[0-9]{1,4})?`)
	forModes(t, func(t *testing.T, o rt.Options) {
		o.AddressSpace = smallSpace
		rapid.Check(t, func(t *rapid.T) {
			texts := rapid.SliceOfN(literal, 1, 30).Draw(t, "literals")
			clean(t, o, func(th *rt.Thread) {
				doc := "[" + strings.Join(texts, ",") + "]"
				r := parse(t, th, doc)
				if got := must(AppendJSON(th, nil, r)); string(got) != doc {
					t.Fatalf("a number is not written as it was read")
				}
				th.DecRef(r)
			})
		})
	})
}

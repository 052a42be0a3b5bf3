package objects

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"testing"

	rt "github.com/ichor-go/ichor/runtime"
)

// decimalText is m / 10^p in digits.
func decimalText(m uint64, p int) string {
	s := fmt.Sprintf("%0*d", p+1, m)
	if p == 0 {
		return s
	}
	return s[:len(s)-p] + "." + s[len(s)-p:]
}

// TestDecimals compares the conversions between decimals and floats with package strconv.
func TestDecimals(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	read := func(m uint64, p int) {
		text := decimalText(m, p)
		if got := string(appendDecimal([]byte("x"), false, m, p)); got != "x"+text {
			t.Fatalf("%d / 10^%d is written as %s", m, p, got)
		}
		want, err := strconv.ParseFloat(text, 64)
		if got := decimalFloat(m, p); got != want || err != nil {
			t.Fatalf("%s is read as %v, want %v", text, got, want)
		}
	}
	refused := 0
	write := func(v float64, p int) {
		m, ok := floatDecimal(v, p)
		want := strconv.FormatFloat(v, 'f', p, 64)
		if !ok {
			if near := math.Abs(v) > 1e-18 && math.Abs(v)*math.Pow10(p) < 1e18; near && p <= maxPlaces && v != math.Trunc(v) {
				t.Fatalf("%v is not written with %d places", v, p)
			}
			refused++
			return
		}
		if got := string(appendDecimal(nil, math.Signbit(v), m, p)); got != want {
			t.Fatalf("%v with %d places is written as %s, want %s", v, p, got, want)
		}
	}
	for p := range maxPlaces + 1 {
		for _, m := range []uint64{0, 1, 9, 10, 1<<53 - 1, 1 << 53, 1<<53 + 1, 1<<53 + 2, 1<<53 + 3, 1<<54 + 2, 1<<54 + 6, 1<<63 - 1, 1 << 63, 1<<63 + 1<<10, 1<<63 + 3<<10, 1<<63 + 1<<10 + 1, 1e19 - 1, 1e19, 12345678, 1e8 - 1, 1e8, 1e16 - 1, 1e16} {
			read(m, p)
			if hi := m / powers10[p]; hi > 0 { // an integer, written with places
				read(hi*powers10[p], p)
			}
		}
		for k := range 200 { // numbers with few bits, some of them half-way between two decimals
			for _, m := range []float64{1, 3, 5, 7, 1<<53 - 1, 1<<52 + 1} {
				write(math.Ldexp(m, 60-k), p)
				write(-math.Ldexp(m, 60-k), p)
			}
		}
		for _, v := range []float64{0, math.Copysign(0, -1), math.SmallestNonzeroFloat64, math.MaxFloat64, 0.5, 0.25, 0.99999999999999999, 9.5, 1e19, 9.999999999999999e18, 1e18 + 128} {
			write(v, p)
		}
	}
	for range scaled(200_000) {
		m, p := rng.Uint64()>>rng.IntN(64), rng.IntN(maxPlaces+1)
		read(min(m, 1e19), p)
		v := math.Float64frombits(rng.Uint64())
		if rng.IntN(4) > 0 {
			v = float64(m) / math.Pow10(rng.IntN(25))
		}
		if !math.IsNaN(v) && !math.IsInf(v, 0) {
			write(v, p)
		}
	}
	for _, p := range []int{maxPlaces + 1, maxDigits, 255} {
		if _, ok := floatDecimal(0, p); ok {
			t.Errorf("%d places", p)
		}
	}
	if refused == 0 {
		t.Error("no number was refused")
	}
}

// TestEightDigits tries all groups that differ from others in the steps of the division.
func TestEightDigits(t *testing.T) {
	for a := range uint64(10_000) {
		for _, v := range []uint64{a, a * 10_000, a*10_000 + 9_999 - a, 99_990_000 + a} {
			w := eightDigits(v)
			var got [8]byte
			for i := range got {
				got[i] = byte(w >> (8 * i))
			}
			if want := fmt.Sprintf("%08d", v); string(got[:]) != want {
				t.Fatalf("got %s, want %s", got, want)
			}
		}
	}
}

// TestNumberReference: a number in a document becomes the same object as newFromLiteral makes
// of its literal.
func TestNumberReference(t *testing.T) {
	clean(t, rt.Options{}, func(th *rt.Thread) {
		seed := rand.Uint64()
		t.Logf("seed %d", seed)
		rng := rand.New(rand.NewPCG(seed, 0))
		same := func(literal string) {
			r, want := parse(t, th, literal), must(newFromLiteral(th, []byte(literal)))
			v, f, isFloat := th.Float(r)
			w, g, _ := th.Float(want)
			if th.Kind(r) != th.Kind(want) || !sameKey(th, r, want) || isFloat && (math.Float64bits(v) != math.Float64bits(w) || f != g) {
				t.Errorf("%s becomes %s %s, want %s %s", literal, th.TypeOf(r), Format(th, r), th.TypeOf(want), Format(th, want))
			}
			th.DecRefs([]rt.Ref{r, want})
		}
		for _, s := range []string{
			"0", "-0", "10", "9223372036854775807", "9223372036854775808", "-9223372036854775807", "-9223372036854775808", "-9223372036854775809",
			"9999999999999999999", "10000000000000000000", "18446744073709551616", "18446744073709551617", "36893488147419103233",
			"0.0", "-0.0", "0.00", "-0.5", "0.1", "1.0", "0.0000000000000000001", "0.00000000000000000001", "0.0000000000000000000",
			"9.999999999999999999", "99.99999999999999999", "0.9999999999999999999", "0.10000000000000001", "0.100000000000000001",
			"0.0011363636363636363", "0.00011363636363636363", "-65.613616999999977", "65.6136169999999771", "1e5", "1.5e5", "0e0", "1E400",
			"1844674407370955161.7", "18446744073709551617.5", "123456789012345678.5", "4503599627370497.5", "9007199254740993.0",
		} {
			same(s)
		}
		for range scaled(20_000) {
			s := strconv.FormatUint(rng.Uint64()>>rng.IntN(64), 10)
			if rng.IntN(2) == 0 {
				s = "0"
			}
			if n := rng.IntN(22); n > 0 {
				fraction := fmt.Sprintf("%0*d", n, rng.Uint64()>>rng.IntN(64))
				s += "." + fraction[:n]
			}
			same([]string{"", "-"}[rng.IntN(2)] + s)
		}
	})
}

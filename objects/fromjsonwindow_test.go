package objects

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	rt "github.com/ichor-go/ichor/runtime"
)

// TestFromJSONLongTokens reads tokens and white space that are longer than the window, in
// pieces of any size.
func TestFromJSONLongTokens(t *testing.T) {
	oneGoroutine(t)
	const long = 3 * readSize / 2
	clean(t, rt.Options{}, func(th *rt.Thread) {
		texts := map[string]string{
			"string":  `["a","` + strings.Repeat("x", long) + `","b"]`,
			"escapes": `["` + strings.Repeat(`\ud83d\ude00\n\u00e9`, long/20) + `"]`,
			"utf8":    `["` + strings.Repeat("é😀", long/6) + `"]`,
			"number":  `[` + strings.Repeat("1234567890", long/10) + `,1]`,
			"float":   `[0.` + strings.Repeat("1234567890", long/10) + `]`,
			"spaces":  "[" + strings.Repeat(" ", long) + "1" + strings.Repeat("\n", long) + "]" + strings.Repeat(" ", long),
			"name":    `{"` + strings.Repeat("n", long) + `":1,"b":2}`,
			"members": `{"n":1` + strings.Repeat(`,"`+strings.Repeat("m", 100)+`%d":12345678901`, 1) + `}`,
		}
		for name, text := range texts {
			want := normal(t, []byte(text))
			for _, n := range []int{7, 1000, readSize - 1, readSize, 10 * long} {
				r, err := FromJSON(th, &chunks{text: text, n: n})
				if err != nil {
					t.Fatalf("%s, %d at a time: %v", name, n, err)
				}
				if got := must(AppendJSON(th, nil, r)); !bytes.Equal(got, want) {
					t.Errorf("%s, %d at a time: another text", name, n)
				}
				th.DecRef(r)
			}
		}
	})
}

// TestFromJSONFaultBehindWindow: the place of a fault counts from the beginning of the text,
// not of the window.
func TestFromJSONFaultBehindWindow(t *testing.T) {
	clean(t, rt.Options{}, func(th *rt.Thread) {
		text := "[" + strings.Repeat("12345,", readSize)
		for more, want := range map[string]string{
			"]":                "expected an array element after ',', found ']'",
			`{"a":1,"a"`:       "expected a member name that is new in its object, found \"a\" again",
			"[[[[[[[[[[":       "expected a nesting depth of at most 10, found one more",
			"\"\\x":            `expected one of "\/bfnrtu after a backslash, found 'x'`,
			"":                 "expected an array element after ',', found end of file",
			"1" + "x":          "expected ',' or ']' after an array element, found 'x'",
			"1.5" + " " + "tr": "expected ',' or ']' after an array element, found 't'",
		} {
			at := map[string]int{`{"a":1,"a"`: 7, "[[[[[[[[[[": 9, "\"\\x": 2, "1x": 1, "1.5 tr": 4}[more]
			_, err := FromJSON(th, strings.NewReader(text+more), JSONOptions{MaxDepth: 10})
			if want := fmt.Sprintf("ichor: JSON: byte %d: %s", len(text)+at, want); err == nil || err.Error() != want {
				t.Errorf("got  %v\nwant %s", err, want)
			}
		}
	})
}

// TestScan compares the functions that look at eight bytes at once with loops over bytes.
func TestScan(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	check := func(text []byte) {
		for i := range len(text) + 1 {
			j, high := i, false
			for j < len(text) && text[j] >= ' ' && text[j] != '"' && text[j] != '\\' {
				high = high || text[j] >= 0x80
				j++
			}
			if got, seen := plainEnd(text, i); got != j || high && seen&topBits == 0 {
				t.Fatalf("%q from %d: plain up to %d, want %d; seen %x", text, i, got, j, seen)
			}
			end := spacesEnd(text, i)
			if strings.Trim(string(text[i:end]), " ") != "" || i+8 <= len(text) && end == i && text[i] == ' ' {
				t.Fatalf("%q from %d: spaces up to %d", text, i, end)
			}
		}
	}
	for b := range 256 { // each byte at each place, among bytes that differ little from it
		for at := range 17 {
			for _, other := range []byte{' ', '!', '"' + 1, '\\' - 1, '\\' + 1, 0x7f, 0x80, 0xff, 'x', byte(b) + 1, byte(b) - 1} {
				text := bytes.Repeat([]byte{other}, 17)
				text[at] = byte(b)
				check(text)
			}
		}
	}
	for range 2000 {
		text := make([]byte, rng.IntN(40))
		for i := range text {
			text[i] = []byte{byte(rng.Uint32()), ' ', 'a', 0xc3}[rng.IntN(4)]
		}
		check(text)
	}
	if _, seen := plainEnd([]byte("only ASCII, and more than eight bytes of it"), 0); seen&topBits != 0 {
		t.Error("an ASCII text has to be looked at again")
	}
}

package objects

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/ichor-go/ichor/internal/jsonpos"
	rt "github.com/ichor-go/ichor/runtime"
)

// referenceJSON reads a text with package jsontext, whose decoder is the reference for the
// texts that FromJSON accepts, and for the places and words of its errors.
func referenceJSON(text []byte, maxDepth int) *JSONError {
	dec := jsontext.NewDecoder(bytes.NewBuffer(text))
	fault := func(err error) *JSONError {
		f := jsonpos.Describe(dec, err)
		e := &JSONError{Byte: f.Offset, Expected: f.Expected, Found: f.Found}
		if err == io.EOF {
			e.Err = err
		}
		return e
	}
	for {
		_, n := dec.StackIndex(0)
		if dec.StackDepth() == 0 && n > 0 {
			break
		}
		if dec.PeekKind() == '[' || dec.PeekKind() == '{' {
			if _, err := dec.ReadToken(); err != nil {
				return fault(err)
			}
			if dec.StackDepth() > maxDepth {
				return &JSONError{Byte: dec.InputOffset() - 1, Expected: fmt.Sprintf("a nesting depth of at most %d", maxDepth), Found: "one more"}
			}
			continue
		}
		if _, err := dec.ReadToken(); err != nil {
			return fault(err)
		}
	}
	if dec.PeekKind() != jsontext.KindInvalid {
		return fault(nil)
	}
	if _, err := dec.ReadToken(); err != io.EOF {
		return fault(err)
	}
	return nil
}

// sameAsReference reads the text at once and in small pieces, and compares what FromJSON says
// with the reference. In pieces, the end of one may hide the rest of the character that is
// found instead of the expected one.
func sameAsReference(t testing.TB, th *rt.Thread, text []byte, maxDepth int) {
	t.Helper()
	want := referenceJSON(text, maxDepth)
	for _, n := range []int{0, 1, 3} {
		var r io.Reader = bytes.NewReader(text)
		if n > 0 {
			r = &chunks{text: string(text), n: n}
		}
		x, err := FromJSON(th, r, JSONOptions{MaxDepth: maxDepth})
		if err == nil {
			th.DecRef(x)
		}
		if (err == nil) != (want == nil) {
			t.Errorf("%q, %d at a time:\ngot  %v\nwant %v", text, n, err, want)
			continue
		}
		var got *JSONError
		if err == nil || !errors.As(err, &got) {
			continue
		}
		if n > 0 {
			got.Found = want.Found
		}
		if *got != *want {
			t.Errorf("%q, %d at a time:\ngot  %v (%v)\nwant %v (%v)", text, n, got, got.Err, want, want.Err)
		}
	}
}

// jsonSeeds are texts with everything that the grammar has.
var jsonSeeds = []string{
	`{"a":[1,-0,1.50,1e400,-2.5E+10,0.001,12345678901234567890],"b":{"c":true,"d":false,"e":null}}`,
	`["\ud83d\ude00\u00e9\"\\\/\b\f\n\r\t","é😀` + "\u2028" + `",{"":{"":[]}},"` + strings.Repeat("x", 20) + `"]`,
	"[\r\n\t {  } ,\n                    [ ]\n                 ]  ",
	`{"id":1,"sub":{"id":2,"sub":{"id":3,"x":0},"x":0},"x":{"id":4},"y":[{"id":5},{"id":6,"sub":1}]}`,
	`[[[[[[[[{"a":[[[]]]}]]]]]]]]`,
	`-9223372036854775808`, `"abc"`, ` true `, `0.1e-1`,
}

// TestFromJSONReference changes valid texts at random. FromJSON says the same about the result
// as the reference.
func TestFromJSONReference(t *testing.T) {
	clean(t, rt.Options{}, func(th *rt.Thread) {
		for text := range bad {
			sameAsReference(t, th, []byte(text), 10)
		}
		seed := rand.Uint64()
		t.Logf("seed %d", seed)
		rng := rand.New(rand.NewPCG(seed, 0))
		const bytes = "{}[],:\"\\ \n0123456789-+.eEtruefalsn/bu\x00\x1f\x7f\x80\xc3\xa9\xed\xa0\xff"
		for range scaled(20_000) {
			text := []byte(jsonSeeds[rng.IntN(len(jsonSeeds))])
			for range 1 + rng.IntN(3) {
				i := rng.IntN(len(text) + 1)
				j := min(i+rng.IntN(3), len(text))
				var piece []byte
				for range rng.IntN(3) {
					piece = append(piece, bytes[rng.IntN(len(bytes))])
				}
				if from := rng.IntN(len(text) + 1); rng.IntN(4) == 0 {
					piece = text[from:min(from+10, len(text))]
				}
				text = append(append(append([]byte{}, text[:i]...), piece...), text[j:]...)
			}
			sameAsReference(t, th, text, 10)
		}
	})
}

// FuzzFromJSONReference compares FromJSON with the reference.
func FuzzFromJSONReference(f *testing.F) {
	for text := range bad {
		f.Add([]byte(text))
	}
	for _, text := range jsonSeeds {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		clean(t, rt.Options{AddressSpace: smallSpace}, func(th *rt.Thread) { sameAsReference(t, th, text, 10) })
	})
}

// TestFromJSONEnds: a text that ends early, whose reader fails, or whose reader says in its own
// words that it has ended, gets the error that the decoder's callers got.
func TestFromJSONEnds(t *testing.T) {
	clean(t, rt.Options{}, func(th *rt.Thread) {
		broken := errors.New("broken\nwire")
		over := fmt.Errorf("over: %w", io.EOF)
		for _, c := range []struct {
			text string
			err  error
			want string
			is   error
		}{
			{``, io.EOF, "byte 0: expected a JSON value, found end of file", io.EOF},
			{`  `, io.EOF, "byte 2: expected a JSON value, found end of file", io.EOF},
			{`tr`, io.EOF, "byte 2: expected 'u' of true, found end of file", nil},
			{`[`, io.EOF, "byte 1: expected an array element or ']', found end of file", nil},
			{`[`, io.ErrUnexpectedEOF, "byte 1: expected an array element or ']', found end of file", io.ErrUnexpectedEOF},
			{`[`, over, "byte 1: expected an array element or ']', found end of file", over},
			{`[12`, over, "byte 3: expected ',' or ']' after an array element, found end of file", over},
			{`[1] `, over, "byte 4: expected end of file, found end of file", over},
			{``, broken, "byte 0: expected more text, found broken wire", broken},
			{`  `, broken, "byte 2: expected more text, found broken wire", broken},
			{`[12`, broken, "byte 3: expected more text, found broken wire", broken},
			{`12`, broken, "byte 2: expected more text, found broken wire", broken},
			{`1.`, broken, "byte 2: expected more text, found broken wire", broken},
			{`"ab`, broken, "byte 3: expected more text, found broken wire", broken},
			{`"\u12`, broken, "byte 5: expected more text, found broken wire", broken},
			{"\"\xc3", broken, "byte 2: expected more text, found broken wire", broken},
			{`{"a" `, broken, "byte 5: expected more text, found broken wire", broken},
			{`{"a":1,`, broken, "byte 7: expected more text, found broken wire", broken},
			{`[1] `, broken, "byte 4: expected more text, found broken wire", broken},
			{`[x`, broken, "byte 1: expected an array element or ']', found 'x'", nil},
			{`[1x`, broken, "byte 2: expected ',' or ']' after an array element, found 'x'", nil},
			{"\"\xff ", broken, "byte 1: expected UTF-8 in a string, found 0xff", nil},
			{`"\ud800x`, broken, `byte 7: expected a low surrogate, \uDC00 to \uDFFF, found 'x'`, nil},
			{`[1] x`, broken, "byte 4: expected end of file, found 'x'", nil},
		} {
			for _, n := range []int{1, 100} {
				_, err := FromJSON(th, faultyReader{&chunks{text: c.text, n: n}, func() (int, error) { return 0, c.err }})
				var e *JSONError
				if !errors.As(err, &e) || err.Error() != "ichor: JSON: "+c.want || e.Err != c.is {
					t.Errorf("%q, then %v:\ngot  %v (%v)\nwant %s (%v)", c.text, c.err, err, errors.Unwrap(err), c.want, c.is)
				}
			}
		}
		_, err := FromJSON(th, strings.NewReader(`["abcdefgh",  `+strings.Repeat("1,", 100)), JSONOptions{MaxBytes: 20})
		if want := "ichor: JSON: byte 0: expected a text of fewer bytes, see JSONOptions.MaxBytes, found more"; err == nil || err.Error() != want || !errors.Is(err, errTooLarge) {
			t.Errorf("got  %v\nwant %s", err, want)
		}
	})
}

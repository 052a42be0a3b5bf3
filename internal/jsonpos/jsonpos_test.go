package jsonpos

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/go-json-experiment/json/jsontext"
)

func TestDescribe(t *testing.T) {
	for text, want := range map[string]string{
		``:                       `byte 0: expected a JSON value, found end of file`,
		"  \n":                   `byte 3: expected a JSON value, found end of file`,
		`hello`:                  `byte 0: expected a JSON value, found 'h'`,
		`é`:                      `byte 0: expected a JSON value, found 'é'`,
		"\xff\xfe{\x00":          `byte 0: expected a JSON value, found a UTF-16 byte order mark`,
		`]`:                      `byte 0: expected a JSON value, found ']'`,
		`tru`:                    `byte 3: expected 'e' of true, found end of file`,
		`nul!`:                   `byte 3: expected 'l' of null, found '!'`,
		`[`:                      `byte 1: expected an array element or ']', found end of file`,
		`[,`:                     `byte 1: expected an array element or ']', found ','`,
		`[1 2]`:                  `byte 3: expected ',' or ']' after an array element, found '2'`,
		`[1}`:                    `byte 2: expected ',' or ']' after an array element, found '}'`,
		`[1,`:                    `byte 3: expected an array element after ',', found end of file`,
		`[[1],]`:                 `byte 5: expected an array element after ',', found ']'`,
		`{"a": [1, 2`:            `byte 11: expected ',' or ']' after an array element, found end of file`,
		`{`:                      `byte 1: expected a member name in quotes or '}', found end of file`,
		`{1:2}`:                  `byte 1: expected a member name in quotes or '}', found '1'`,
		`{"a"`:                   `byte 4: expected ':' after a member name, found end of file`,
		`{"a" 1}`:                `byte 5: expected ':' after a member name, found '1'`,
		`{"a":`:                  `byte 5: expected a value after ':', found end of file`,
		`{"a":}`:                 `byte 5: expected a value after ':', found '}'`,
		`{"a":{}`:                `byte 7: expected ',' or '}' after an object member, found end of file`,
		`{"a":1 ]`:               `byte 7: expected ',' or '}' after an object member, found ']'`,
		`{"a":1,}`:               `byte 7: expected a member name in quotes after ',', found '}'`,
		`{"a":1,"a":2}`:          `byte 7: expected a member name that is new in its object, found "a" again`,
		`"abc`:                   `byte 4: expected '"' at the end of a string, found end of file`,
		"\"a\nb\"":               `byte 2: expected control characters in a string to be escaped, found 0x0a`,
		"\"a\xffb\"":             `byte 2: expected UTF-8 in a string, found 0xff`,
		"[\"\xe2\x82":            `byte 4: expected '"' at the end of a string, found end of file`,
		`"\x"`:                   `byte 2: expected one of "\/bfnrtu after a backslash, found 'x'`,
		`"\u12g4"`:               `byte 5: expected four hexadecimal digits after \u, found 'g'`,
		`"\ud800x"`:              `byte 7: expected a low surrogate, \uDC00 to \uDFFF, found 'x'`,
		`"\ud800\u0041"`:         `byte 7: expected a low surrogate, \uDC00 to \uDFFF, found '\\'`,
		`"\ud800\ud8"`:           `byte 7: expected a low surrogate, \uDC00 to \uDFFF, found '\\'`,
		`"\ud800\udc`:            `byte 11: expected four hexadecimal digits after \u, found end of file`,
		`"\udc00"`:               `byte 1: expected a high surrogate before a low one, found '\\'`,
		`-`:                      `byte 1: expected a digit, found end of file`,
		`[-x]`:                   `byte 2: expected a digit, found 'x'`,
		`[1.]`:                   `byte 3: expected a digit after '.', found ']'`,
		`[1e+]`:                  `byte 4: expected a digit of the exponent, found ']'`,
		`[01]`:                   `byte 2: expected ',' or ']' after an array element, found '1'`,
		`1 2`:                    `byte 2: expected end of file, found '2'`,
		`{} x`:                   `byte 3: expected end of file, found 'x'`,
		`[],`:                    `byte 2: expected end of file, found ','`,
		`[]]`:                    `byte 2: expected end of file, found ']'`,
		"1\x00":                  `byte 1: expected end of file, found 0x00`,
		strings.Repeat("[", 2e4): `byte 10000: expected a nesting depth of at most 10000, found one more`,
	} {
		f := Check(t.Context(), []byte(text))
		if f == nil || f.String() != want {
			t.Errorf("%.20q: got  %v\nwant %s", text, f, want)
		}
		// A stream that arrives byte by byte gives the same description, except that
		// the last character may be incomplete.
		want, _, _ = strings.Cut(want, ", found")
		dec := jsontext.NewDecoder(iotest.OneByteReader(strings.NewReader(text)))
		for {
			if _, n := dec.StackIndex(0); dec.StackDepth() == 0 && n > 0 && dec.PeekKind() != 0 {
				break
			}
			if _, err := dec.ReadToken(); err != nil {
				if f := Describe(dec, err); !strings.HasPrefix(f.String(), want+", found") {
					t.Errorf("%.20q as a stream: got  %v\nwant %s", text, f, want)
				}
				break
			}
		}
	}
}

func TestDescribeReadError(t *testing.T) {
	dec := jsontext.NewDecoder(io.MultiReader(strings.NewReader(`[1, 2`), iotest.ErrReader(errors.New("the disk\nis gone"))))
	for {
		if _, err := dec.ReadToken(); err != nil {
			if got, want := Describe(dec, err).String(), "byte 5: expected more text, found jsontext: read error: the disk is gone"; got != want {
				t.Errorf("got %s\nwant %s", got, want)
			}
			return
		}
	}
}

// Every text that the decoder rejects is described in one line, with a place in the
// text.
func FuzzDescribe(f *testing.F) {
	for _, seed := range []string{`{"a":[1,2.5e3,"\u00e9\ud83d\ude00",true,null]}`, `[[],{}]`, "\"\\ud800\\", `{"":0}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		good := Check(t.Context(), bytes.Clone(text))
		if jsontext.Value(text).IsValid() != (good == nil) {
			t.Fatalf("Check(%q) is %v", text, good)
		}
		if good == nil {
			return
		}
		line := good.String()
		if good.Offset < 0 || good.Offset > int64(len(text)) || strings.ContainsAny(line, "\n\r") || good.Expected == "valid JSON" {
			t.Errorf("%q: %s", text, line)
		}
	})
}

package objects

import (
	"math/rand/v2"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
)

// sameQuoted compares appendQuoted with package jsontext.
func sameQuoted(t *testing.T, text string) {
	t.Helper()
	want, err := jsontext.AppendQuote([]byte("before "), text)
	if err != nil {
		return // not UTF-8
	}
	if got := appendQuoted([]byte("before "), []byte(text)); string(got) != string(want) {
		t.Fatalf("got  %s\nwant %s", got, want)
	}
}

func TestQuoted(t *testing.T) {
	for c := range rune(0x3000) {
		for _, s := range []string{"", "a", "12345678"} {
			sameQuoted(t, s+string(c)+s)
		}
	}
	for range 2000 {
		b := make([]byte, rand.IntN(50))
		for i := range b {
			b[i] = byte(rand.IntN(128))
		}
		sameQuoted(t, string(b))
	}
}

func FuzzQuoted(f *testing.F) {
	f.Add("a\"\\\n\x00é\u2028😀")
	f.Fuzz(sameQuoted)
}

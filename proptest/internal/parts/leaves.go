package parts

import (
	"fmt"
	"strings"
)

// A leaf shows by its own bytes whether they are what some thread wrote. A reader can
// check it wherever it finds it.

const (
	bigBase = 1 << 40
	bigStep = 1_000_003
)

// nthBigInt returns the nth of the ints that are too large for a reference.
func nthBigInt(n uint8) int64 { return bigBase + int64(n)*bigStep }

// nthFloat returns the nth float.
func nthFloat(n uint8) float64 { return float64(n) + 0.25 }

// text returns the nth text. Lengths differ, so that size classes do too.
func text(n uint8) string {
	return fmt.Sprintf("t%d-%s", n, strings.Repeat("ab", int(n)%40))
}

// longText returns the nth text that has memory of its own in the heap, which is free for
// reuse as soon as the text is dead.
func longText(n uint8) string { return longTexts[int(n)%len(longTexts)] }

var longTexts = func() (all [8]string) {
	for i := range all {
		all[i] = strings.Repeat(fmt.Sprintf("T%d-", i), 12_000+i)
	}
	return all
}()

// isText reports whether text returns s for some n.
func isText(s string) bool {
	var n uint8
	if strings.HasPrefix(s, "T") {
		return len(s) > 1 && s == longText(s[1]-'0')
	}
	if _, err := fmt.Sscanf(s, "t%d-", &n); err != nil {
		return s == ""
	}
	return s == text(n)
}

// isInt reports whether v is a small int or one of the big ones.
func isInt(v int64) bool {
	if v >= bigBase {
		return (v-bigBase)%bigStep == 0 && v-bigBase <= 255*bigStep
	}
	return v >= 0 && v <= 255
}

// isFloat reports whether nthFloat returns v for some n.
func isFloat(v float64) bool { return v >= 0.25 && v <= 255.25 && v-0.25 == float64(int(v)) }

// jsonText returns the nth document, in the form that objects.AppendJSON writes.
func jsonText(n uint8) string {
	return fmt.Sprintf(`{%q:[%d,%q,{%q:%d.25},null,true],%q:{}}`,
		text(n), n, text(n/2), text(7), n, text(n^1))
}

// Levels of the containers in a document.
const (
	documentLevel = 4
	arrayLevel    = 3
	objectLevel   = 2
)

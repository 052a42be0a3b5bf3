package machine

import (
	"fmt"
	"strings"
)

// A leaf shows by its own bytes whether they are what some thread wrote. So a reader can check any
// leaf that it finds.

const (
	bigBase = 1 << 40
	bigStep = 1_000_003
)

// NthBigInt returns the nth of the ints that are too large for a reference.
func NthBigInt(n uint8) int64 { return bigBase + int64(n)*bigStep }

// NthFloat returns the nth float.
func NthFloat(n uint8) float64 { return float64(n) + 0.25 }

// NthText returns the nth text. Lengths differ, so that size classes do too.
func NthText(n uint8) string {
	return fmt.Sprintf("t%d-%s", n, strings.Repeat("ab", int(n)%40))
}

// NthLongText returns the nth text that has memory of its own in the heap, which is free for
// reuse as soon as the text is dead.
func NthLongText(n uint8) string { return longTexts[int(n)%len(longTexts)] }

var longTexts = func() (all [8]string) {
	for i := range all {
		all[i] = strings.Repeat(fmt.Sprintf("T%d-", i), 12_000+i)
	}
	return all
}()

// IsText reports whether NthText or NthLongText returns s for some n, or s is empty.
func IsText(s string) bool {
	var n uint8
	if strings.HasPrefix(s, "T") {
		return len(s) > 1 && s == NthLongText(s[1]-'0')
	}
	if _, err := fmt.Sscanf(s, "t%d-", &n); err != nil {
		return s == ""
	}
	return s == NthText(n)
}

// IsInt reports whether v is a small int of a program, or NthBigInt returns it for some n.
func IsInt(v int64) bool {
	if v >= bigBase {
		return (v-bigBase)%bigStep == 0 && v-bigBase <= 255*bigStep
	}
	return v >= 0 && v <= 255
}

// IsFloat reports whether NthFloat returns v for some n.
func IsFloat(v float64) bool { return v >= 0.25 && v <= 255.25 && v-0.25 == float64(int(v)) }

// NthDocument returns the nth document, in the form that objects.AppendJSON writes.
func NthDocument(n uint8) string {
	return fmt.Sprintf(`{%q:[%d,%q,{%q:%d.25},null,true],%q:{}}`,
		NthText(n), n, NthText(n/2), NthText(7), n, NthText(n^1))
}

// Levels of the containers in a document.
const (
	DocumentLevel = 4
	ArrayLevel    = 3
	ObjectLevel   = 2
)

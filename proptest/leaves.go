package proptest

import (
	"fmt"
	"strings"
)

// Leaves say of themselves what they must be: whoever reads one, wherever it
// was found, can tell whether its bytes are those that some thread wrote.

const (
	bigBase = 1 << 40
	bigStep = 1_000_003
)

// text returns the nth text. Lengths differ, so that size classes do.
func text(n uint8) string {
	return fmt.Sprintf("t%d-%s", n, strings.Repeat("ab", int(n)%40))
}

// longText returns the nth text that has a place in the heap for itself, which is
// free for others as soon as it is dead.
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

func isInt(v int64) bool {
	if v >= bigBase {
		return (v-bigBase)%bigStep == 0 && v-bigBase <= 255*bigStep
	}
	return v >= 0 && v <= 255
}

func isFloat(v float64) bool { return v >= 0.25 && v <= 255.25 && v-0.25 == float64(int(v)) }

// leafText returns what is written of a leaf.
func leafText(kind string, v any) string {
	s := fmt.Sprintf("%s%v", kind, v)
	if len(s) > 300 {
		return fmt.Sprintf("%s... %d bytes", s[:10], len(s))
	}
	return s
}

// nodeText returns what is written of a node within another one.
func nodeText(serial uint32) string { return fmt.Sprintf("n%d", serial&serialMask) }

// weakText is what is written of a weak reference: where it leads depends on when
// one looks.
const weakText = "weak"

// jsonText returns the nth document, as objects.AppendJSON writes it.
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

// maxRendered bounds how many values one rendering goes through: shared
// structure would otherwise be written again and again.
const maxRendered = 300

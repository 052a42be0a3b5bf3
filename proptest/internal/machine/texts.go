package machine

import (
	"fmt"
	"strings"
)

// MaxRendered bounds the number of values in one rendering, in which a shared value occurs once
// for each path to it.
const MaxRendered = 300

// LeafText returns the text of a leaf in a history.
func LeafText(kind string, v any) string {
	s := fmt.Sprintf("%s%v", kind, v)
	if len(s) > 300 {
		return fmt.Sprintf("%s... %d bytes", s[:10], len(s))
	}
	return s
}

// NodeText returns the text of a node inside another one.
func NodeText(s Serial) string { return fmt.Sprintf("n%d", s.Number()) }

// WeakText is the text of every weak reference, because the target depends on when a reader looks.
const WeakText = "weak"

// CollectionText returns the text of a collection: how many objects were garbage, which nodes
// were finalized since the last one, and how many nodes are left.
func CollectionText(garbage int, finalized []Serial, left int) string {
	var numbers []uint32
	for _, s := range finalized {
		numbers = append(numbers, s.Number())
	}
	return fmt.Sprintf("%d of garbage, finalized %v, left %d", garbage, numbers, left)
}

// Join joins texts with commas, and cuts the result to a length that keeps histories readable.
func Join(open string, parts []string, end string) string {
	s := open + strings.Join(parts, ",") + end
	if len(s) > 400 {
		return fmt.Sprintf("%s... %d bytes", s[:400], len(s))
	}
	return s
}

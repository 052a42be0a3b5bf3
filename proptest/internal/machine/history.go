package machine

import (
	"fmt"
	"strings"
)

// History holds the observations of a machine, one line for each operation.
type History []string

// Diff returns the first line in which two histories of a program differ, or "".
func (h History) Diff(other History, prog []Op) string {
	for i := range max(len(h), len(other)) {
		a, b := "(nothing)", "(nothing)"
		if i < len(h) {
			a = h[i]
		}
		if i < len(other) {
			b = other[i]
		}
		if a != b {
			var before []string
			for _, o := range prog[:min(i+1, len(prog))] {
				before = append(before, o.String())
			}
			return fmt.Sprintf("after %s:\n  %s\n  %s", strings.Join(before, " "), a, b)
		}
	}
	return ""
}

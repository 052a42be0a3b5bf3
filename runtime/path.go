package runtime

import (
	"fmt"
	"slices"
	"strings"
)

// pathTo returns a shortest path by which root leads to the object r, as in
// root["a"][3].x, for an error. Other threads may be at work: it is what the graph
// looks like now. It reaches no safe point.
func (t *Thread) pathTo(root, r Ref) string {
	type step struct {
		from Ref
		i    int // of the reference in from
	}
	came := map[Ref]step{root: {}}
	for queue := []Ref{root}; len(queue) > 0 && came[r] == (step{}) && r != root; queue = queue[1:] {
		from := queue[0]
		y := t.rt.typeAt(from)
		if from.IsFrozen() || y == nil || y.Traverse == nil {
			continue
		}
		i := 0
		y.Traverse(t.Heap, t.Body(from), func(c Ref) {
			if _, seen := came[c]; !seen && !c.IsNil() && c.Handle < selfBase {
				came[c] = step{from, i}
				queue = append(queue, c)
			}
			i++
		})
	}
	if r != root && came[r] == (step{}) {
		return fmt.Sprintf("root...%s", r) // it has left the graph
	}
	var labels []string
	for at := r; at != root; at = came[at].from {
		s := came[at]
		labels = append(labels, t.label(s.from, s.i))
	}
	slices.Reverse(labels)
	return "root" + strings.Join(labels, "")
}

func (t *Thread) label(r Ref, i int) string {
	if z := t.rt.typeAt(r).Freezing; z != nil && z.Label != nil {
		return z.Label(t, r, i)
	}
	return fmt.Sprintf("<%d>", i)
}

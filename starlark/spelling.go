package starlark

import "strings"

const (
	maxSpelled   = 100
	maxSpellings = 1000
)

// nearest returns the name that is most like x, if one is. It looks at so few and so short names that it
// takes no time that would have to count.
func nearest(x string, names []string) string {
	if len(x) > maxSpelled || len(names) > maxSpellings {
		return ""
	}
	best, dist := "", (len(x)+1)/2
	fold := func(s string) string { return strings.ToLower(strings.ReplaceAll(s, "_", "")) }
	x = fold(x)
	for _, n := range names {
		if d := distance(x, fold(n), dist); d < dist {
			best, dist = n, d
		}
	}
	return best
}

// distance returns the number of edits between x and y, if it is less than limit.
func distance(x, y string, limit int) int {
	if x == y {
		return 0
	}
	if d := len(x) - len(y); max(d, -d) > limit {
		return limit + 1
	}
	row := make([]int, len(y)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(x) {
		prev := row[0]
		row[0] = i + 1
		for j := range len(y) {
			cost := 1
			if x[i] == y[j] {
				cost = 0
			}
			prev, row[j+1] = row[j+1], min(prev+cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(y)]
}

package parts

// ran counts a program and its operations.
func ran(way string, ops int) {
	Add(way+" programs", 1)
	Add(way+" programs: operations", ops)
}

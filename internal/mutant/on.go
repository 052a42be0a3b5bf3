//go:build mutant

package mutant

// On reports whether planted bugs are part of the program.
const On = true

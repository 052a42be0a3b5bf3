//go:build race

package parts

const RaceEnabled = true

// Package bugs has typical and historic bugs of concurrent Go code, each written from its public
// description, with the corrected program. The tests demand that the explorer finds each bug, and
// nothing in its correction; docs/explore.md has the figures.
package bugs

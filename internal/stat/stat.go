// Package stat says whether this is a statistics build. Such a build records every
// operation on a count, including those that immortality skips. The code for that reads
//
//	if stat.On {
//		t.countOp(r)
//	}
//
// In builds without the tag "ichorstats", On is the constant false, so the compiler
// drops such lines before it decides what to inline.
package stat

// Package stat says whether this is a statistics build: one that counts every
// operation on a count, those that immortality skips included. Its places read
//
//	if stat.On {
//		t.countOp(r)
//	}
//
// Builds without the tag "ichorstats" have On as the constant false, so that the
// compiler drops such lines before it decides what to inline.
package stat

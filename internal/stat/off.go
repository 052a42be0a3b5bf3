//go:build !ichorstats

package stat

// On reports whether this is a statistics build.
const On = false

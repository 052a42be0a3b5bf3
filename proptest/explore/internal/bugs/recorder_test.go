package bugs

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
)

// recorder is a test that may fail.
type recorder struct {
	testing.TB
	failed bool
	text   strings.Builder
}

func (r *recorder) Helper()                      {}
func (r *recorder) Cleanup(func())               {}
func (r *recorder) Name() string                 { return "Recorded" }
func (r *recorder) Failed() bool                 { return r.failed }
func (r *recorder) Error(args ...any)            { r.failed = true; fmt.Fprintln(&r.text, args...) }
func (r *recorder) Errorf(f string, args ...any) { r.Error(fmt.Sprintf(f, args...)) }
func (r *recorder) Log(args ...any)              { fmt.Fprintln(&r.text, args...) }
func (r *recorder) Logf(f string, args ...any)   { r.Log(fmt.Sprintf(f, args...)) }
func (r *recorder) Fatal(args ...any)            { r.Error(args...); runtime.Goexit() }
func (r *recorder) Fatalf(f string, args ...any) { r.Errorf(f, args...); runtime.Goexit() }

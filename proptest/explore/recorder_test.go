package explore_test

import (
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
)

// recorder is a test that may fail.
type recorder struct {
	testing.TB
	mu     sync.Mutex
	failed bool
	text   strings.Builder
}

func (r *recorder) write(failed bool, text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failed = r.failed || failed
	r.text.WriteString(text + "\n")
}

func (r *recorder) Helper()                      {}
func (r *recorder) Cleanup(func())               {}
func (r *recorder) Name() string                 { return "TestRecorded" }
func (r *recorder) Logf(f string, args ...any)   { r.write(false, fmt.Sprintf(f, args...)) }
func (r *recorder) Log(args ...any)              { r.write(false, fmt.Sprint(args...)) }
func (r *recorder) Errorf(f string, args ...any) { r.write(true, fmt.Sprintf(f, args...)) }
func (r *recorder) Error(args ...any)            { r.write(true, fmt.Sprint(args...)) }
func (r *recorder) Failed() bool                 { return r.failed }
func (r *recorder) FailNow()                     { r.write(true, ""); runtime.Goexit() }
func (r *recorder) Fatal(args ...any)            { r.Error(args...); runtime.Goexit() }
func (r *recorder) Fatalf(f string, args ...any) {
	r.Errorf(f, args...)
	runtime.Goexit()
}

// recorded runs a function with a test that may fail, and returns its output.
func recorded(fn func(t testing.TB)) (failed bool, text string) {
	r := &recorder{}
	done := make(chan bool)
	go func() {
		defer close(done)
		fn(r)
	}()
	<-done
	return r.failed, r.text.String()
}

// wantText demands that each part is in the text, in this order.
func wantText(t *testing.T, text string, parts ...string) {
	t.Helper()
	rest := text
	for _, p := range parts {
		i := strings.Index(rest, p)
		if i < 0 {
			t.Errorf("want %q in:\n%s", p, text)
			return
		}
		rest = rest[i+len(p):]
	}
}

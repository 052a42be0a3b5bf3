package traces

import (
	"bytes"
	"fmt"
	goruntime "runtime"
	"strings"
	"testing"
)

const address = "0xc000123400"

// TestShowing distinguishes traces that show an address for certain, perhaps, and not at all.
func TestShowing(t *testing.T) {
	const (
		none    = "goroutine 1 [running]:\nmain.f(0x1, 0xc00000000042)"
		perhaps = "goroutine 2 [running]:\nmain.g(" + address + "?, 0x2)"
		surely  = "goroutine 3 [running]:\nmain.h({0x1, " + address + "})"
		longer  = "goroutine 4 [running]:\nmain.i(" + address + "0, 0x2)"
		cut     = "goroutine 5 [running]:\nmain.j(0x2, " + address // cut off at the end of the buffer
		again   = "goroutine 6 [running]:\nmain.k(" + address + "?)\nmain.l(0x2, " + address + ")"
		third   = "goroutine 7 [running]:\nmain.m(" + address + "?)"
		first   = "goroutine 8 [running]:\nmain.n(" + address + ", 0x2)"
	)
	for _, c := range []struct {
		stacks []string
		want   string
	}{
		{[]string{none, perhaps, longer, surely}, surely},
		{[]string{none, perhaps, longer, third}, perhaps},
		{[]string{longer, cut, perhaps}, perhaps},
		{[]string{perhaps, again, surely}, again},
		{[]string{perhaps, first, surely}, first},
		{[]string{none, cut}, ""},
		{[]string{none, longer}, ""},
		{nil, ""},
	} {
		if got, found := Showing([]byte(strings.Join(c.stacks, "\n\n")), address); got != c.want || found != (c.want != "") {
			t.Errorf("of %q: %q, %t; want %q", c.stacks, got, found, c.want)
		}
	}
}

// TestInCall checks that a goroutine is found by a call that it is in, and not by other calls.
func TestInCall(t *testing.T) {
	const (
		first  = "goroutine 1 [running]:\nmain.(*T).f(0x1, " + address + ")"
		second = "goroutine 2 [running]:\nmain.g(0x1)\nmain.(*T).f(0x2, " + address + "?, 0x3)"
		own    = "goroutine 3 [running]:\nmain.(*T).report()\nmain.(*T).f(0x1, " + address + ")"
		below  = "goroutine 4 [running]:\nmain.(*T).f(0x1)\nmain.g(0x2, " + address + ")"
		other  = "goroutine 5 [running]:\nmain.(*T).ff(0x1, " + address + ")"
	)
	for _, c := range []struct {
		stacks []string
		want   string
	}{
		{[]string{own, below, first, other}, first},
		{[]string{second, own}, second},
		{[]string{own, below, other}, ""},
	} {
		got, found := InCall([]byte(strings.Join(c.stacks, "\n\n")), "(*T).f", address, "(*T).report")
		if got != c.want || found != (c.want != "") {
			t.Errorf("of %q: %q, %t; want %q", c.stacks, got, found, c.want)
		}
	}
}

// TestHasCall checks that only the first argument counts, and only the function itself.
func TestHasCall(t *testing.T) {
	for trace, want := range map[string]bool{
		"main.(*T).do(" + address + ", 0x1)":  true,
		"main.(*T).do(" + address + "0, 0x1)": false,
		"main.(*T).do(" + address + "?, 0x1)": false,
		"main.(*T).do(0x1, " + address + ")":  false,
		"main.(*T).go(" + address + ", 0x1)":  false,
	} {
		if got := HasCall([]byte(trace), "(*T).do", address); got != want {
			t.Errorf("%s: %t", trace, got)
		}
	}
}

//go:noinline
func called(n int) int {
	if n == 0 {
		return Count(Entry(called), Entry(TestHasCall))
	}
	got := called(n - 1)
	goruntime.KeepAlive(n)
	return got
}

// TestCount counts frames on the goroutine's stack.
func TestCount(t *testing.T) {
	if n := Count(Entry(called)); n != 0 {
		t.Errorf("%d frames before the first call", n)
	}
	for _, n := range []int{0, 3, MaxFrames} {
		if got, want := called(n), min(n+1, MaxFrames); got != want {
			t.Errorf("%d frames, want %d", got, want)
		}
	}
}

// TestGoroutineID compares the id with the one in the trace.
func TestGoroutineID(t *testing.T) {
	if want := fmt.Sprintf("goroutine %d [running]:", GoroutineID()); !strings.HasPrefix(string(Own()), want) {
		t.Errorf("no %s in %s", want, Own())
	}
}

// TestOwn checks that a trace is complete however long it is.
func TestOwn(t *testing.T) {
	const large = 1 << 30 // as an argument it takes many bytes of a trace
	var deep func(n int, args [8]int) string
	deep = func(n int, args [8]int) string {
		if n == 0 {
			return string(Own())
		}
		return deep(n-1, args)
	}
	trace := deep(200, [8]int{large, large, large, large, large, large, large, large})
	if len(trace) <= 16<<10 || !strings.Contains(trace, "created by testing.") {
		t.Errorf("a trace of %d bytes is not complete: %s", len(trace), trace)
	}
}

// TestAllIsBounded checks that goroutines are left out of a trace if there is no room for all.
func TestAllIsBounded(t *testing.T) {
	defer func(n int) { maxBytes = n }(maxBytes)
	stop, begun := make(chan bool), make(chan bool)
	const n = 1000
	for range n {
		go func() { begun <- true; <-stop }()
	}
	for range n {
		<-begun
	}
	for _, most := range []int{64 << 10, 256 << 10} {
		maxBytes = most
		if got := len(All()); got > most || got < most-4<<10 && got < n*100 {
			t.Errorf("%d bytes of stacks, want at most %d", got, most)
		}
	}
	maxBytes = 16 << 20
	if got := bytes.Count(All(), []byte("TestAllIsBounded.func")); got < n {
		t.Errorf("the stacks of %d goroutines, want %d", got, n)
	}
	close(stop)
}

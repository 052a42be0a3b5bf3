//go:build explore

package engine

import (
	"fmt"
	"strconv"
	"strings"
)

// Step is a step of a thread, with one of its alternatives.
type Step struct{ Thread, Alt uint16 }

// Schedule has the steps of an execution.
type Schedule []Step

// String returns the schedule in the form that Parse reads: 0x12 1x3. No steps are "none".
func (s Schedule) String() string {
	if len(s) == 0 {
		return "none"
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		n := 1
		for i+n < len(s) && s[i+n] == s[i] {
			n++
		}
		if i > 0 {
			b.WriteByte(' ')
		}
		fmt.Fprint(&b, s[i].Thread)
		if s[i].Alt > 0 {
			fmt.Fprintf(&b, ".%d", s[i].Alt)
		}
		fmt.Fprintf(&b, "x%d", n)
		i += n
	}
	return b.String()
}

// Parse reads a schedule in the form that String returns.
func Parse(text string) (Schedule, error) {
	var s Schedule
	if text == "none" {
		return s, nil
	}
	for _, part := range strings.Fields(text) {
		who, times, ok := strings.Cut(part, "x")
		who, alt, has := strings.Cut(who, ".")
		t, err1 := strconv.ParseUint(who, 10, 16)
		n, err2 := strconv.Atoi(times)
		a := uint64(0)
		if has {
			var err error
			if a, err = strconv.ParseUint(alt, 10, 16); err != nil {
				ok = false
			}
		}
		if !ok || err1 != nil || err2 != nil || n < 1 || len(s)+n > 1<<20 {
			return nil, fmt.Errorf("schedule: %q is not a thread and a number of steps, as in 0x12", part)
		}
		for range n {
			s = append(s, Step{uint16(t), uint16(a)})
		}
	}
	return s, nil
}

// switches returns how often one thread follows another.
func (s Schedule) switches() (n int) {
	for i := 1; i < len(s); i++ {
		if s[i].Thread != s[i-1].Thread {
			n++
		}
	}
	return n
}

// index returns the place of a step, or -1.
//
//go:norace
func (s Schedule) index(x Step) int {
	for i := range s {
		if s[i] == x {
			return i
		}
	}
	return -1
}

// of returns the first step of a thread, or -1.
//
//go:norace
func (s Schedule) of(thread int) int {
	for i := range s {
		if int(s[i].Thread) == thread {
			return i
		}
	}
	return -1
}

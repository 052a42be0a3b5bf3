//go:build !explore

package explore

import (
	"sync"
	"sync/atomic"
)

// On reports whether programs are explored: the build has the tag explore.
const On = false

// Run explores a program with at most Config.Bound preemptions, within Config.Time and
// Config.Schedules. build makes it anew for each schedule. Run returns the number of schedules, and
// the first failure with its steps, under the name. Without the tag explore, it runs the program once
// with real goroutines. *Any goroutine.*
func Run(name string, c Config, build func() Fixed) (schedules int64, err error) {
	if _, err := c.filled(); err != nil {
		return 0, err
	}
	p := build()
	var g sync.WaitGroup
	for _, fn := range p.Threads {
		g.Go(fn)
	}
	g.Wait()
	if p.Check != nil {
		err = p.Check()
	}
	return 0, err
}

var moment atomic.Int64

// Moment returns a number that is greater than all that it has returned before. *Any goroutine.*
func Moment() int64 { return moment.Add(1) }

// Package explore runs a test of concurrent code under all schedules: in all orders in which its
// goroutines can take turns, up to a bound.
//
//	func TestQueue(t *testing.T) {
//		explore.Test(t, func(e *explore.E) {
//			q := New(2)
//			e.Go("producer", func() { q.Push(1); q.Push(2) })
//			e.Go("consumer", func() { q.Pop() })
//			e.Wait()
//			if q.Len() != 1 {
//				e.Fatalf("len %d, want 1", q.Len())
//			}
//		})
//	}
//
// The exploration is part of builds with the tag explore. There are two ways to bring code under its
// control. The command explore rewrites a copy of the code, and leaves the checkout alone:
//
//	go run github.com/ichor-go/ichor/proptest/explore/cmd/explore test ./...
//
// Or the code imports explore/sync, explore/atomic and so on in place of sync and sync/atomic: twins
// whose names are aliases of the originals in builds without the tag. Then it is
//
//	go test -tags explore ./...
//
// Without the tag, Test is a stress test: it runs the function many times with real goroutines, and
// logs that it has explored nothing.
//
// With -race, the race detector judges each schedule: a race on any plain variable is reported if
// one explored schedule has it.
//
// # What is an error
//
// A panic; what Fatalf and Errorf say; a deadlock; a livelock; a goroutine that can never go on
// after the function has returned; the misuse of a lock; with -race, a data race.
//
// The function must be deterministic: the same schedule gives the same run. So it reads no clocks or
// random numbers that the exploration does not know, and does not depend on the order of a map.
//
// docs/explore.md explains how it works, what it guarantees, and the limits.
package explore

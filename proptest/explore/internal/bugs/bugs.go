package bugs

import "github.com/ichor-go/ichor/proptest/explore"

// Bug is a bug.
type Bug struct {
	Name   string
	Origin string                           // where it is described
	Says   string                           // part of the explorer's report
	Run    func(e *explore.E, correct bool) // the program, or the corrected one
}

// List has all bugs.
var List = []Bug{
	{"lost wake-up", "a condition that is tested without its lock (Go's documentation of sync.Cond)", "deadlock", lostWakeUp},
	{"lost signal", "one condition for both ends of a bounded queue, with Signal (Tu and others, ASPLOS 2019)", "deadlock", lostSignal},
	{"double-checked lock", "a flag that is set before what it guards (The Go Memory Model, incorrect synchronization)", "nil pointer", doubleChecked},
	{"pooled buffer", "bytes of a buffer that has been put back (golang/go#23199, and many)", "another's bytes", pooledBuffer},
	{"ABA", "a Treiber stack that reuses nodes (IBM System/370, 1983)", "is taken twice", treiber},
	{"upgrade", "RLock and then Lock of one RWMutex", "deadlock", upgrade},
	{"recursive RLock", "RLock twice, with a writer between (golang/go#15418)", "deadlock", recursiveRead},
	{"errgroup leak", "a producer that does not watch the group's context", "deadlock", groupLeak},
	{"context leak", "a result that nobody waits for after a timeout (kubernetes finishRequest, Tu and others)", "leaked goroutine", contextLeak},
	{"stampede", "a cache that looks, and then loads (golang.org/x/sync/singleflight)", "loaded 2 times", stampede},
	{"Add after Wait", "WaitGroup.Add in the goroutine that it counts (Tu and others)", "not all are done", addAfterWait},
	{"close twice", "a test of a flag, and then close (docker#24007, etcd)", "close of closed channel", closeTwice},
	{"map resize", "a store into the table that is being copied (as in maps that resize in steps)", "is lost", mapResize},
	{"group commit", "a write-ahead log whose follower takes the wrong flush for its own (happytoolin/unolog#37)", "before it is durable", groupCommit},
	{"timer stop", "Stop does not wait for the function of AfterFunc (Go's documentation of Timer.Stop)", "after Close", timerStop},
	{"unlock and relock", "an LRU that looks under RLock and moves under Lock", "was evicted", relock},
}

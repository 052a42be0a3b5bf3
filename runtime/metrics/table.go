package metrics

import (
	"math"
	"runtime/metrics"
	"time"

	rt "github.com/ichor-go/ichor/runtime"
)

// metric is a line of the table from which the names, expvar and docs/statistics.md come.
type metric struct {
	metrics.Description
	read func(s *rt.Stats) Value
}

// table is in alphabetical order.
var table = []metric{
	total("/ichor/collector/automatic:collections", "Collections begun by a safe point.",
		func(s *rt.Stats) int64 { return s.Collector.Automatic }),
	total("/ichor/collector/candidates:objects", "Mortal containers that collections have looked at.",
		func(s *rt.Stats) int64 { return s.Collector.Candidates }),
	total("/ichor/collector/collections:collections", "Collections of cycles, all of them.",
		func(s *rt.Stats) int64 { return s.Collector.Collections }),
	total("/ichor/collector/finalized:objects", "Finalizers that collections have called.",
		func(s *rt.Stats) int64 { return s.Collector.Finalized }),
	total("/ichor/collector/freed:objects", "Garbage that collections have freed.",
		func(s *rt.Stats) int64 { return s.Collector.Freed }),
	total("/ichor/collector/garbage:objects", "Containers that only garbage referred to.",
		func(s *rt.Stats) int64 { return s.Collector.Garbage }),
	gauge("/ichor/collector/next:objects", "Containers in use from which on the next collection is due.",
		func(s *rt.Stats) int64 { return s.Collector.Next }),
	histogram("/ichor/collector/pauses:seconds", "For how long collections have stopped the world, the stops of each added up.",
		func(s *rt.Stats) *metrics.Float64Histogram { return s.CollectorPauses }),
	total("/ichor/collector/put-off:collections", "Times that the pause budget kept a collection from being begun.",
		func(s *rt.Stats) int64 { return s.Collector.PutOff }),
	total("/ichor/collector/resurrected:objects", "Garbage that finalizers have made reachable again.",
		func(s *rt.Stats) int64 { return s.Collector.Resurrected }),

	gauge("/ichor/deferred:bytes", "What waits for a grace period: each thread's as of its last safe point, and what absent threads have left.",
		func(s *rt.Stats) int64 { return s.Deferred }),

	gauge("/ichor/frozen/graphs:graphs", "Frozen graphs that are loaded, opened images among them.",
		func(s *rt.Stats) int64 { return s.Memory.FrozenGraphs }),
	gauge("/ichor/frozen/mapped:bytes", "Memory of frozen objects that is mapped from files.",
		func(s *rt.Stats) int64 { return s.Memory.MappedBytes }),
	gauge("/ichor/frozen/objects:bytes", "Memory of frozen objects.",
		func(s *rt.Stats) int64 { return s.Memory.FrozenBytes }),
	gauge("/ichor/frozen/objects:objects", "Frozen objects.",
		func(s *rt.Stats) int64 { return s.Memory.Frozen }),

	total("/ichor/gil/acquires:acquires", "Times that a thread became the holder of the GIL.",
		func(s *rt.Stats) int64 { return int64(s.GIL.Acquires) }),
	total("/ichor/gil/drop-requests:requests", "Times that a thread which waited for the GIL lost patience.",
		func(s *rt.Stats) int64 { return int64(s.GIL.DropRequests) }),
	seconds("/ichor/gil/held:seconds", "For how long the GIL was held.", true,
		func(s *rt.Stats) time.Duration { return s.GIL.Held }),
	seconds("/ichor/gil/max-wait:seconds", "The longest wait for the GIL that is over.", false,
		func(s *rt.Stats) time.Duration { return s.GIL.MaxWait }),
	seconds("/ichor/gil/waited:seconds", "For how long threads have waited for the GIL, all of them together; waits that are over.", true,
		func(s *rt.Stats) time.Duration { return s.GIL.Waited }),
	total("/ichor/gil/waits:waits", "Waits for the GIL that are over: times that a holder handed it over.",
		func(s *rt.Stats) int64 { return int64(s.GIL.Switches) }),

	total("/ichor/grace/begun:periods", "Grace periods that have begun.",
		func(s *rt.Stats) int64 { return int64(s.GraceBegun) }),
	total("/ichor/grace/over:periods", "Grace periods that are known to be over.",
		func(s *rt.Stats) int64 { return int64(s.GraceOver) }),

	gauge("/ichor/memory/blocks:blocks", "Blocks, the storage of containers.",
		func(s *rt.Stats) int64 { return s.Memory.Blocks }),
	gauge("/ichor/memory/blocks:bytes", "Memory of blocks.",
		func(s *rt.Stats) int64 { return s.Memory.BlockBytes }),
	gauge("/ichor/memory/committed:bytes", "Memory taken from the system, all in all.",
		func(s *rt.Stats) int64 { return s.Memory.Committed }),
	gauge("/ichor/memory/containers:objects", "Objects on the counted heap that can hold references.",
		func(s *rt.Stats) int64 { return s.Memory.Containers }),
	gauge("/ichor/memory/in-place:objects", "Objects on the counted heap that were made immortal in place.",
		func(s *rt.Stats) int64 { return s.Memory.InPlace }),
	gauge("/ichor/memory/limit:bytes", "What the committed memory stays within.",
		func(s *rt.Stats) int64 { return s.Memory.Limit }),
	gauge("/ichor/memory/objects:bytes", "Memory of objects on the counted heap, without blocks.",
		func(s *rt.Stats) int64 { return s.Memory.ObjectBytes }),
	gauge("/ichor/memory/objects:objects", "Objects on the counted heap.",
		func(s *rt.Stats) int64 { return s.Memory.Objects }),
	gauge("/ichor/memory/regions:bytes", "Memory of what was born immortal, with its blocks.",
		func(s *rt.Stats) int64 { return s.Memory.RegionBytes }),
	gauge("/ichor/memory/regions:objects", "Objects that were born immortal.",
		func(s *rt.Stats) int64 { return s.Memory.Immortals }),
	gauge("/ichor/memory/shared:bytes", "Addresses at which processes share memory: a heap that was shared, and its frozen objects.",
		func(s *rt.Stats) int64 { return s.Memory.SharedBytes }),

	total("/ichor/merges/by-owner:objects", "Queued objects that their owner has merged.",
		func(s *rt.Stats) int64 { return s.Merges.ByOwner }),
	total("/ichor/merges/for-away:objects", "Queued objects merged on behalf of a state that no goroutine had.",
		func(s *rt.Stats) int64 { return s.Merges.ForAway }),
	total("/ichor/merges/in-stops:objects", "Queued objects merged with the world stopped.",
		func(s *rt.Stats) int64 { return s.Merges.InStop }),

	counted("/ichor/operations/owned:operations", "Plain increments and decrements, of the thread's own objects. Checked mode or tag ichorstats.",
		func(s *rt.Stats) (int64, bool) { return s.Operations.Owned, s.Operations.Counted }),
	counted("/ichor/operations/shared:operations", "Atomic increments and decrements. Checked mode or tag ichorstats.",
		func(s *rt.Stats) (int64, bool) { return s.Operations.Shared, s.Operations.Counted }),
	counted("/ichor/operations/skipped:operations", "Increments and decrements of immortals, which do nothing. Tag ichorstats.",
		func(s *rt.Stats) (int64, bool) { return s.Operations.Skipped, s.Operations.SkippedCounted }),

	gauge("/ichor/pending/left:calls", "Finalizers and callbacks that threads have left behind as they detached.",
		func(s *rt.Stats) int64 { return int64(s.Left) }),

	gauge("/ichor/queued:bytes", "Memory of objects that wait for a merge.",
		func(s *rt.Stats) int64 { return s.QueuedBytes }),
	gauge("/ichor/queued:objects", "Objects that wait for a merge.",
		func(s *rt.Stats) int64 { return s.Queued }),

	gauge("/ichor/tables/foreign:values", "Go values that objects hold.",
		func(s *rt.Stats) int64 { return int64(s.Foreign) }),
	gauge("/ichor/tables/interned:strings", "Strings in the intern table.",
		func(s *rt.Stats) int64 { return int64(s.Interned) }),
	gauge("/ichor/tables/weak:objects", "Objects that weak references lead to.",
		func(s *rt.Stats) int64 { return int64(s.Weak) }),

	gauge("/ichor/threads/attached:threads", "Threads that are attached, those in Blocking among them.",
		func(s *rt.Stats) int64 { return int64(s.Memory.Attached) }),
	gauge("/ichor/threads/pooled:threads", "States of threads that are not attached.",
		func(s *rt.Stats) int64 { return int64(s.Pooled) }),

	histogram("/ichor/world/pauses:seconds", "Every stop of the world, from standing still until it runs again; under the GIL, what the holder does as if it had stopped it.",
		func(s *rt.Stats) *metrics.Float64Histogram { return s.Pauses }),
	histogram("/ichor/world/stopping:seconds", "Every stop of the world, from the wish until it stands still; empty under the GIL.",
		func(s *rt.Stats) *metrics.Float64Histogram { return s.Stopping }),
}

func gauge(name, what string, read func(*rt.Stats) int64) metric {
	return metric{
		metrics.Description{Name: name, Description: what, Kind: metrics.KindUint64},
		func(s *rt.Stats) Value { return uintValue(read(s)) },
	}
}

func total(name, what string, read func(*rt.Stats) int64) metric {
	m := gauge(name, what, read)
	m.Cumulative = true
	return m
}

// counted is total for a figure that is not always recorded.
func counted(name, what string, read func(*rt.Stats) (int64, bool)) metric {
	return metric{
		metrics.Description{Name: name, Description: what, Kind: metrics.KindUint64, Cumulative: true},
		func(s *rt.Stats) Value {
			if n, ok := read(s); ok {
				return uintValue(n)
			}
			return Value{}
		},
	}
}

func seconds(name, what string, cumulative bool, read func(*rt.Stats) time.Duration) metric {
	return metric{
		metrics.Description{Name: name, Description: what, Kind: metrics.KindFloat64, Cumulative: cumulative},
		func(s *rt.Stats) Value {
			return Value{kind: metrics.KindFloat64, bits: math.Float64bits(read(s).Seconds())}
		},
	}
}

func histogram(name, what string, read func(*rt.Stats) *metrics.Float64Histogram) metric {
	return metric{
		metrics.Description{Name: name, Description: what, Kind: metrics.KindFloat64Histogram, Cumulative: true},
		func(s *rt.Stats) Value { return Value{kind: metrics.KindFloat64Histogram, hist: read(s)} },
	}
}

// uintValue returns the value for n, or for 0 if n is negative: the shares of threads are read
// one after the other, so a thread may already have subtracted what another one has not yet
// added.
func uintValue(n int64) Value { return Value{kind: metrics.KindUint64, bits: uint64(max(n, 0))} }

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
	total("/ichor/collector/automatic:collections", "Collections started automatically, at a safe point.",
		func(s *rt.Stats) int64 { return s.Collector.Automatic }),
	total("/ichor/collector/candidates:objects", "Mortal containers that collections examined.",
		func(s *rt.Stats) int64 { return s.Collector.Candidates }),
	total("/ichor/collector/collections:collections", "All collections of cycles.",
		func(s *rt.Stats) int64 { return s.Collector.Collections }),
	total("/ichor/collector/finalized:objects", "Finalizers that collections called.",
		func(s *rt.Stats) int64 { return s.Collector.Finalized }),
	total("/ichor/collector/freed:objects", "Garbage objects that collections freed.",
		func(s *rt.Stats) int64 { return s.Collector.Freed }),
	total("/ichor/collector/garbage:objects", "Containers that only garbage referred to.",
		func(s *rt.Stats) int64 { return s.Collector.Garbage }),
	gauge("/ichor/collector/next:objects", "Number of containers in use at which the next collection is due.",
		func(s *rt.Stats) int64 { return s.Collector.Next }),
	histogram("/ichor/collector/pauses:seconds", "How long each collection stopped the world, in all its stops together.",
		func(s *rt.Stats) *metrics.Float64Histogram { return s.CollectorPauses }),
	total("/ichor/collector/put-off:collections", "Times that the pause budget delayed a collection.",
		func(s *rt.Stats) int64 { return s.Collector.PutOff }),
	total("/ichor/collector/resurrected:objects", "Garbage objects that finalizers made reachable again.",
		func(s *rt.Stats) int64 { return s.Collector.Resurrected }),

	gauge("/ichor/deferred:bytes", "Memory that waits for a grace period: each thread's share as of its last safe point, and what detached or blocked threads left behind.",
		func(s *rt.Stats) int64 { return s.Deferred }),

	gauge("/ichor/frozen/graphs:graphs", "Loaded frozen graphs, including opened images.",
		func(s *rt.Stats) int64 { return s.Memory.FrozenGraphs }),
	gauge("/ichor/frozen/mapped:bytes", "Memory of frozen objects, mapped from files.",
		func(s *rt.Stats) int64 { return s.Memory.MappedBytes }),
	gauge("/ichor/frozen/objects:bytes", "Memory of frozen objects.",
		func(s *rt.Stats) int64 { return s.Memory.FrozenBytes }),
	gauge("/ichor/frozen/objects:objects", "Frozen objects.",
		func(s *rt.Stats) int64 { return s.Memory.Frozen }),

	total("/ichor/gil/acquires:acquires", "Times that a thread took the GIL.",
		func(s *rt.Stats) int64 { return int64(s.GIL.Acquires) }),
	total("/ichor/gil/drop-requests:requests", "Times that a waiting thread asked the holder to give up the GIL.",
		func(s *rt.Stats) int64 { return int64(s.GIL.DropRequests) }),
	seconds("/ichor/gil/held:seconds", "Total time that the GIL was held.", true,
		func(s *rt.Stats) time.Duration { return s.GIL.Held }),
	histogram("/ichor/gil/hold-times:seconds", "How long the GIL was held each time before it was handed over. Empty in lock-free mode.",
		func(s *rt.Stats) *metrics.Float64Histogram { return s.GILHolds }),
	seconds("/ichor/gil/max-wait:seconds", "Longest completed wait for the GIL.", false,
		func(s *rt.Stats) time.Duration { return s.GIL.MaxWait }),
	histogram("/ichor/gil/wait-times:seconds", "How long each completed wait for the GIL took. Empty in lock-free mode.",
		func(s *rt.Stats) *metrics.Float64Histogram { return s.GILWaits }),
	seconds("/ichor/gil/waited:seconds", "Total time that threads waited for the GIL, in completed waits.", true,
		func(s *rt.Stats) time.Duration { return s.GIL.Waited }),
	total("/ichor/gil/waits:waits", "Completed waits for the GIL, each of which ended when a holder handed it over.",
		func(s *rt.Stats) int64 { return int64(s.GIL.Switches) }),

	total("/ichor/grace/begun:periods", "Grace periods begun.",
		func(s *rt.Stats) int64 { return int64(s.GraceBegun) }),
	total("/ichor/grace/over:periods", "Grace periods known to be over.",
		func(s *rt.Stats) int64 { return int64(s.GraceOver) }),

	gauge("/ichor/memory/blocks:blocks", "Blocks, the storage of containers.",
		func(s *rt.Stats) int64 { return s.Memory.Blocks }),
	gauge("/ichor/memory/blocks:bytes", "Memory of blocks.",
		func(s *rt.Stats) int64 { return s.Memory.BlockBytes }),
	gauge("/ichor/memory/committed:bytes", "All memory taken from the system.",
		func(s *rt.Stats) int64 { return s.Memory.Committed }),
	gauge("/ichor/memory/containers:objects", "Objects on the counted heap that can hold references.",
		func(s *rt.Stats) int64 { return s.Memory.Containers }),
	gauge("/ichor/memory/in-place:objects", "Objects on the counted heap that were made immortal in place.",
		func(s *rt.Stats) int64 { return s.Memory.InPlace }),
	gauge("/ichor/memory/limit:bytes", "Limit of the committed memory.",
		func(s *rt.Stats) int64 { return s.Memory.Limit }),
	gauge("/ichor/memory/objects:bytes", "Memory of objects on the counted heap, without blocks.",
		func(s *rt.Stats) int64 { return s.Memory.ObjectBytes }),
	gauge("/ichor/memory/objects:objects", "Objects on the counted heap.",
		func(s *rt.Stats) int64 { return s.Memory.Objects }),
	gauge("/ichor/memory/regions:bytes", "Memory of objects born immortal, and of their blocks.",
		func(s *rt.Stats) int64 { return s.Memory.RegionBytes }),
	gauge("/ichor/memory/regions:objects", "Objects born immortal.",
		func(s *rt.Stats) int64 { return s.Memory.Immortals }),
	gauge("/ichor/memory/shared:bytes", "Address ranges shared between processes: a shared heap and its frozen objects.",
		func(s *rt.Stats) int64 { return s.Memory.SharedBytes }),

	total("/ichor/merges/by-owner:objects", "Queued objects merged by their owner.",
		func(s *rt.Stats) int64 { return s.Merges.ByOwner }),
	total("/ichor/merges/for-away:objects", "Queued objects merged on behalf of a thread that was blocked or detached.",
		func(s *rt.Stats) int64 { return s.Merges.ForAway }),
	total("/ichor/merges/in-stops:objects", "Queued objects merged with the world stopped.",
		func(s *rt.Stats) int64 { return s.Merges.InStop }),

	counted("/ichor/operations/owned:operations", "Plain increments and decrements, which are those of a thread's own objects. Counted in checked mode or with the tag ichorstats.",
		func(s *rt.Stats) (int64, bool) { return s.Operations.Owned, s.Operations.Counted }),
	counted("/ichor/operations/shared:operations", "Atomic increments and decrements. Counted in checked mode or with the tag ichorstats.",
		func(s *rt.Stats) (int64, bool) { return s.Operations.Shared, s.Operations.Counted }),
	counted("/ichor/operations/skipped:operations", "Increments and decrements of immortals, which do nothing. Counted with the tag ichorstats.",
		func(s *rt.Stats) (int64, bool) { return s.Operations.Skipped, s.Operations.SkippedCounted }),

	gauge("/ichor/pending/left:calls", "Finalizers and callbacks left behind by threads that detached.",
		func(s *rt.Stats) int64 { return int64(s.Left) }),

	gauge("/ichor/queued:bytes", "Memory of objects that wait for a merge.",
		func(s *rt.Stats) int64 { return s.QueuedBytes }),
	gauge("/ichor/queued:objects", "Objects that wait for a merge.",
		func(s *rt.Stats) int64 { return s.Queued }),

	gauge("/ichor/tables/foreign:values", "Go values that objects hold.",
		func(s *rt.Stats) int64 { return int64(s.Foreign) }),
	gauge("/ichor/tables/interned:strings", "Strings in the intern table.",
		func(s *rt.Stats) int64 { return int64(s.Interned) }),
	gauge("/ichor/tables/weak:objects", "Objects that have weak references.",
		func(s *rt.Stats) int64 { return int64(s.Weak) }),

	gauge("/ichor/threads/attached:threads", "Attached threads, including those in Blocking.",
		func(s *rt.Stats) int64 { return int64(s.Memory.Attached) }),
	gauge("/ichor/threads/pooled:threads", "Thread states in the pool, which no attached thread uses.",
		func(s *rt.Stats) int64 { return int64(s.Pooled) }),

	histogram("/ichor/world/pauses:seconds", "How long each stop of the world lasted. Under the GIL, which needs no stop, how long the holder ran what would need one.",
		func(s *rt.Stats) *metrics.Float64Histogram { return s.Pauses }),
	histogram("/ichor/world/stopping:seconds", "How long each stop of the world took to come about. Empty under the GIL.",
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

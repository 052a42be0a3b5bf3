// Package arena allocates the memory that Ichor's objects live in: from the system,
// outside the Go heap.
//
// # Glossary
//
// docs/glossary.md defines the terms of the project. Those of this package are:
//
//   - granule: 16 bytes, the unit of addresses. The number of a granule is a handle,
//     which the rest of Ichor uses as a reference.
//   - space: one reserved range of addresses. Its size is a power of two.
//   - counted half, immortal half: the lower and the upper half of a space.
//   - span: 64 KiB of a space, the unit in which memory is committed and returned to
//     the system. A span holds slots of one size class, or is part of a large block, or
//     belongs to a region.
//   - class: a slot size, in granules.
//   - purpose: what the slots of a span are used for. There is an account for each.
//   - cache: the spans of one thread. The owner of a cache allocates without atomic
//     operations.
//   - magazine: a few free slots of one purpose and class in a cache, in front of the
//     bitmaps.
//   - outbox: slots in spans of other caches, which a cache has freed and not yet sent
//     there.
//   - common cache: the cache from which every other cache takes its first slots.
//   - to lend: to move a span with free slots from a cache whose owner is away to
//     another cache, for good.
//   - sampled block: one that a profile records. Spans apart hold these.
//   - region: memory of the immortal half that is allocated by bumping an index and
//     freed as a whole.
//   - extent: memory of the frozen quarter, a part of the immortal half. It is filled
//     once and then only read.
//
// # Free slots are bits outside the slots
//
// The free slots of a span are recorded in a bitmap beside the space, not in a list
// threaded through the slots. So freeing writes no byte of an object's page, a heap
// walk knows the live slots without reading them, and a double free is noticed: at the
// latest when the magazine that has the slot is emptied. A thread that frees a slot of
// another thread's span sets the bit in a second, atomic bitmap. The first such thread
// also pushes the span onto the owner's list. Setting a bit is idempotent, so there is
// no ABA problem and no retry loop.
//
//	       free bitmap (owner, plain)
//	      ┌────────────────────────────┐      alloc: lowest set bit
//	span ─┤ 0 0 0 1 0 1 1 1 1 1 1 1 1 1│ ◄─── free by the owner
//	      │ 0 0 1 0 0 0 0 0 0 0 0 0 0 0│ ◄─── free by others (atomic or)
//	      └────────────────────────────┘
//	       remote bitmap (any thread, atomic)
//
// The identity of a span of slots, checked by [Span.check]:
//
//	slots = live + |free| + |remote| + those in magazines and outboxes
//
// # Backings
//
// A space lies in anonymous memory of the system (mmap), in a memfd, or in Go memory.
// The race detector sees Go memory only, so race builds use that, and so do systems
// without mmap. Go memory cannot be returned to the system piece by piece: there, only
// the accounts change.
//
// # What it does not do
//
// The package knows nothing about objects. Its callers decide what to free, and when.
package arena

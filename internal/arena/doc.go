// Package arena hands out the memory that Ichor's objects live in.
//
// # Glossary
//
//   - granule: 16 bytes, the unit of addresses. A granule number is what the
//     rest of Ichor calls a reference, less the meaning.
//   - space: one reserved range of addresses, a power of two of granules.
//   - counted half, immortal half: the lower and the upper half of a space.
//   - span: 64 KiB of a space, the unit of committing and returning memory.
//     A span holds slots of one size class, or is part of a large block, or
//     belongs to a region.
//   - class: a slot size, in granules.
//   - purpose: what a span's slots are used for; accounts are kept for each.
//   - cache: the spans of one thread. Its owner allocates without atomics.
//   - common cache: one that all others take their first slots from.
//   - to lend: to make a span with room of a cache whose owner is away another one's.
//   - region: memory of the immortal half that is handed out by bumping an
//     index and given back as a whole.
//
// # Free slots are bits, outside the memory that they speak of
//
// A span's free slots are a bitmap beside the space, not a list threaded
// through the slots. So freeing writes no byte of an object page, a heap walk
// knows the live slots without asking them, and a slot freed twice shows.
// A thread that frees another thread's slot sets the bit in a second, atomic
// bitmap, and, if it is the first to do so, pushes the span onto its owner's
// list. Setting a bit is idempotent, so neither ABA nor a retry loop arises.
//
//	       free bitmap (owner, plain)
//	      ┌────────────────────────────┐      alloc: lowest set bit
//	span ─┤ 0 0 0 1 0 1 1 1 1 1 1 1 1 1│ ◄─── free by the owner
//	      │ 0 0 1 0 0 0 0 0 0 0 0 0 0 0│ ◄─── free by others (atomic or)
//	      └────────────────────────────┘
//	       remote bitmap (anybody, atomic)
//
// Identity of a span in use, checked by [Span.check]:
//
//	slots = live + |free| + |remote|
//
// # Backings
//
// A space lies in anonymous memory of the system (mmap) or in Go memory. The
// race detector sees Go memory only, so race builds use that; it also serves
// where the system has no mmap. Go memory cannot be handed back to the system
// piece by piece, so there only the accounts change.
//
// # What it does not do
//
// It knows no objects: who frees what, and when, is for the callers to know.
package arena

// Package header defines the sixteen bytes that every object begins with, and every
// change that counting may make to them. No other package loads or stores header words.
//
// docs/glossary.md defines the terms. docs/protocol.md lists the states of an object
// and the transitions between them.
//
// # Layout
//
//	word    written by                                 meaning
//	owner   birth, merge, immortalization              <0 immortal, 0 nobody, >0 a thread id; bit 30: a float
//	local   the owner only, plainly                    the owner's count
//	shared  all other threads, atomically              signed count << 3 | weak << 2 | state
//	meta    birth                                      type id, layout flags
//
//	shared  31 ............................ 3   2    1 0
//	        signed count                       WEAK  state
//	state   0 default, 1 unused, 2 queued, 3 merged
//
// # Floats
//
// A float is a header and nothing else. No thread owns a float, so counting needs
// neither local nor meta, and these two words hold the number.
//
//	owner   birth, immortalization                     IMMORTAL, FLOAT, a note: how the number is written
//	local   birth                                      the number's lower 32 bits
//	shared  all threads, atomically                    as above, born merged
//	meta    birth                                      the number's upper 32 bits
//
// The owner word of a float is no thread's id, so every thread counts a float like a
// merged object of another owner. The functions of this package read local as a count
// only after they have found their own id in owner, or have tested FLOAT. Meta tests
// FLOAT itself, so its callers need not know about floats.
//
// # One code for all ways of counting
//
// The ways of counting differ only in the owner that birth writes:
//
//   - GIL: all threads share one id, and every object has it as its owner. Counting is
//     plain.
//   - Lock-free, atomic: the owner is 0 and the object is born merged. Counting is
//     atomic.
//   - Lock-free, biased (Choi, Shull and Torrellas, PACT 2018): the owner is the thread
//     that made the object. It counts plainly in local, and all other threads count
//     atomically in shared.
//
// An immortal has a negative owner, and its count words are never written: every
// function that would write one loads owner first.
//
// # Bands
//
// A count never wraps. Each end of a count word is a band of values. A count that has
// reached a band is sticky: it stays there, and the object is never freed. A thread
// that meets a sticky count asks for the object to be made immortal at the next safe
// point.
package header

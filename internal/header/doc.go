// Package header holds the sixteen bytes that every object begins with, and
// every change that counting may make to them. It is the one place that loads
// and stores header words.
//
// # Layout
//
//	word    written by                                 meaning
//	owner   birth, merge, immortalisation              <0 immortal, 0 nobody, >0 a thread id; bit 30: a float
//	local   the owner alone, plainly                   the owner's count
//	shared  everybody else, atomically                 signed count << 3 | weak << 2 | state
//	meta    birth                                      type id, layout flags
//
//	shared  31 ............................ 3   2    1 0
//	        signed count                       WEAK  state
//	state   0 default, 1 unused, 2 queued, 3 merged
//
// # Floats
//
// A float is a header and nothing else: what counting does not need of the words of
// an object that nobody owns holds its number.
//
//	owner   birth, immortalisation                     IMMORTAL, FLOAT, a note: how it is written
//	local   birth                                      the number's lower 32 bits
//	shared  everybody, atomically                      as above, born merged
//	meta    birth                                      the number's upper 32 bits
//
// Its owner is no thread's id, so whoever counts it goes the way of an object that
// somebody else owned and that is merged. No function here reads local as a count
// before it has seen its own id in owner, or asked for FLOAT. Meta asks, so all
// others learn the type from it without knowing.
//
// # The same code for every way of counting
//
// What differs is the owner that birth stamps. Under a GIL all threads share
// one id and every object bears it: counting is plain. Without a GIL an object
// bears 0 and is born merged: counting is atomic. Or it bears the id of the thread
// that made it (biased counting: Choi, Shull and Torrellas, PACT 2018): that thread
// counts plainly in local, the others atomically in shared. An immortal bears a negative
// owner, and no count word of it is written: every function here that would
// write one loads owner first.
//
// # Bands
//
// A count never wraps. The ends of both count words are bands: a count that has
// reached one stays there ("sticky"), and the object is never freed. Whoever meets a sticky count asks for
// the object to be made immortal at the next safe point.
package header

// Package point marks where threads meet: before each access to memory that they
// share, and where they wait for each other. The explorer of interleavings (package
// proptest/explore) runs the real code and switches between threads at these points.
//
//	if point.On {
//		point.Load(&h.shared)
//	}
//
// Builds without the tag "explore" have On as the constant false, so that the
// compiler drops such lines before it decides what to inline, and have the types of
// this package as other names for those of sync and go.uber.org/atomic. With the tag
// the types are the same with a point before each operation, and their waiting is
// the explorer's.
//
// # Glossary
//
//   - thread: a coroutine of the explorer. One of them runs at a time, so nothing in
//     the code between two points is disturbed.
//   - point: where a thread may be put aside. It says what the thread is about to do.
//   - explored: the code runs in a thread. Everything else, such as the making of a
//     runtime and the looking at what is left, meets points that do nothing.
//   - whole: a stretch without points, since a lock is held in it that the explorer
//     does not know.
package point

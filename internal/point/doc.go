// Package point marks the places where threads interact: before each access to memory
// that they share, and where they wait for each other. The explorer of interleavings
// (package proptest/explore) runs the real code and switches between threads at these
// points.
//
//	if point.On {
//		point.Load(&h.shared)
//	}
//
// In builds without the tag "explore", On is the constant false, so the compiler drops
// such lines before it decides what to inline. The types of this package are then
// aliases of types of sync, go.uber.org/atomic and internal/aligned. With the tag, each
// type is a wrapper with a point before each operation, and the explorer does the
// waiting.
//
// # Glossary
//
//   - thread: a coroutine of the explorer. Only one runs at a time, so the code between
//     two points is not interrupted.
//   - point: a place where the explorer may switch to another thread. It says what the
//     thread is about to do.
//   - explored: the code runs in a thread. In all other code, such as that which makes
//     a runtime or examines the result, points do nothing.
//   - whole: a stretch of code without points, because it holds a lock that the
//     explorer does not know.
package point

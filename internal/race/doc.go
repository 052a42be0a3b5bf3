// Package race tells the race detector which orders an atomic operation creates, where that is
// less than the detector takes it for.
//
// To the detector, an atomic operation is a release and an acquire: what one thread has done before
// it comes before what another one does after it. The counting of references means less. Two
// threads that count an object around their accesses to it are in no order, and if the detector took
// counting for one, it would not report that they race. So the operations are hidden from it, and
// their meaning is stated:
//
//	if race.On {
//		race.Released(&h.shared)
//		defer race.Hidden()()
//	}
//
// On is a constant, so nothing of this is left in builds without the detector.
package race

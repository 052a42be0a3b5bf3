package shim

// The functions of this file serve forms that a rewritten statement takes in a few places
// only. They are written in terms of the others.

// True and False are for rewritten code, which cannot count on the predeclared names.
const (
	True  = true
	False = false
)

// SendTo returns a function that sends to ch. Its parameter has the type of the elements, so
// that any value that a send statement takes can be its argument.
func SendTo[T any](ch chan<- T) func(v T) { return func(v T) { Send(ch, v) } }

// SendCaseTo is SendTo for a case of a select statement.
func SendCaseTo[T any](ch chan<- T) func(v T) *SendOp[T] {
	return func(v T) *SendOp[T] { return SendCase(ch, v) }
}

// Iter returns what the variables of a loop over a channel are before its first iteration.
func Iter[T any](ch <-chan T) (from <-chan T, v T) { return ch, v }

// Recv2As is Recv2 for a second value of a boolean type of the user's.
func Recv2As[B ~bool, T any](ch <-chan T) (T, B) {
	v, ok := Recv2(ch)
	return v, B(ok)
}

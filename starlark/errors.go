package starlark

import (
	"fmt"
	"strings"

	"go.starlark.net/syntax"
)

// EvalError is the error of a Starlark program that was running.
type EvalError struct {
	Msg   string
	Stack []CallFrame // the innermost call comes last
	cause error
}

// CallFrame is a call that was in progress.
type CallFrame struct {
	Name string
	Pos  syntax.Position
}

// Error returns the message without the calls.
func (e *EvalError) Error() string { return e.Msg }

// Unwrap returns the cause.
func (e *EvalError) Unwrap() error { return e.cause }

// Backtrace returns the calls and the message.
func (e *EvalError) Backtrace() string {
	stack, suffix := e.Stack, ""
	if n := len(stack) - 1; n >= 0 && stack[n].Pos.Filename() == builtinFile {
		suffix = " in " + stack[n].Name
		stack = stack[:n]
	}
	return FormatStack(stack) + fmt.Sprintf("Error%s: %s", suffix, e.Msg)
}

// FormatStack shows calls in lines, as Backtrace does.
func FormatStack(stack []CallFrame) string {
	var b strings.Builder
	if len(stack) > 0 {
		b.WriteString("Traceback (most recent call last):\n")
	}
	for _, fr := range stack {
		fmt.Fprintf(&b, "  %s: in %s\n", fr.Pos, fr.Name)
	}
	return b.String()
}

var builtinFile = "<builtin>"

// CallStack returns the calls that are in progress. The innermost comes last.
func (th *Thread) CallStack() []CallFrame {
	stack := make([]CallFrame, len(th.frames))
	for i := range th.frames {
		fr := &th.frames[i]
		if fr.code != nil {
			stack[i] = CallFrame{fr.code.name, fr.code.position(int(fr.pc) - 1)}
		} else {
			stack[i] = CallFrame{fr.b.name, syntax.MakePosition(&builtinFile, 0, 0)}
		}
	}
	return stack
}

// evalError adds the calls to err, unless it has them.
func (th *Thread) evalError(err error) error {
	if e, ok := err.(*EvalError); ok {
		return e
	}
	err = th.limitError(err)
	return &EvalError{Msg: err.Error(), Stack: th.CallStack(), cause: err}
}

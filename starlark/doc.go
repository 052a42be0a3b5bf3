// Package starlark runs Starlark programs on an Ichor heap. Many goroutines use the same
// modules and values, with a global lock or without one, and a machine's memory has an exact
// limit in bytes.
//
// The packages syntax and resolve of go.starlark.net parse and resolve programs. Everything
// behind them is here: the compiler, the machine, the values and the library.
//
// # Values
//
// A Value has 64 bits, and says by its highest 16 what it is:
//
//	0x0000           a reference of which the holder owns no count: a singleton, an
//	                 immortal object, or a borrowed reference. All bits 0: no value.
//	0x0001           a reference of which the holder owns a count
//	0x0003 - 0xFFFB  a float, to whose bits 3<<48 is added
//	0xFFFF           an integer of 48 bits
//
// So floats and most integers need no object while they are in registers. A slot of an object
// has 32 bits: integers of 29 bits fit it, larger ones and floats are boxed when they are
// stored, and unboxed when they are loaded. Integers beyond 48 bits are objects everywhere.
//
// A struct has its values, and refers to a tuple with the names of its fields. All structs that one
// call of the function struct makes share an immortal tuple, so a thread can remember at which
// place of it a field is.
//
// # Registers
//
// The machine has registers, not a stack of operands. A frame is a window of up to 256 values
// on the thread's stack, and an instruction of 32 bits names registers in it by a byte. The
// window of a called function begins at its arguments in the window of the caller, so a call
// copies nothing. Local variables are registers; variables that a nested function captures are
// in cells, and the register refers to the cell.
//
// # Counting
//
// The machine counts no reference that it only reads:
//
//   - an operand that is a local variable is read where it is;
//   - an argument that is a local variable is passed as a borrowed reference: the caller's
//     register owns the count, and nobody writes that register before the call returns, because
//     expressions do not assign and captured variables are not in registers;
//   - constants, builtins and functions that are defined at the top level without defaults are
//     immortal by address, and the reference itself says so;
//   - what a function returns from a register of its own moves to the caller.
//
// A register that owns a count gives it up when it is overwritten, and at the end of its frame.
// A temporary register may keep its last value until then.
//
// # Code
//
// Code is Go memory, made once for each module by the compiler, and written by nobody after
// that. The values that it refers to are born immortal. Stacks are Go memory without pointers,
// which threads reuse. All other values are objects of the machine's runtime.
//
// # Many threads
//
// Any number of threads may use the same values. Single operations on lists, dicts, sets, global
// variables and captured variables take effect at one moment each. Operations that consist of
// several, such as x += 1 or an iteration, do not: an iteration of a list or dict that another
// thread changes sees each item as it is when its turn comes. The rule that a container does not
// change while it is being iterated holds for each thread by itself: a thread cannot change what
// it iterates, but others can.
//
// # Images
//
// WriteImage writes a module that has run to a file, and OpenImage opens it: see image.go. The
// values of global variables are made from the file when they are first used.
//
// # Limits
//
// Options.Memory bounds the bytes of all values of a machine, of its code, and of the Go memory
// that builtins use for a while: see memory.go. Options.Steps bounds the calls and
// the iterations of each thread, Options.Depth its nested calls; a context ends it from outside.
// Each ends the program with an error that names the limit. A function has at most 160 local
// variables in registers; the others are in cells. Expressions are nested at most about 90
// levels deep.
package starlark

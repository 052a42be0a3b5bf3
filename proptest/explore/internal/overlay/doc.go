// Package overlay rewrites Go packages so that the explorer controls them: it replaces the
// imports of packages that have a twin, and the statements that start goroutines or use
// channels, and writes the result for the flag -overlay of the go command. The files of the
// packages stay as they are.
//
// # Glossary
//
//   - target: a package that is rewritten. The packages of the main module are targets, and
//     those that the caller names.
//   - twin: the package of the explorer that stands for one of sync, sync/atomic, time,
//     context, go.uber.org/atomic, golang.org/x/sync/errgroup and semaphore.
//   - shim: the package whose functions stand for statements.
//   - edit: a range of a file and what it becomes, which may contain other ranges.
//   - note: what cannot be rewritten, with its position.
//
// # From packages to files
//
//	list     the go command says which packages and which variants for tests there are
//	check    go/types checks the targets, from their source, and everything that imports
//	         one. All other packages are read as export data
//	rewrite  each file of a target gives a list of edits
//	render   the edits and the text between them become the new file
//
// A file can belong to a package and to the variant of it that has the internal tests. It is
// rewritten once, with the types of the variant, which are those of the package.
//
// # Positions
//
// A file is edited as text, and not printed from its syntax tree. Behind each edit a
// directive says the line and the column where the original goes on. So messages of the
// compiler, panics and stacks show the user's own lines.
//
// # Names
//
// New variables and the imported shim have a prefix that occurs nowhere in the package. The
// rewritten code uses no predeclared name of its own, because the user's code may declare
// one of that name: it has shim.False where it would have false.
package overlay

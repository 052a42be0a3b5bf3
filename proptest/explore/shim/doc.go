// Package shim has what statements of Go become when a program is brought under the control of an
// exploration: the statement go, channels, select. The command explore puts these calls in the place
// of the statements; nothing else calls them.
//
// Channels stay channels. In an exploration, a channel is modelled by its identity; outside of one,
// each function is the statement that it stands for.
package shim

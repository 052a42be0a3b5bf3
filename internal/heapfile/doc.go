// Package heapfile defines the format of heap snapshots: how the objects of a heap are recorded
// while the world is stopped, how they are written to a file, and how both are read into a
// heapgraph.Graph. A file may be hostile. The package knows nothing of the runtime.
//
// A file:
//
//	bytes     content
//	9         ICHORHEAP
//	1         version
//	sections  tables first, then chunks, then the end
//
// A section:
//
//	bytes     content
//	1         T tables, C chunk, E end
//	varint    length of the contents
//	...       contents: JSON, see Tables; records, see Recorder; the number of chunks as a varint
//	8         xxHash64 of everything in the section before it, little-endian
//
// So every flipped bit shows, and so does a file that ends early.
package heapfile

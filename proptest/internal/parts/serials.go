package parts

// serial is the number of a node. The upper half says which machine made the node; its top bit
// says that the machine is private to one program.
type serial uint32

const (
	numberBits = 16
	privateBit = 1 << 31
)

// serialsOf returns the serial that precedes those of a machine: 0 for the only machine of a
// program, and others for the machines from 1.
func serialsOf(machine int) serial { return serial(machine) << numberBits }

// asPrivate returns the serial with the same number of the private machine of the same program.
func (s serial) asPrivate() serial { return s | privateBit }

// isPrivate reports whether a private machine made the node.
func (s serial) isPrivate() bool { return s&privateBit != 0 }

// number returns the number of the node among those of its machine.
func (s serial) number() uint32 { return uint32(s & (1<<numberBits - 1)) }

// resurrects reports whether the finalizer of the node keeps it.
func (s serial) resurrects() bool { return s.number()%4 == 3 }

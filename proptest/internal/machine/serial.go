package machine

// Serial is the number of a node. The upper half says which machine made the node; its top bit
// says that the machine is private to one program.
type Serial uint32

const (
	numberBits = 16
	privateBit = 1 << 31
)

// SerialsOf returns the serial that precedes those of a machine. Machines have numbers from 0.
func SerialsOf(machine int) Serial { return Serial(machine) << numberBits }

// AsPrivate returns the serial with the same number of the private machine of a program. s is one
// of its machine that shares.
func (s Serial) AsPrivate() Serial { return s | privateBit }

// IsPrivate reports whether a private machine made the node.
func (s Serial) IsPrivate() bool { return s&privateBit != 0 }

// Number returns the number of the node among those of its machine.
func (s Serial) Number() uint32 { return uint32(s & (1<<numberBits - 1)) }

// Resurrects reports whether the finalizer of the node keeps it.
func (s Serial) Resurrects() bool { return s.Number()%4 == 3 }

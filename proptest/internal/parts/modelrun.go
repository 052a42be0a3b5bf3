package parts

// Run runs a program on the model and returns its history.
func Run(prog []Op) (seen History) {
	d := &domain{}
	d.machine = New(d, NewShared(d, 0), 0)
	for _, o := range prog {
		seen = append(seen, d.machine.Step(o))
	}
	return seen
}

package parts

// modelled runs a program on the model and returns its history.
func modelled(prog []op) (seen history) {
	d := &model{}
	d.machine = newMachine(d, newShared(d, 0), 0)
	for _, o := range prog {
		seen = append(seen, d.machine.step(o))
	}
	return seen
}

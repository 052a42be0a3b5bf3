package cpu

import (
	"time"

	"github.com/prometheus/procfs"
)

// A Machine is what all cores did for a while. The kernel counts in ticks of about 10 ms, so a
// single short sample says little, and many together say more.
type Machine struct {
	All    time.Duration // the time of all cores, idle or not
	Own    time.Duration // this process ran
	Others time.Duration // other processes and the kernel ran
	Stolen time.Duration // the hypervisor ran something else in place of a core that had work
}

// Plus adds up two whiles.
func (m Machine) Plus(o Machine) Machine {
	return Machine{m.All + o.All, m.Own + o.Own, m.Others + o.Others, m.Stolen + o.Stolen}
}

// enoughTicks is the least time of all cores for shares: with less, a tick is a share of more than
// 2 %.
const enoughTicks = 500 * time.Millisecond

// Busy is the share of the cores' time in which other processes ran, or 0 if too little was
// counted.
func (m Machine) Busy() float64 {
	if m.All < enoughTicks {
		return 0
	}
	return float64(m.Others) / float64(m.All)
}

// Taken is the share of the time that programs had work for which a hypervisor took, or 0 if too
// little was counted.
func (m Machine) Taken() float64 {
	if m.All < enoughTicks || m.Stolen == 0 {
		return 0
	}
	return float64(m.Stolen) / float64(m.Own+m.Others+m.Stolen)
}

// WatchMachine watches the cores until stop is called. The result is zero if the system does not
// say.
func WatchMachine() (stop func() Machine) {
	before, ok := machine()
	return func() Machine {
		after, still := machine()
		if !ok || !still {
			return Machine{}
		}
		return between(before, after)
	}
}

// A reading has the accounts since the machine and the process started.
type reading struct {
	busy, idle, stolen time.Duration
	own                time.Duration
}

// between is what the cores did between two readings. The accounts of the cores are in ticks and
// those of the process are exact, so a difference may be below zero by a tick: then it is zero.
func between(a, b reading) Machine {
	m := Machine{Own: b.own - a.own, Stolen: max(b.stolen-a.stolen, 0)}
	busy := max(b.busy-a.busy, 0)
	m.Others = max(busy-m.Own, 0)
	m.All = m.Own + m.Others + m.Stolen + max(b.idle-a.idle, 0)
	return m
}

// machine is a variable so that tests can replace it.
var machine = readMachine

func readMachine() (r reading, ok bool) {
	own, ok := ownTime()
	if !ok {
		return r, false
	}
	fs, err := procfs.NewDefaultFS()
	if err != nil {
		return r, false
	}
	stat, err := fs.Stat()
	if err != nil {
		return r, false
	}
	t := stat.CPUTotal
	seconds := func(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
	return reading{
		busy: seconds(t.User + t.Nice + t.System + t.IRQ + t.SoftIRQ),
		idle: seconds(t.Idle + t.Iowait), stolen: seconds(t.Steal), own: own,
	}, true
}

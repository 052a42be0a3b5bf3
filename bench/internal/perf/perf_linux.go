package perf

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// counter is an event of one thread, and of the threads that it starts.
type counter struct {
	name string
	file int
}

// start opens a counter for each event and thread. They count from then on.
func start(events []event) (stop func() (map[string]float64, error), err error) {
	var open []counter
	closeAll := func() {
		for _, c := range open {
			_ = unix.Close(c.file) // nothing was written
		}
	}
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return nil, err
	}
	for _, t := range threads {
		id, err := strconv.Atoi(t.Name())
		if err != nil {
			continue
		}
		for _, e := range events {
			file, err := openCounter(e, id)
			if errors.Is(err, unix.ESRCH) {
				break // the thread has ended
			}
			if err != nil {
				closeAll()
				return nil, err
			}
			open = append(open, counter{e.name, file})
		}
	}
	return func() (map[string]float64, error) {
		defer closeAll()
		sums := map[string]count{}
		for _, c := range open {
			v, err := read(c.file)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", c.name, err)
			}
			sums[c.name] = sums[c.name].plus(v)
		}
		return scaled(sums), nil
	}, nil
}

func openCounter(e event, thread int) (file int, err error) {
	attr := unix.PerfEventAttr{
		Type: uint32(e.kind), Config: e.config,
		Bits:        unix.PerfBitInherit | unix.PerfBitExcludeKernel | unix.PerfBitExcludeHv,
		Read_format: unix.PERF_FORMAT_TOTAL_TIME_ENABLED | unix.PERF_FORMAT_TOTAL_TIME_RUNNING,
	}
	attr.Size = unix.PERF_ATTR_SIZE_VER5 // what follows is not used
	file, err = unix.PerfEventOpen(&attr, thread, -1, -1, unix.PERF_FLAG_FD_CLOEXEC)
	switch {
	case errors.Is(err, unix.EACCES), errors.Is(err, unix.EPERM):
		return 0, fmt.Errorf("perf_event_open is not permitted (kernel.perf_event_paranoid is %s)", paranoid())
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.EOPNOTSUPP), errors.Is(err, unix.ENODEV), errors.Is(err, unix.EINVAL):
		return 0, errors.New("the processor, or the hypervisor, does not offer it")
	case errors.Is(err, unix.ENOSYS):
		return 0, errSystem
	case err != nil && !errors.Is(err, unix.ESRCH):
		return 0, fmt.Errorf("perf_event_open: %w", err)
	}
	return file, err
}

// paranoid is how much the kernel forbids.
func paranoid() string {
	text, err := os.ReadFile("/proc/sys/kernel/perf_event_paranoid")
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(text))
}

// read reads a counter.
func read(file int) (c count, err error) {
	var b [24]byte
	if n, err := unix.Read(file, b[:]); err != nil || n != len(b) {
		return c, fmt.Errorf("read %d bytes: %w", n, err)
	}
	word := func(i int) uint64 { return binary.NativeEndian.Uint64(b[8*i:]) }
	return count{word(0), word(1), word(2)}, nil
}

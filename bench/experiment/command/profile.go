package command

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/pprof"
	"runtime/trace"
)

// record starts what the flags ask for, until stop is called: a CPU profile, whose samples have the
// labels scenario, variant, and phase, which is warm-up or sample,
//
//	go tool pprof -tagfocus 'variant=mode=atomic' FILE
//
// and an execution trace, in which each sample is a task with the name of its scenario and variant,
// and has a region for each lane.
func (f *Flags) record() (stop func() error, err error) {
	var files []*recording
	stop = func() (err error) {
		for _, r := range files {
			err = errors.Join(err, r.close())
		}
		return err
	}
	for _, r := range []*recording{
		{flag: "-cpuprofile", name: f.CPUProfile, start: pprof.StartCPUProfile, stop: pprof.StopCPUProfile},
		{flag: "-trace", name: f.Trace, start: trace.Start, stop: trace.Stop},
	} {
		if r.name == "" {
			continue
		}
		if err := r.open(files); err != nil {
			return nil, UsageError{errors.Join(fmt.Errorf("%s: %w", r.flag, err), stop())}
		}
		files = append(files, r)
	}
	return stop, nil
}

// A recording is what one flag asks for. It remembers the first error of a write, since neither
// package says that its output got lost.
type recording struct {
	flag, name string
	start      func(w io.Writer) error
	stop       func()

	file   *os.File
	failed error
}

// open starts the recording. Others have their files open.
func (r *recording) open(others []*recording) (err error) {
	if r.file, err = os.Create(r.name); err != nil {
		return err
	}
	if err = r.distinct(others); err == nil {
		err = r.start(r)
	}
	if err != nil {
		return errors.Join(err, r.file.Close())
	}
	return nil
}

// distinct returns an error if one of the others has the same file.
func (r *recording) distinct(others []*recording) error {
	mine, err := r.file.Stat()
	if err != nil {
		return err
	}
	for _, o := range others {
		if info, err := o.file.Stat(); err == nil && os.SameFile(mine, info) {
			return fmt.Errorf("%s is the file of %s", r.name, o.flag)
		}
	}
	return nil
}

// Write is called by the package that records, on a goroutine of its own.
func (r *recording) Write(b []byte) (int, error) {
	n, err := r.file.Write(b)
	if err != nil && r.failed == nil {
		r.failed = err
	}
	return n, err
}

// close ends the recording: stop waits until all is written.
func (r *recording) close() error {
	r.stop()
	if err := errors.Join(r.failed, r.file.Close()); err != nil {
		return fmt.Errorf("%s: %w", r.flag, err)
	}
	return nil
}

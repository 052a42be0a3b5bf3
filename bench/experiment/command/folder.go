package command

import (
	"errors"
	"os"
	"path/filepath"
)

// CheckFolder makes a folder if there is none, and finds out whether files can be written there. Call
// it before a measurement whose results go there.
func CheckFolder(folder string) error {
	if err := os.MkdirAll(folder, 0o777); err != nil {
		return err
	}
	return probe(folder)
}

// CheckFile finds out whether the file can be written: whether its folder is there, and takes new
// files. Call it before the work whose result goes there.
func CheckFile(file string) error {
	if info, err := os.Stat(file); err == nil && info.IsDir() {
		return &os.PathError{Op: "write", Path: file, Err: errors.New("is a folder")}
	}
	return probe(filepath.Dir(file))
}

// probe makes a file in a folder, and removes it.
func probe(folder string) error {
	f, err := os.CreateTemp(folder, ".writable-")
	if err != nil {
		var cause *os.PathError
		if errors.As(err, &cause) {
			err = &os.PathError{Op: "write to", Path: folder, Err: cause.Err} // the name of the file would say nothing
		}
		return err
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

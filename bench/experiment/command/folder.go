package command

import (
	"errors"
	"os"
)

// CheckFolder makes a folder if there is none, and finds out whether files can be written there.
// Call it before a
// measurement whose results go there.
func CheckFolder(folder string) error {
	if err := os.MkdirAll(folder, 0o777); err != nil {
		return err
	}
	f, err := os.CreateTemp(folder, ".writable-")
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

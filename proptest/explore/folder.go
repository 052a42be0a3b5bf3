//go:build explore

package explore

import (
	"os"
	"path/filepath"
)

// folder returns the folder of the package for a command line: relative to where the command
// explore was started, if it says that, else the current one.
func folder() string {
	from := os.Getenv("EXPLORE_FOLDER")
	here, err := os.Getwd()
	if err != nil || from == "" {
		return "."
	}
	to, err := filepath.Rel(from, here)
	if err != nil {
		return here
	}
	if to == "." || to == ".." || len(to) > 2 && to[:3] == ".."+string(filepath.Separator) {
		return to
	}
	return "." + string(filepath.Separator) + to
}

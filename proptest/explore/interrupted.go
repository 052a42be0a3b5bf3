//go:build explore

package explore

import (
	"fmt"
	"os"
	"syscall"
)

// tell prints what was explored before an interruption. The go command keeps back what a test
// prints, and loses it when it is interrupted itself. So the command explore names a file that
// it shows at the end.
func tell(text string) {
	fmt.Print(text)
	name, ok := syscall.Getenv("EXPLORE_INTERRUPTED") // os.Getenv would keep go test from caching results
	if !ok {
		return
	}
	file, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return // it is printed
	}
	_, _ = file.WriteString(text)
	_ = file.Close()
}

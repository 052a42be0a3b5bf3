package command

import (
	"cmp"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
)

// Builtin are the commands that [Parse] runs by itself. Embed it in the struct of the commands, so
// that the help lists them.
type Builtin struct {
	Help struct {
		Command []string `arg:"" optional:"" help:"The command (default: the program itself)."`
	} `cmd:"" help:"Show what a command does, and its flags."`
	Version struct{} `cmd:"" help:"Show the versions of the program and of Go."`
}

// runBuiltin runs the command help or version, if args call one. For help it returns the arguments
// that make the parser print it.
func runBuiltin(name string, args []string, stdout io.Writer) (rest []string, err error) {
	if len(args) == 0 {
		return args, nil
	}
	switch args[0] {
	case "help":
		return append(args[1:len(args):len(args)], "--help"), nil
	case "version", "-version", "--version":
		if len(args) > 1 && args[1] != "-h" && args[1] != "--help" && args[1] != "-help" {
			return nil, UsageError{fmt.Errorf("unexpected argument %s", args[1])}
		}
		if len(args) == 1 {
			if _, err := fmt.Fprintln(stdout, versionLine(name, debug.ReadBuildInfo)); err != nil {
				return nil, err
			}
			return nil, ErrHelp
		}
	}
	return args, nil
}

// versionLine is the version of the program as the go tool noted it, and that of Go.
func versionLine(name string, read func() (*debug.BuildInfo, bool)) string {
	version, revision, changed := "unknown version", "", ""
	if info, ok := read(); ok {
		version = cmp.Or(info.Main.Version, version)
		for _, s := range info.Settings {
			switch {
			case s.Key == "vcs.revision":
				revision = ", commit " + s.Value[:min(len(s.Value), 12)]
			case s.Key == "vcs.modified" && s.Value == "true":
				changed = " with changes"
			}
		}
	}
	return fmt.Sprintf("%s %s%s%s, %s %s/%s", name, version, revision, changed, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

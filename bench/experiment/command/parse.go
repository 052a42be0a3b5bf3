package command

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/alecthomas/kong"
)

// ErrHelp means that the command line asked for help or for the version, and that it was printed.
var ErrHelp = errors.New("help was printed")

// helpDashes writes flags in the style of the go tool, and keeps the columns.
var helpDashes = strings.NewReplacer("> --help", "> -help", "--", " -")

// Parse reads a command line into cli, a pointer to a struct with the tags of
// github.com/alecthomas/kong, and returns the name of the command that it calls. Flags are in the
// style of the go tool: -name value. A flag with the tag sep:"none" takes all values up to the
// next flag. Only a flag with the tag empty:"" may have an empty value. A flag with the tag
// needs:"other" may be given only with the flag -other. If the command line asks for help or for
// the version, as "help", "-h" or "version" do, Parse writes it to stdout and returns ErrHelp.
// Other errors are UsageErrors.
func Parse(cli any, name, about string, args []string, stdout io.Writer) (called string, err error) {
	var help bytes.Buffer
	type exit struct{}
	parser, err := kong.New(cli,
		kong.Name(name),
		kong.Description(about),
		kong.Writers(&help, &help),
		kong.Exit(func(int) { panic(exit{}) }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
	)
	if err != nil {
		return "", err
	}
	if args, err = runBuiltin(name, args, stdout); err != nil {
		return "", err
	}
	args, err = goFlags(args, valueFlags(parser.Model))
	if err != nil {
		return "", UsageError{err}
	}
	defer func() {
		switch r := recover().(type) {
		case nil:
		case exit:
			if _, err = io.WriteString(stdout, helpDashes.Replace(help.String())); err == nil {
				err = ErrHelp
			}
		default:
			panic(r)
		}
	}()
	ctx, err := parser.Parse(args)
	if err != nil {
		if len(args) > 0 && err.Error() == "unexpected argument "+args[0] {
			err = fmt.Errorf("unknown command %s; the commands are %s", args[0], strings.Join(commands(parser.Model), ", "))
		}
		return "", UsageError{errors.New(strings.ReplaceAll(err.Error(), "--", "-"))}
	}
	return ctx.Command(), needed(ctx)
}

// commands are the names of the commands that the help lists.
func commands(model *kong.Application) (names []string) {
	for _, node := range model.Children {
		if !node.Hidden {
			names = append(names, node.Name)
		}
	}
	return names
}

// needed returns an error if a flag was given without the flag that it needs.
func needed(ctx *kong.Context) error {
	given := map[string]bool{}
	for _, p := range ctx.Path {
		if p.Flag != nil {
			given[p.Flag.Name] = true
		}
	}
	for _, p := range ctx.Path {
		if p.Flag != nil && p.Flag.Tag.Has("needs") && !given[p.Flag.Tag.Get("needs")] {
			return UsageError{fmt.Errorf("-%s needs -%s", p.Flag.Name, p.Flag.Tag.Get("needs"))}
		}
	}
	return nil
}

package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sluice-gateway/sluice/dataplanes/release"
)

// Streams are where a command reads and writes.
type Streams struct {
	Out io.Writer
	Err io.Writer
	// TTY is true where Out is a terminal that can show colours.
	TTY bool
	// Columns says how wide that terminal is; nil and 0 are unknown.
	Columns func() int
	// NoColour is the user's wish (NO_COLOR).
	NoColour bool
}

// errUnhealthy ends a command that has said everything already.
var errUnhealthy = errors.New("not everything is accepted")

// Main runs the command line and returns the exit code: 0, 1 where the answer
// is bad news, 2 where the command could not do its work.
func Main(ctx context.Context, args []string, streams Streams) int {
	root := newRoot(streams)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errUnhealthy):
		return 1
	default:
		_, _ = fmt.Fprintf(streams.Err, "sluice: %v\n", err)
		return 2
	}
}

func newRoot(streams Streams) *cobra.Command {
	root := &cobra.Command{
		Use:   "sluice",
		Short: "Gateway API in front of HAProxy, Envoy or the built-in Go proxy",
		Long: "Sluice turns Gateway API objects into live traffic.\n\n" +
			"  sluice run examples/quickstart      serve a directory of YAML on this machine\n" +
			"  sluice run --once DIR               check a directory, for CI and git hooks\n" +
			"  sluice explain DIR GET URL          why would this request go there?",
		Version:       release.Version(),
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.SetOut(streams.Out)
	root.SetErr(streams.Err)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return fmt.Errorf("%w; %s --help lists the flags", err, cmd.CommandPath())
	})
	root.AddCommand(newRun(streams), newTranslate(streams), newExplain(streams), newEcho(streams), newOperator(streams), newVersion(streams))
	return root
}

// exactly asks for arguments by their names.
func exactly(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == len(names) {
			return nil
		}
		if len(names) == 0 {
			return fmt.Errorf("%s takes no arguments, and got %q; %s --help lists the flags", cmd.CommandPath(), args[0], cmd.CommandPath())
		}
		return fmt.Errorf("%s wants %s, and got %d arguments; for example: %s",
			cmd.CommandPath(), strings.Join(names, " "), len(args), strings.TrimSpace(cmd.Example))
	}
}

// directories completes the first argument with directories, and no other.
func directories(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) == 0 {
		return nil, cobra.ShellCompDirectiveFilterDirs
	}
	return nil, cobra.ShellCompDirectiveNoFileComp
}

// oneOf completes a flag with fixed values, and refuses others.
type oneOf struct {
	name    string
	value   *string
	choices []string
}

func (o oneOf) register(cmd *cobra.Command) {
	_ = cmd.RegisterFlagCompletionFunc(o.name, cobra.FixedCompletions(o.choices, cobra.ShellCompDirectiveNoFileComp))
}

func (o oneOf) check() error {
	for _, c := range o.choices {
		if *o.value == c {
			return nil
		}
	}
	return fmt.Errorf("--%s is %q: want %s", o.name, *o.value, strings.Join(o.choices, " or "))
}

package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

//go:generate sh -c "go run -buildvcs=false . docs > ../../docs/cli.md"

// docs prints the reference of the command line. docs/cli.md is made by it.
func (c *cli) docs() *cobra.Command {
	return &cobra.Command{
		Use: "docs", Short: "Print the reference of all commands as Markdown", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			out := cmd.OutOrStdout()
			root := cmd.Root()
			fmt.Fprintf(out, "# Command line\n\n%s\n\nGlobal options:\n%s", root.Long, options(root.PersistentFlags()))
			reference(out, root)
			settingsReference(out)
			return nil
		},
	}
}

// reference prints every command that does something, and its own options.
func reference(out io.Writer, parent *cobra.Command) {
	for _, cmd := range parent.Commands() {
		if !cmd.IsAvailableCommand() || cmd.Name() == "completion" {
			continue
		}
		if cmd.HasAvailableSubCommands() && cmd.Long == "" { // a group
			reference(out, cmd)
			continue
		}
		text := cmd.Short + "."
		if cmd.Long != "" {
			text = cmd.Long
		}
		fmt.Fprintf(out, "\n## %s\n\n%s\n", strings.TrimSuffix(cmd.UseLine(), " [flags]"), text)
		if cmd.Example != "" {
			fmt.Fprintf(out, "\n```sh\n%s\n```\n", strings.ReplaceAll(strings.TrimSpace(cmd.Example), "\n  ", "\n"))
		}
		fmt.Fprint(out, options(cmd.LocalNonPersistentFlags()))
		reference(out, cmd)
	}
}

// settingsReference is a table of the environment variables.
func settingsReference(out io.Writer) {
	fmt.Fprint(out, "\n## Settings\n\nEvery variable may also be given as `NAME_FILE`, the path of a file that holds the value. Unknown `STRATA_` names are an error.\n\n"+
		"| variable | default | meaning |\n|---|---|---|\n")
	fields := config{}.fields()
	for _, name := range configNames() {
		fmt.Fprintf(out, "| `%s` | %s | %s |\n", name, fields[name].fallback, fields[name].means)
	}
}

// options is a table of flags.
func options(flags *pflag.FlagSet) string {
	var b strings.Builder
	flags.VisitAll(func(f *pflag.Flag) {
		name := "`--" + f.Name + "`"
		if f.Shorthand != "" {
			name = "`-" + f.Shorthand + "`, " + name
		}
		if f.Name != "help" {
			fmt.Fprintf(&b, "| %s | %s | %s |\n", name, f.Usage, f.DefValue)
		}
	})
	if b.Len() == 0 {
		return ""
	}
	return "\n| option | meaning | default |\n|---|---|---|\n" + b.String()
}

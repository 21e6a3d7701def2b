// Command strata is the whole product in one binary: the service (serve), a
// complete installation on one machine (dev), the operator's tools, and a client
// of the public API.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"strata.dev/strata/adapters/embedded"
	"strata.dev/strata/domain/fault"
	"strata.dev/strata/migrations"
)

// Exit codes. Scripts rely on them.
const (
	exitOK          = 0
	exitFailure     = 1
	exitUsage       = 2
	exitDiverged    = 3 // a verification found what should not be
	exitUnreachable = 4 // a dependency (PostgreSQL, RabbitMQ, the service) is missing, too old, or cannot be reached
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	go func() {
		<-ctx.Done()
		stop() // a second signal ends the process at once
	}()
	os.Exit(run(ctx, os.Args[1:], os.Environ(), os.Stdin, os.Stdout, os.Stderr))
}

// run is the whole program, with what it takes from outside passed in, so that
// tests can run it too. It returns the exit code; the one line that says what
// went wrong, why, and how to go on is on stderr by then.
func run(ctx context.Context, args, environ []string, stdin io.Reader, stdout, stderr io.Writer) int {
	root := newRoot(environ)
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err == nil || errors.Is(err, context.Canceled) && ctx.Err() != nil {
		return exitOK
	}
	fmt.Fprintln(stderr, "strata:", err)
	var usage usageError
	switch {
	case errors.As(err, &usage):
		return exitUsage
	case errors.Is(err, errDiverged):
		return exitDiverged
	case errors.Is(err, errUnreachable), isUnavailable(err), errors.Is(err, migrations.ErrServerTooOld),
		errors.Is(err, embedded.ErrBinaryMissing), errors.Is(err, embedded.ErrTooOld), errors.Is(err, embedded.ErrStart):
		return exitUnreachable
	}
	return exitFailure
}

// errUnreachable marks an error as "a dependency cannot be reached".
var errUnreachable = errors.New("unreachable")

func isUnavailable(err error) bool {
	var f *fault.Fault
	return errors.As(err, &f) && f.Kind == fault.Unavailable
}

func newRoot(environ []string) *cobra.Command {
	cli := &cli{environ: environ}
	root := group("strata", "The system of record for strategies: an event log, its read databases, and its relay")
	root.Long = root.Short + `

Settings are environment variables (strata config print). Exit codes: 0 done, 1 failed, 2 wrong usage or
configuration, 3 a verification found a difference, 4 a server cannot be reached.`
	root.SilenceUsage, root.SilenceErrors = true, true
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.PersistentPreRunE = func(*cobra.Command, []string) error { return cli.check() }
	cli.flags(root)
	root.AddCommand(
		cli.serve(), cli.dev(), cli.migrate(), cli.projections(), cli.archive(), cli.relay(), cli.epoch(), cli.restore(), cli.ledger(), cli.witness(), cli.keys(), cli.doctor(), cli.proving(), cli.fsck(), cli.pack(), cli.healthcheck(),
		cli.events(), cli.source(), cli.importing(), cli.exporting(), cli.token(), cli.config(), cli.version(), cli.docs(),
	)
	return root
}

// cli holds what every subcommand needs: the environment and the global flags.
type cli struct {
	environ  []string
	output   string // -o
	progress string // --progress
	yes      bool   // --yes
}

// flags are the global ones.
func (c *cli) flags(root *cobra.Command) {
	f := root.PersistentFlags()
	f.StringVarP(&c.output, "output", "o", tableOutput, "table or json")
	f.StringVar(&c.progress, "progress", progressAuto, "auto (a bar on a terminal, else JSON lines), bar, json or none")
	f.BoolVar(&c.yes, "yes", false, "do not ask before something is deleted")
	// Registering fails only for a flag that is not there.
	_ = root.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(outputs, cobra.ShellCompDirectiveNoFileComp))
	_ = root.RegisterFlagCompletionFunc("progress", cobra.FixedCompletions(progressModes, cobra.ShellCompDirectiveNoFileComp))
}

// load reads the configuration and makes the logger. JSON on stderr: stdout
// belongs to what a command prints for its caller.
func (c *cli) load(stderr io.Writer) (config, *slog.Logger, error) {
	cfg, err := loadConfig(c.environ)
	if err != nil {
		return config{}, nil, err
	}
	var level slog.Level
	if err := level.UnmarshalText([]byte(cfg.LogLevel)); err != nil {
		return config{}, nil, usageError{fmt.Errorf("STRATA_LOG_LEVEL: %w", err)}
	}
	return cfg, slog.New(slog.NewJSONHandler(stderr, &slog.HandlerOptions{Level: level})), nil
}

// group is a command that only has others below it. What is none of them is
// refused: cobra itself would print help and succeed.
func group(use, short string) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short, Args: cobra.ArbitraryArgs, SuggestionsMinimumDistance: 2,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cmd.Help()
			}
			hint := ""
			if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
				hint = fmt.Sprintf("; did you mean %s?", near[0])
			}
			return usageError{fmt.Errorf("unknown command %q for %s%s", args[0], cmd.CommandPath(), hint)}
		},
	}
}

// noArgs refuses arguments as a usage error.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usageError{fmt.Errorf("%s takes no arguments, got %q", cmd.CommandPath(), args)}
	}
	return nil
}

// exactly n arguments, or a usage error that names them.
func exactly(n int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != n {
			return usageError{fmt.Errorf("%s takes %s", cmd.CommandPath(), what)}
		}
		return nil
	}
}

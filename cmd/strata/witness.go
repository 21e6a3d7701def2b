package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"strata.dev/strata/adapters/witness"
)

// witness is a process of its own, best on a machine of its own.
func (c *cli) witness() *cobra.Command {
	var addr, keyFile, stateFile, name string
	var logs []string
	var printKey bool
	cmd := &cobra.Command{
		Use: "witness", Short: "Run a witness: it cosigns checkpoints of a log that never forks nor goes back", Args: noArgs,
		Long: `Answers the requests of C2SP tlog-witness: it remembers the largest checkpoint of each log and cosigns a next one only if it
is proved to continue that one. It needs no database, and should not be run, nor its two files be reachable, by those who
administer the log. The key is made if it is missing. The state file is what the witness remembers: back it up, never
remove it.`,
		Example: "  strata witness --print-key --name witness.example\n  strata witness --name witness.example --log strata.example/log+12345678+AY…",
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, log, err := c.load(cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			cosigner, err := witness.OpenCosigner(keyFile, name)
			if err != nil {
				return usageError{err}
			}
			if printKey {
				return c.print(cmd.OutOrStdout(), map[string]string{"key": cosigner.VKey()}, func(w io.Writer) error {
					_, err := fmt.Fprintln(w, cosigner.VKey())
					return err
				})
			}
			if len(logs) == 0 {
				return usageError{errors.New("--log is missing: the verifier key of which log? (strata ledger keys)")}
			}
			ctx := cmd.Context()
			server, err := witness.NewServer(witness.ServerOptions{Cosigner: cosigner, State: stateFile, Logs: logs, Logger: log})
			if err != nil {
				return err
			}
			defer func() {
				if err := server.Close(); err != nil {
					log.WarnContext(ctx, "close the witness's state", "err", err)
				}
			}()
			l, err := listen(ctx, "--listen", addr)
			if err != nil {
				return err
			}
			log.InfoContext(ctx, "witnessing", "addr", l.Addr().String(), "key", cosigner.VKey())
			return server.Serve(ctx, l)
		},
	}
	f := cmd.Flags()
	f.StringVar(&addr, "listen", "127.0.0.1:8090", "where it listens")
	f.StringVar(&keyFile, "key-file", "witness.key", "its key; made if missing")
	f.StringVar(&stateFile, "state", "witness.state", "what it remembers")
	f.StringVar(&name, "name", "strata-witness", "what its key is called in cosignatures")
	f.StringArrayVar(&logs, "log", nil, "verifier key of a log; once for each key, and while one replaces another for both")
	f.BoolVar(&printKey, "print-key", false, "print its verifier key, for STRATA_WITNESS_KEY, and end")
	return cmd
}

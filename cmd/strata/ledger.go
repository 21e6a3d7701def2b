package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"strata.dev/strata/adapters/notekeys"
	"strata.dev/strata/adapters/postgres"
	"strata.dev/strata/app/ledger"
)

// ledger looks after what seals the log.
func (c *cli) ledger() *cobra.Command {
	cmd := group("ledger", "The sealed log: its keys, and how far it is signed")
	cmd.AddCommand(c.ledgerKeygen(), c.ledgerKeys(), c.ledgerStatus())
	return cmd
}

func (c *cli) ledgerKeygen() *cobra.Command {
	return &cobra.Command{
		Use: "keygen", Short: "Make one more key that signs checkpoints, and print its verifier key", Args: noArgs,
		Long: `Makes a key in the file that STRATA_LEDGER_KEY_FILE names, and the file if it is not there. All keys of the file sign. To
replace one: make another, restart the instances, give the new verifier key to everybody who verifies, and when all have it
remove the first block of the file and restart again. Keep a copy where the log's administrators cannot reach it.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, _, err := c.load(cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			file := cfg.ledgerKeyFile()
			if file == "" {
				return usageError{errors.New("STRATA_LEDGER_KEY_FILE not set: where is the key to be?")}
			}
			vkey, err := notekeys.Add(file, ledger.KeyName(cfg.Instance))
			if err != nil {
				return err
			}
			return c.print(cmd.OutOrStdout(), map[string]string{"file": file, "key": vkey}, func(w io.Writer) error {
				_, err := fmt.Fprintln(w, vkey)
				return err
			})
		},
	}
}

// ledgerKey is one line of `strata ledger keys`.
type ledgerKey struct {
	Key       string `json:"key"`
	Signs     bool   `json:"signs"`                      // it is in the key file of these settings
	FirstSize int64  `json:"firstSize,omitempty,string"` // of the first checkpoint it signed; 0 = none yet
	LastSize  int64  `json:"lastSize,omitempty,string"`
}

func (c *cli) ledgerKeys() *cobra.Command {
	return &cobra.Command{
		Use: "keys", Short: "List the verifier keys that sign, and those that have", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.withLedger(cmd, func(ctx context.Context, cfg config, store *postgres.Ledger, _ *postgres.Log) error {
				seen, err := store.Keys(ctx)
				if err != nil {
					return explain("the event log", cfg.LogURL, err)
				}
				var keys []ledgerKey
				for _, k := range seen {
					keys = append(keys, ledgerKey{Key: k.VKey, FirstSize: k.FirstSize, LastSize: k.LastSize})
				}
				signing, err := presentKeys(cfg)
				if err != nil {
					return err
				}
				for _, vkey := range signing {
					i := slices.IndexFunc(keys, func(k ledgerKey) bool { return k.Key == vkey })
					if i < 0 {
						keys, i = append(keys, ledgerKey{Key: vkey}), len(keys)
					}
					keys[i].Signs = true
				}
				return c.print(cmd.OutOrStdout(), keys, func(w io.Writer) error {
					fmt.Fprintln(w, "KEY\tSIGNS\tFROM SIZE\tTO SIZE")
					for _, k := range keys {
						fmt.Fprintf(w, "%s\t%t\t%s\t%s\n", k.Key, k.Signs, count(k.FirstSize), count(k.LastSize))
					}
					return nil
				})
			})
		},
	}
}

// presentKeys are the verifier keys of the key file; none if there is no file. It
// makes none: looking changes nothing.
func presentKeys(cfg config) ([]string, error) {
	if examineKeyFile("", cfg.ledgerKeyFile(), "").Status == findingWarn {
		return nil, nil
	}
	keys, err := notekeys.Open(notekeys.Options{File: cfg.ledgerKeyFile(), Name: ledger.KeyName(cfg.Instance)})
	if err != nil {
		return nil, usageError{fmt.Errorf("STRATA_LEDGER_KEY_FILE: %w", err)}
	}
	return keys.VKeys, nil
}

// ledgerState is what `strata ledger status` tells.
type ledgerState struct {
	Origin   string    `json:"origin"`
	Head     int64     `json:"head,string"`   // of the log
	Size     int64     `json:"size,string"`   // of the tree
	Signed   int64     `json:"signed,string"` // of the newest checkpoint; 0 = none
	SignedAt time.Time `json:"signedAt,omitzero"`
	Root     string    `json:"root,omitempty"` // base64, as in the checkpoint
	Note     string    `json:"checkpoint,omitempty"`
}

func (c *cli) ledgerStatus() *cobra.Command {
	return &cobra.Command{
		Use: "status", Short: "Show how far the log is sealed, and the newest checkpoint", Args: noArgs,
		Long: "It shows what is stored. Whether that is what the log holds says `strata verify`; whether signing is refused says /healthz.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.withLedger(cmd, func(ctx context.Context, cfg config, store *postgres.Ledger, events *postgres.Log) error {
				st, err := surveyLedger(ctx, cfg, store, events)
				if err != nil {
					return explain("the event log", cfg.LogURL, err)
				}
				return c.print(cmd.OutOrStdout(), st, func(w io.Writer) error {
					fmt.Fprintf(w, "log\t%s\nhead\t%d\ntree\t%d\nsigned\t%s\n", st.Origin, st.Head, st.Size, count(st.Signed))
					if st.Signed > 0 {
						fmt.Fprintf(w, "signed at\t%s\n\n%s", st.SignedAt.Format(time.RFC3339), st.Note)
					}
					return nil
				})
			})
		},
	}
}

func surveyLedger(ctx context.Context, cfg config, store *postgres.Ledger, events *postgres.Log) (st ledgerState, err error) {
	epochs, err := events.Epochs(ctx)
	if err != nil {
		return st, err
	}
	epoch := epochs.Current().Number
	st.Origin = ledger.Origin(cfg.Instance, epoch)
	if st.Head, err = events.Head(ctx); err != nil {
		return st, err
	}
	if st.Size, err = store.Size(ctx); err != nil {
		return st, err
	}
	newest, ok, err := store.Latest(ctx, epoch)
	if err != nil || !ok {
		return st, err
	}
	st.Signed, st.SignedAt, st.Root, st.Note = newest.Size, newest.SignedAt, newest.Root.String(), string(newest.Note)
	return st, nil
}

// withLedger opens the log and its ledger for a command.
func (c *cli) withLedger(cmd *cobra.Command, do func(context.Context, config, *postgres.Ledger, *postgres.Log) error) error {
	cfg, _, err := c.load(cmd.ErrOrStderr())
	if err != nil {
		return err
	}
	if err := cfg.need("STRATA_LOG_URL"); err != nil {
		return err
	}
	ctx := cmd.Context()
	events, err := postgres.Open(ctx, cfg.LogURL, postgres.Options{})
	if err != nil {
		return explain("the event log", cfg.LogURL, err)
	}
	defer events.Close()
	store, err := postgres.OpenLedger(ctx, cfg.LogURL)
	if err != nil {
		return explain("the event log", cfg.LogURL, err)
	}
	defer store.Close()
	return do(ctx, cfg, store, events)
}

// count shows nothing for none.
func count(n int64) string {
	if n == 0 {
		return "–"
	}
	return fmt.Sprint(n)
}

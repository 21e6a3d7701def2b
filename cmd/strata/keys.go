package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"strata.dev/strata/adapters/blob"
	"strata.dev/strata/adapters/keystore"
)

// keys looks after the keys that personal data is sealed with.
func (c *cli) keys() *cobra.Command {
	cmd := group("keys", "The key store of personal data, and the keys it is wrapped under")
	cmd.AddCommand(c.keysKeygen(), c.keysRotate(), c.keysStatus())
	return cmd
}

func (c *cli) keysKeygen() *cobra.Command {
	return &cobra.Command{
		Use: "keygen", Short: "Make one more key-encryption key, which wraps from now on", Args: noArgs,
		Long: `Makes a key-encryption key in front of those in the file that STRATA_KEYS_KEK_FILE names, and the file if it is not there.
The first key of the file wraps, all unwrap. To replace one: make another, put the file on every instance and restart them,
run ` + "`strata keys rotate`" + `, and when ` + "`strata keys status`" + ` shows no key under the old one, remove its line. Whoever has this file and
the key store can read all names; whoever loses the file has erased them all: keep a copy where neither the databases nor the
key store are.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, _, err := c.load(cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			file := cfg.keysKEKFile()
			if file == "" {
				return usageError{errors.New("STRATA_KEYS_KEK_FILE not set: where is the key to be?")}
			}
			id, err := keystore.AddKEK(file)
			if err != nil {
				return fmt.Errorf("STRATA_KEYS_KEK_FILE: %w", err)
			}
			return c.print(cmd.OutOrStdout(), map[string]string{"file": file, "key": id}, func(w io.Writer) error {
				_, err := fmt.Fprintln(w, id)
				return err
			})
		},
	}
}

func (c *cli) keysRotate() *cobra.Command {
	return &cobra.Command{
		Use: "rotate", Short: "Wrap all keys under the first key-encryption key", Args: noArgs,
		Long: `Wraps every key of the store anew that is not under the first key of STRATA_KEYS_KEK_FILE. The keys themselves stay, and so
does everything that is sealed. It may run while the service does, and may be stopped and begun again.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.withKeys(cmd, func(ctx context.Context, keys *keystore.Store) error {
				out := cmd.ErrOrStderr()
				wrapped, err := keys.Rotate(ctx, func(seen, wrapped int) {
					if c.output != jsonOutput {
						fmt.Fprintf(out, "%d seen, %d wrapped anew\n", seen, wrapped)
					}
				})
				if err != nil {
					return fmt.Errorf("after %d keys: %w", wrapped, err)
				}
				return c.print(cmd.OutOrStdout(), map[string]int{"wrapped": wrapped}, func(w io.Writer) error {
					_, err := fmt.Fprintln(w, wrapped)
					return err
				})
			})
		},
	}
}

// keysState is what `strata keys status` tells.
type keysState struct {
	Keys      int            `json:"keys"`
	Destroyed int            `json:"destroyed"`
	Wrapping  string         `json:"wrapping"` // id of the key-encryption key that wraps now
	ByKEK     map[string]int `json:"byKek"`
	Unusable  int            `json:"unusable"`
	Named     []string       `json:"unusableNamed,omitempty"`
}

func (c *cli) keysStatus() *cobra.Command {
	return &cobra.Command{
		Use: "status", Short: "Count the keys, and make sure that each can be unwrapped", Args: noArgs,
		Long: "It reads every key and shows none. Exit code 3: some cannot be used, which the output names.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.withKeys(cmd, func(ctx context.Context, keys *keystore.Store) error {
				found, err := keys.Status(ctx)
				if err != nil {
					return err
				}
				st := keysState{found.Keys, found.Destroyed, found.Wrapping, found.ByKEK, found.UnusableCount(), found.Unusable}
				if err := c.print(cmd.OutOrStdout(), st, func(w io.Writer) error { return printKeys(w, st) }); err != nil {
					return err
				}
				if st.Unusable > 0 {
					return fmt.Errorf("%w: %d keys cannot be used", errDiverged, st.Unusable)
				}
				return nil
			})
		},
	}
}

func printKeys(w io.Writer, st keysState) error {
	fmt.Fprintf(w, "keys\t%d\ndestroyed\t%d\nwrapping\t%s\n", st.Keys, st.Destroyed, st.Wrapping)
	for _, id := range slices.Sorted(maps.Keys(st.ByKEK)) {
		fmt.Fprintf(w, "under %s\t%d\n", id, st.ByKEK[id])
	}
	for _, name := range st.Named {
		fmt.Fprintf(w, "unusable\t%s\n", name)
	}
	return nil
}

// withKeys opens the key store that the settings name.
func (c *cli) withKeys(cmd *cobra.Command, do func(context.Context, *keystore.Store) error) error {
	cfg, _, err := c.load(cmd.ErrOrStderr())
	if err != nil {
		return err
	}
	keys, _, err := openKeyStore(cmd.Context(), cfg, false, nil)
	if err != nil {
		return err
	}
	if keys == nil {
		return usageError{errors.New("there is no key store: set STRATA_KEYS_URL and STRATA_KEYS_KEK_FILE")}
	}
	return do(cmd.Context(), keys)
}

// examineKeyStore looks at what personal data is sealed with.
func examineKeyStore(ctx context.Context, cfg config) []finding {
	const check, advice = "key store", "set STRATA_KEYS_URL and STRATA_KEYS_KEK_FILE (strata keys keygen)"
	keys, place, err := openKeyStore(ctx, cfg, false, nil)
	switch {
	case err != nil:
		return []finding{failed(check, err)}
	case keys == nil:
		return []finding{warn(check, advice, "none is configured: names of persons are withheld, and documents are kept in clear")}
	}
	all := []finding{examineKeyFile("key-encryption keys", cfg.keysKEKFile(), advice)}
	return append(all, examineKeyPlace(ctx, check, keys, place))
}

// examineKeyPlace looks at where the keys are.
func examineKeyPlace(ctx context.Context, check string, keys *keystore.Store, place blob.Store) finding {
	at, err := place.Describe(ctx)
	if err != nil {
		return failed(check, fmt.Errorf("%w: %w", errUnreachable, err))
	}
	if at.Versioning || at.ObjectLock {
		return fail(check, "use a bucket without versions and without object lock: there a destroyed key is gone",
			"%s keeps what is replaced or deleted, so that nobody can be erased", at.Location)
	}
	st, err := keys.Status(ctx)
	switch {
	case err != nil:
		return failed(check, err)
	case st.UnusableCount() > 0:
		return fail(check, "put the key-encryption key that is named back into STRATA_KEYS_KEK_FILE; see `strata keys status`",
			"%d keys cannot be used, the first: %s", st.UnusableCount(), st.Unusable[0])
	case len(st.ByKEK) > 1 || len(st.ByKEK) == 1 && st.ByKEK[st.Wrapping] == 0:
		return warn(check, "run `strata keys rotate`", "not all of %d keys are under the key-encryption key that wraps now", st.Keys)
	}
	return ok(check, "%s, %d keys, %d destroyed", at.Location, st.Keys, st.Destroyed)
}

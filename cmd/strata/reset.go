package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/spf13/cobra"
)

// installation are the names that `strata dev` gives to what it keeps.
var installation = []string{"postgres", "rabbitmq", "credentials.json", "issuer.key", "countersign.key", "demo.env", "strata.log"}

// reset deletes the private installation, and nothing else that may be in its folder.
func (c *cli) reset() *cobra.Command {
	return &cobra.Command{
		Use: "reset", Short: "Delete the private installation: its databases, broker, keys and demo", Args: noArgs,
		Long: `Deletes the databases strata_log, strata_plans and strata_audit, the broker, the keys and the log of the private
installation under STRATA_DIR (.strata). Its path has to be typed, or --yes said. It must not be running.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, _, err := c.load(cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			dir, err := filepath.Abs(cfg.DataDir)
			if err != nil {
				return err
			}
			if _, err := os.Stat(filepath.Join(dir, "credentials.json")); err != nil {
				return usageError{fmt.Errorf("there is no private installation at %s", dir)}
			}
			loss := "This deletes the databases strata_log, strata_plans and strata_audit at " + dir
			if err := c.confirm(cmd.InOrStdin(), cmd.ErrOrStderr(), loss, dir); err != nil {
				return err
			}
			if err := deleteInstallation(dir); err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s is empty; `strata dev` begins anew.\n", dir)
			return err
		},
	}
}

// deleteInstallation refuses while a private server runs: each holds a lock on a
// file in its folder for as long as it does.
func deleteInstallation(dir string) error {
	for _, server := range []string{"postgres", "rabbitmq"} {
		lock, err := os.OpenFile(filepath.Join(dir, server, "lock"), os.O_RDWR, 0)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("is %s running? %w", server, err)
		}
		defer lock.Close()
		if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
			return fmt.Errorf("%s at %s is running: stop `strata dev` first", server, dir)
		}
	}
	for _, name := range installation {
		if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
			return fmt.Errorf("delete the private installation: %w", err)
		}
	}
	return nil
}

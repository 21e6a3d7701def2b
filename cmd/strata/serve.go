package main

import (
	"context"

	"github.com/spf13/cobra"
)

// serve is the service on servers of its own choosing (STRATA_* URLs).
func (c *cli) serve() *cobra.Command {
	return &cobra.Command{
		Use: "serve", Short: "Run the service on the servers that STRATA_* URLs name", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, log, err := c.load(cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			return runService(cmd.Context(), cfg, log, func(context.Context) error { return nil })
		},
	}
}

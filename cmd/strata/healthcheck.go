package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/spf13/cobra"
)

const (
	probeTimeout = 3 * time.Second
	probeBytes   = 4096
)

// healthcheck is for containers without a shell: exit 0 if the service is ready.
func (c *cli) healthcheck() *cobra.Command {
	return &cobra.Command{
		Use: "healthcheck", Short: "Ask the service on this machine whether it is ready", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, _, err := c.load(cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			base := cfg.serviceURL()
			ctx, cancel := context.WithTimeout(cmd.Context(), probeTimeout)
			defer cancel()
			status, body, err := probe(ctx, base, "/readyz")
			if err != nil {
				return fmt.Errorf("strata does not answer at %s (%w). Is it running? %w", base, rootCause(err), errUnreachable)
			}
			if status != http.StatusOK {
				return fmt.Errorf("strata at %s is not ready: %s", base, body)
			}
			_, err = cmd.OutOrStdout().Write(body)
			return err
		},
	}
}

// probe asks one of the service's health endpoints.
func probe(ctx context.Context, base, path string) (status int, body []byte, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+path, nil)
	if err != nil {
		return 0, nil, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer res.Body.Close()
	body, err = io.ReadAll(io.LimitReader(res.Body, probeBytes))
	if err != nil {
		return 0, nil, fmt.Errorf("read the answer of %s: %w", path, err)
	}
	return res.StatusCode, body, nil
}

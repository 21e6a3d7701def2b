package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"
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
			addr := cfg.HTTPAddr
			if strings.HasPrefix(addr, ":") || strings.HasPrefix(addr, "0.0.0.0:") {
				addr = "127.0.0.1:" + addr[strings.LastIndex(addr, ":")+1:]
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), 3*time.Second)
			defer cancel()
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+"/readyz", nil)
			if err != nil {
				return usageError{fmt.Errorf("STRATA_HTTP_ADDR: %w", err)}
			}
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				return fmt.Errorf("strata does not answer at %s (%w). Is it running? %w", addr, rootCause(err), errUnreachable)
			}
			defer res.Body.Close()
			body, err := io.ReadAll(io.LimitReader(res.Body, 4096))
			if err != nil {
				return fmt.Errorf("read the answer of /readyz: %w", err)
			}
			if res.StatusCode != http.StatusOK {
				return fmt.Errorf("strata at %s is not ready: %s", addr, body)
			}
			_, err = cmd.OutOrStdout().Write(body)
			return err
		},
	}
}

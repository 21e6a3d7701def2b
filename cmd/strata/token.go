package main

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"strata.dev/strata/adapters/oidc"
)

// token issues development tokens.
func (c *cli) token() *cobra.Command {
	cmd := group("token", "Tokens of the development issuer")
	var organization, subject string
	var operator bool
	var lifetime time.Duration
	issue := &cobra.Command{
		Use: "issue", Short: "Print a token (development only)", Args: noArgs,
		Example: "  strata token issue --org 0198c0de-… --subject alice\n  strata token issue --operator --subject ops",
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, _, err := c.load(cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			if subject == "" {
				return usageError{errors.New("--subject is missing: whose token is it to be?")}
			}
			claims := oidc.Claims{Subject: subject, Operator: operator, Lifetime: lifetime}
			if !operator {
				if claims.Organization, err = uuid.Parse(organization); err != nil {
					return usageError{fmt.Errorf("--org must be an organization's id (or take --operator): %w", err)}
				}
			}
			issuer, err := openIssuer(cfg)
			if err != nil {
				return err
			}
			token, err := issuer.Issue(claims)
			if err != nil {
				return err
			}
			return c.print(cmd.OutOrStdout(), map[string]string{"token": token}, func(w io.Writer) error {
				_, err := fmt.Fprintln(w, token)
				return err
			})
		},
	}
	issue.Flags().StringVar(&organization, "org", "", "id of the organization whose member the token is for")
	issue.Flags().StringVar(&subject, "subject", "", "the member's subject at the issuer")
	issue.Flags().BoolVar(&operator, "operator", false, "a token that may register organizations, and nothing else")
	issue.Flags().DurationVar(&lifetime, "lifetime", time.Hour, "how long it is valid; at most 1h")
	cmd.AddCommand(issue)
	return cmd
}

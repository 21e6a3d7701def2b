package main

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"

	"github.com/spf13/cobra"

	"strata.dev/strata/adapters/postgres"
	"strata.dev/strata/app/pack"
	"strata.dev/strata/app/query"
	"strata.dev/strata/app/verifier/verifycli"
	"strata.dev/strata/ports/rest/restclient"
)

// packed is what `strata pack` has written.
type packed struct {
	File     string `json:"file"`
	Bytes    int    `json:"bytes"`
	SHA256   string `json:"sha256"`
	Position int64  `json:"position,string"` // of its last event
}

// pack fetches an evidence pack.
func (c *cli) pack() *cobra.Command {
	var api apiFlags
	var file, from, to string
	var first, last int64
	var evidence bool
	cmd := &cobra.Command{
		Use: "pack [STREAM]", Short: "Write an evidence pack of an entity, or of the organization, through the API",
		Long: `Writes a zip file with everything that was recorded in a span, the proofs, the signed checkpoint, the state at both ends, a
report for people, and the source of a program that checks all of it without this service. STREAM is an entity such as
strategy-<id>; without it the pack is of the whole organization. Roles auditor and compliance_officer.`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usageError{errors.New("strata pack takes one entity, or none")}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if file == "" {
				return usageError{errors.New("--file says where the pack goes")}
			}
			client, err := c.client(cmd, api)
			if err != nil {
				return err
			}
			path := "/v1/packs"
			if len(args) == 1 {
				path += "/" + url.PathEscape(args[0])
			}
			q := url.Values{}
			for name, value := range map[string]string{"from": from, "to": to} {
				if value != "" {
					q.Set(name, value)
				}
			}
			for name, value := range map[string]int64{"fromPosition": first, "toPosition": last} {
				if value > 0 {
					q.Set(name, strconv.FormatInt(value, 10))
				}
			}
			if evidence {
				q.Set("evidence", "true")
			}
			answer, err := client.Do(cmd.Context(), restclient.Request{Method: http.MethodGet, Path: path + "?" + q.Encode(), Header: http.Header{"Accept": {"application/zip"}}})
			if err != nil {
				return explainAPI(client.Base, err)
			}
			sum := sha256.Sum256(answer.Body)
			if got := answer.Header.Get("Content-Digest"); got != "sha-256=:"+base64.StdEncoding.EncodeToString(sum[:])+":" {
				return fmt.Errorf("the pack has not arrived as it was sent: Content-Digest is %s, it has sha-256 %x", got, sum)
			}
			if err := os.WriteFile(file, answer.Body, 0o600); err != nil {
				return fmt.Errorf("write the pack: %w", err)
			}
			done := packed{file, len(answer.Body), fmt.Sprintf("%x", sum), answer.Position}
			return c.print(cmd.OutOrStdout(), done, func(w io.Writer) error {
				_, err := fmt.Fprintf(w, "%s: %d bytes, SHA-256 %s, up to position %d\ncheck it: strata-verify pack %s --key 'VERIFIER KEY'\n", done.File, done.Bytes, done.SHA256, done.Position, done.File)
				return err
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&file, "file", "", "write to this file (required)")
	f.StringVar(&from, "from", "", "recorded at this instant or later (RFC 3339)")
	f.StringVar(&to, "to", "", "recorded before this instant (RFC 3339)")
	f.Int64Var(&first, "from-position", 0, "recorded at this position of the log or behind it")
	f.Int64Var(&last, "to-position", 0, "recorded at this position of the log or in front of it")
	f.BoolVar(&evidence, "evidence", false, "with the bytes of the evidence")
	api.register(cmd)
	return cmd
}

// packer makes the packs of this instance.
func (s *service) packer(plans query.Plans) *pack.Packer {
	packs := postgres.NewPacks(s.events, s.beside)
	return pack.New(pack.Options{Log: packs, Tree: packs, States: pack.Known{Plans: plans}, Verifier: verifycli.Standalone})
}

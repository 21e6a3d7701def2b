package main

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"strata.dev/strata/ports/rest/restclient"
)

// answerTimeout is how long a client command waits for an answer: longer than
// the service holds back a long poll.
const answerTimeout = time.Minute

// apiFlags say which service a client command asks, and on whose behalf.
type apiFlags struct{ url, token, tokenFile string }

func (f *apiFlags) register(cmds ...*cobra.Command) {
	for _, cmd := range cmds {
		cmd.Flags().StringVar(&f.url, "url", "", "address of the service (STRATA_URL; by default the one at STRATA_HTTP_ADDR)")
		cmd.Flags().StringVar(&f.token, "token", "", "bearer token (better STRATA_TOKEN or --token-file: arguments can be read by others)")
		cmd.Flags().StringVar(&f.tokenFile, "token-file", "", "file that holds the token")
	}
}

// client is the API as the flags and settings have it.
func (c *cli) client(cmd *cobra.Command, f apiFlags) (*restclient.Client, error) {
	cfg, _, err := c.load(cmd.ErrOrStderr())
	if err != nil {
		return nil, err
	}
	base := f.url
	if base == "" {
		base = cfg.serviceURL()
	}
	if u, err := url.Parse(base); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, usageError{fmt.Errorf("%q is not an address of the service: give --url https://host", base)}
	}
	token := f.token
	if f.tokenFile != "" {
		body, err := os.ReadFile(f.tokenFile)
		if err != nil {
			return nil, usageError{fmt.Errorf("--token-file: %w", err)}
		}
		token = strings.TrimSpace(string(body))
	}
	if token == "" {
		token = cfg.Token
	}
	if token == "" {
		return nil, usageError{errors.New("no token: set STRATA_TOKEN or STRATA_TOKEN_FILE, or give --token-file (in development: strata token issue)")}
	}
	return &restclient.Client{Base: base, Token: token, HTTP: &http.Client{Timeout: answerTimeout}}, nil
}

// serviceURL is where clients on this machine find the service.
func (c config) serviceURL() string {
	if c.URL != "" {
		return c.URL
	}
	host, port, err := net.SplitHostPort(c.HTTPAddr)
	if err != nil {
		return "http://" + c.HTTPAddr
	}
	if host == "" || net.ParseIP(host).IsUnspecified() {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, port)
}

// explainAPI turns a failed request into one line: a refusal says itself what to
// do, a service that does not answer does not.
func explainAPI(base string, err error) error {
	var problem *restclient.Problem
	switch {
	case errors.As(err, &problem) && problem.Status == http.StatusUnauthorized:
		return fmt.Errorf("the token is not accepted by %s: get a new one (in development: strata token issue)", base)
	case errors.As(err, &problem) && problem.Status == http.StatusServiceUnavailable:
		return fmt.Errorf("%w: %w", err, errUnreachable)
	case errors.As(err, &problem):
		return err
	}
	var transport *url.Error
	if errors.As(err, &transport) {
		return fmt.Errorf("strata does not answer at %s (%w). Is it running, and is the address right? %w", base, rootCause(err), errUnreachable)
	}
	return err
}

// transient says whether the same request may succeed later.
func transient(err error) bool {
	var problem *restclient.Problem
	if errors.As(err, &problem) {
		return problem.Status >= http.StatusInternalServerError || problem.Status == http.StatusTooManyRequests
	}
	return true
}

package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"

	"strata.dev/strata/adapters/countersign"
	"strata.dev/strata/adapters/oidc"
)

// openIssuer opens the development issuer.
func openIssuer(cfg config) (*oidc.Issuer, error) {
	return oidc.Open(oidc.Options{Env: cfg.Env, KeyFile: cfg.issuerKeyFile()})
}

// openVerifier makes what says whose a token is: the issuer of the settings and,
// outside production, the development issuer beside it. It asks nobody yet.
func openVerifier(cfg config, log *slog.Logger) (*oidc.Verifier, error) {
	var trusted []oidc.Config
	if cfg.Env != production {
		issuer, err := openIssuer(cfg)
		if err != nil {
			return nil, err
		}
		trusted = append(trusted, issuer.Config())
	}
	if cfg.OIDCIssuer == "" && cfg.Env == production {
		return nil, usageError{errors.New("STRATA_OIDC_ISSUER not set: production takes tokens of an OpenID Connect issuer only")}
	}
	if cfg.OIDCIssuer != "" {
		authorities, err := cfg.authorities()
		if err != nil {
			return nil, err
		}
		trusted = append(trusted, oidc.Config{
			Issuer: cfg.OIDCIssuer, Audience: cfg.OIDCAudience,
			OrganizationClaim: cfg.OIDCOrganizationClaim, OperatorClaim: cfg.OIDCOperatorClaim,
			Algorithms: cfg.OIDCAlgorithms, TokenTypes: cfg.OIDCTokenTypes, AuthorizedParties: cfg.OIDCAuthorizedParties,
			MaxLifetime: cfg.OIDCMaxLifetime, Leeway: cfg.OIDCLeeway,
			Client: oidc.NewClient(authorities), Log: log,
		})
	}
	verifier, err := oidc.NewVerifier(trusted...)
	if err != nil {
		return nil, usageError{fmt.Errorf("STRATA_OIDC_*: %w", err)}
	}
	return verifier, nil
}

// authorities are those that vouch for the issuer's server; nil = the system's.
func (c config) authorities() (*x509.CertPool, error) {
	if c.OIDCCAFile == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(c.OIDCCAFile)
	if err != nil {
		return nil, usageError{fmt.Errorf("STRATA_OIDC_CA_FILE: %w", err)}
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, usageError{fmt.Errorf("STRATA_OIDC_CA_FILE: %s holds no certificate", c.OIDCCAFile)}
	}
	return pool, nil
}

// openCountersigner opens the keys for second persons' signatures. Only outside
// production are they made if they are missing.
func openCountersigner(ctx context.Context, cfg config, log *slog.Logger) (*countersign.Signer, error) {
	signer, err := countersign.Open(countersign.Options{KeyFile: cfg.countersignKeyFile(), Create: cfg.Env != production})
	if err != nil {
		return nil, usageError{fmt.Errorf("STRATA_COUNTERSIGN_KEY_FILE: %w", err)}
	}
	if !signer.Configured() {
		log.WarnContext(ctx, "commands that need a second person are refused: set STRATA_COUNTERSIGN_KEY_FILE")
	}
	return signer, nil
}

package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"os"

	"golang.org/x/mod/sumdb/note"

	"strata.dev/strata/adapters/auditdb"
	"strata.dev/strata/adapters/blob"
	"strata.dev/strata/adapters/keystore"
	"strata.dev/strata/adapters/notekeys"
	"strata.dev/strata/adapters/plansdb"
	"strata.dev/strata/adapters/postgres"
	"strata.dev/strata/app/fsck"
	"strata.dev/strata/app/ledger"
	"strata.dev/strata/app/personal"
)

// fsckParts opens what is configured beside the log, and closes it.
type fsckParts struct {
	cfg     config
	log     *postgres.Log
	closers []func()
}

func (p *fsckParts) close() {
	for i := len(p.closers) - 1; i >= 0; i-- {
		p.closers[i]()
	}
}

// open adds the parts that are configured to what is checked.
func (p *fsckParts) open(ctx context.Context, ask *fsck.Options, beside *postgres.Beside) error {
	for _, add := range []func(context.Context, *fsck.Options, *postgres.Beside) error{p.models, p.ledger, p.archive, p.personal} {
		if err := add(ctx, ask, beside); err != nil {
			return err
		}
	}
	return nil
}

// models adds the read databases.
func (p *fsckParts) models(ctx context.Context, ask *fsck.Options, _ *postgres.Beside) error {
	quiet := slog.New(slog.DiscardHandler)
	if p.cfg.PlansURL == "" {
		ask.Parts = append(ask.Parts, fsck.Absent(fsck.PlansSection, "STRATA_PLANS_URL is not set"))
	} else {
		plans, err := plansdb.OpenProjection(ctx, p.cfg.PlansURL, plansdb.Options{Log: quiet})
		if err != nil {
			return explain("the plans database", p.cfg.PlansURL, err)
		}
		p.closers = append(p.closers, plans.Close)
		ask.Parts = append(ask.Parts, fsck.Model(plans, p.log))
	}
	if p.cfg.AuditURL == "" {
		ask.Parts = append(ask.Parts, fsck.Absent(fsck.AuditSection, "STRATA_AUDIT_URL is not set"))
		return nil
	}
	audit, err := auditdb.OpenProjection(ctx, p.cfg.AuditURL, auditdb.Options{Log: quiet})
	if err != nil {
		return explain("the audit database", p.cfg.AuditURL, err)
	}
	p.closers = append(p.closers, audit.Close)
	ask.Parts = append(ask.Parts, fsck.Model(audit, p.log))
	return nil
}

// ledger adds the sealed tree. Signatures are looked at if the keys are at hand.
func (p *fsckParts) ledger(ctx context.Context, ask *fsck.Options, beside *postgres.Beside) error {
	file := p.cfg.ledgerKeyFile()
	size, err := beside.Sealed(ctx)
	switch {
	case err != nil:
		return err
	case file == "" && size == 0:
		ask.Parts = append(ask.Parts, fsck.Absent(fsck.LedgerSection, "nothing is sealed, and STRATA_LEDGER_KEY_FILE is not set"))
		return nil
	}
	var known note.Verifiers
	if _, err := os.Stat(file); file != "" && err == nil {
		keys, err := notekeys.Open(notekeys.Options{File: file, Name: ledger.KeyName(p.cfg.Instance)})
		if err != nil {
			return usageError{fmt.Errorf("STRATA_LEDGER_KEY_FILE: %w", err)}
		}
		list := make([]note.Verifier, len(keys.VKeys))
		for i, vkey := range keys.VKeys {
			if list[i], err = note.NewVerifier(vkey); err != nil {
				return fmt.Errorf("STRATA_LEDGER_KEY_FILE: %w", err)
			}
		}
		known = note.VerifierList(list...)
	}
	ask.Followers = append(ask.Followers, fsck.NewLedger(beside, known))
	return nil
}

// archive adds the archive.
func (p *fsckParts) archive(ctx context.Context, ask *fsck.Options, beside *postgres.Beside) error {
	url := p.cfg.archiveURL()
	if url == "" || p.cfg.ArchiveURL == "" && !directoryThere(url) {
		ask.Parts = append(ask.Parts, fsck.Absent(fsck.ArchiveSection, "STRATA_ARCHIVE_URL is not set"))
		return nil
	}
	store, err := blob.Open(ctx, url, blob.Credentials{AccessKey: p.cfg.ArchiveAccessKey, SecretKey: p.cfg.ArchiveSecretKey})
	if err != nil {
		return fmt.Errorf("STRATA_ARCHIVE_URL: %w", err)
	}
	ask.Parts = append(ask.Parts, fsck.NewArchive(store, p.log, beside.Cursors))
	return nil
}

// personal adds originals and sealed texts, for which the key store is needed.
func (p *fsckParts) personal(ctx context.Context, ask *fsck.Options, beside *postgres.Beside) error {
	var keys *keystore.Store
	var persons *personal.Sealer
	if p.cfg.KeysURL != "" || directoryThere(p.cfg.keysURL()) {
		var err error
		if keys, _, err = openKeyStore(ctx, p.cfg, false, nil); err != nil {
			return err
		}
	}
	if keys == nil {
		ask.Parts = append(ask.Parts, fsck.Absent(fsck.SealedSection, "STRATA_KEYS_URL and STRATA_KEYS_KEK_FILE are not set"))
	} else {
		persons = personal.NewSealer(keys)
		ask.Followers = append(ask.Followers, fsck.NewSealed(persons, beside.Cursors))
	}
	documents, err := postgres.OpenImports(ctx, p.cfg.LogURL, persons)
	if err != nil {
		return explain("the event log", p.cfg.LogURL, err)
	}
	p.closers = append(p.closers, documents.Close)
	ask.Followers = append(ask.Followers, fsck.NewOriginals(documents))
	return nil
}

// directoryThere says whether a file: URL names a directory that exists. Opening
// one would make it, and a check makes nothing.
func directoryThere(fileURL string) bool {
	u, err := url.Parse(fileURL)
	if err != nil {
		return false
	}
	_, err = os.Stat(u.Path)
	return err == nil
}

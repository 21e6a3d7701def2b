package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"strata.dev/strata/adapters/blob"
	"strata.dev/strata/adapters/keystore"
	"strata.dev/strata/app/personal"
)

const (
	// sealAgain is how long after all originals were sealed this instance looks for
	// more: an instance without a key store may have kept some in clear.
	sealAgain = time.Hour
	// sealPause is between attempts while something does not answer.
	sealPause = 30 * time.Second
)

// observer hears of questions to the key store; nil = nobody.
type observer func(operation, outcome string, took time.Duration)

// openKeyStore makes the key store of personal data, and gives the place it is
// at; nil if the settings name none. Only with create are places and keys made
// that are not there, and only outside production.
func openKeyStore(ctx context.Context, cfg config, create bool, observe observer) (*keystore.Store, blob.Store, error) {
	url, file := cfg.keysURL(), cfg.keysKEKFile()
	create = create && cfg.Env != production
	switch {
	case url == "" && file == "":
		return nil, nil, nil
	case file == "":
		return nil, nil, usageError{errors.New("STRATA_KEYS_KEK_FILE not set: STRATA_KEYS_URL needs a key-encryption key; make one with `strata keys keygen`")}
	case url == "":
		return nil, nil, usageError{errors.New("STRATA_KEYS_URL not set: STRATA_KEYS_KEK_FILE is of no use without a key store")}
	}
	if create {
		if err := keystore.CreateKEKs(file); err != nil {
			return nil, nil, fmt.Errorf("STRATA_KEYS_KEK_FILE: %w", err)
		}
	} else if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) && cfg.KeysURL == "" {
		return nil, nil, nil // development, before the first start: there is none yet
	}
	keks, err := keystore.ReadKEKs(file)
	if err != nil {
		return nil, nil, usageError{fmt.Errorf("STRATA_KEYS_KEK_FILE: %w", err)}
	}
	objects, err := blob.Open(ctx, url, blob.Credentials{AccessKey: cfg.KeysAccessKey, SecretKey: cfg.KeysSecretKey})
	if err != nil {
		return nil, nil, usageError{fmt.Errorf("STRATA_KEYS_URL: %w", err)}
	}
	keys, err := keystore.New(keystore.Options{Objects: objects, KEKs: keks, Observe: observe})
	return keys, objects, err
}

// openPersonal makes what seals persons. Without a key store names are withheld.
func (s *service) openPersonal(ctx context.Context) error {
	asked := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "strata_keys_seconds", Help: "Time for a question to the key store of personal data, by operation and outcome; answers from memory are not in it.",
		Buckets: prometheus.ExponentialBuckets(0.0005, 4, 8),
	}, []string{"operation", "outcome"})
	keys, _, err := openKeyStore(ctx, s.cfg, true, func(operation, outcome string, took time.Duration) {
		asked.WithLabelValues(operation, outcome).Observe(took.Seconds())
	})
	if err != nil {
		return err
	}
	if keys == nil {
		s.log.WarnContext(ctx, "names of persons are withheld, and documents are kept in clear: set STRATA_KEYS_URL and STRATA_KEYS_KEK_FILE")
		return nil
	}
	s.registry.MustRegister(asked)
	s.keys, s.persons = keys, personal.NewSealer(keys)
	return nil
}

// probeKeys is what /healthz tells of the key store.
func (s *service) probeKeys(ctx context.Context) error {
	if s.keys == nil {
		return nil
	}
	return s.keys.Check(ctx)
}

// sealOriginals seals the documents that were kept in clear, before there was a
// key store or by an instance that has none.
func (s *service) sealOriginals(ctx context.Context) {
	for {
		n, err := s.documents.SealOriginals(ctx)
		if ctx.Err() != nil {
			return
		}
		pause := sealAgain
		switch {
		case err != nil:
			s.log.WarnContext(ctx, "documents that were kept in clear could not all be sealed yet", "sealed", n, "err", err)
			pause = sealPause
		case n > 0:
			s.log.InfoContext(ctx, "documents that were kept in clear are sealed now", "sealed", n)
		}
		if !wait(ctx, pause) {
			return
		}
	}
}

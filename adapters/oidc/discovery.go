package oidc

import (
	"context"
	"crypto"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	gooidc "github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
	"golang.org/x/sync/singleflight"

	"strata.dev/strata/domain/fault"
)

const (
	refreshAge  = 15 * time.Minute // keys older than this are asked for again, while they go on being used
	refreshGap  = time.Minute      // between two fetches, whatever tokens ask for
	retryGap    = time.Second      // the same while there are no keys at all
	maxKeyAge   = 24 * time.Hour   // keys that could not be confirmed for so long are used no more
	fetchBudget = 2*fetchTimeout + time.Second
)

// ErrUnavailable: the issuer cannot be asked for its keys, so whether a token of
// it is good cannot be told. It is never taken for good.
var ErrUnavailable = fault.New(fault.Unavailable, "issuer-unavailable", "Tokens cannot be checked now: their issuer does not answer.")

// publishedKeys are those an issuer publishes. Safe for concurrent use.
type publishedKeys struct {
	config  Config
	changed func() // called after keys have gone

	flight singleflight.Group
	mu     sync.Mutex
	keys   map[keyName]verifyingKey // replaced whole
	read   time.Time                // when keys were last fetched; zero = never
	tried  time.Time                // when the last fetch began
	failed error                    // of the last fetch
}

// find looks among the keys known, and asks the issuer when that is worth it:
// there are none, or the name is new and nobody asked within refreshGap. Keys
// that are merely old are refreshed behind the caller's back.
func (p *publishedKeys) find(ctx context.Context, name keyName) (verifyingKey, bool, error) {
	now := p.config.Now()
	p.mu.Lock()
	key, known := p.keys[name]
	sinceRead, sinceTried := now.Sub(p.read), now.Sub(p.tried)
	none := p.read.IsZero() || sinceRead > maxKeyAge
	failed, tried := p.failed, p.tried
	p.mu.Unlock()
	switch {
	case none:
		if sinceTried >= retryGap || failed == nil {
			failed = p.fetch(ctx, tried)
		}
		if failed != nil {
			return verifyingKey{}, false, ErrUnavailable.Because(failed)
		}
	case known:
		if sinceRead > refreshAge && sinceTried >= refreshGap {
			p.start(tried)
		}
		return key, true, nil
	case sinceTried < refreshGap:
		return verifyingKey{}, false, nil
	default:
		if err := p.fetch(ctx, tried); err != nil {
			return verifyingKey{}, false, nil // the keys there are go on; p.failed and the log tell why
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	key, known = p.keys[name]
	return key, known, nil
}

// status says since when, and why, keys could not be fetched; nil = they could.
func (p *publishedKeys) status() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.failed != nil && p.read.IsZero():
		return fmt.Errorf("no keys of %s: %w", p.config.Issuer, p.failed)
	case p.failed != nil:
		return fmt.Errorf("keys of %s are of %s: %w", p.config.Issuer, p.read.UTC().Format(time.RFC3339), p.failed)
	}
	return nil
}

// refresh fetches, or joins the fetch that is under way.
func (p *publishedKeys) refresh(ctx context.Context) error {
	p.mu.Lock()
	tried := p.tried
	p.mu.Unlock()
	return p.fetch(ctx, tried)
}

// fetch joins the fetch that is under way, or starts one.
func (p *publishedKeys) fetch(ctx context.Context, seen time.Time) error {
	select {
	case r := <-p.start(seen):
		return r.Err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// start begins a fetch of its own time: who asked first may give up, others wait
// for the same answer. seen is when the last fetch began as the caller knows it:
// who comes when a newer one has just ended takes what that one brought.
func (p *publishedKeys) start(seen time.Time) <-chan singleflight.Result {
	return p.flight.DoChan("", func() (any, error) {
		p.mu.Lock()
		tried, failed := p.tried, p.failed
		p.mu.Unlock()
		if !tried.Equal(seen) {
			return nil, failed
		}
		ctx, cancel := context.WithTimeout(context.Background(), fetchBudget)
		defer cancel()
		began := p.config.Now()
		p.mu.Lock()
		p.tried = began
		p.mu.Unlock()
		keys, err := p.download(ctx)
		p.mu.Lock()
		before, failedBefore := p.keys, p.failed
		p.failed = err
		if err == nil {
			p.keys, p.read = keys, began
		}
		p.mu.Unlock()
		switch {
		case err != nil:
			p.config.Log.WarnContext(ctx, "the keys of the token issuer cannot be fetched", "issuer", p.config.Issuer, "keys_known", len(before), "err", err)
		case failedBefore != nil || len(before) == 0:
			p.config.Log.InfoContext(ctx, "the keys of the token issuer were fetched", "issuer", p.config.Issuer, "keys", len(keys))
		}
		if err == nil && gone(before, keys) {
			p.changed()
		}
		return nil, err
	})
}

// gone says whether a key of before is not among now.
func gone(before, now map[keyName]verifyingKey) bool {
	for name, key := range before {
		same, ok := key.public.(interface{ Equal(crypto.PublicKey) bool })
		if !ok || !same.Equal(now[name].public) {
			return true
		}
	}
	return false
}

// download finds where the issuer has its keys, each time anew since they may
// move, and reads those that can be used.
func (p *publishedKeys) download(ctx context.Context) (map[keyName]verifyingKey, error) {
	provider, err := gooidc.NewProvider(gooidc.ClientContext(ctx, p.config.Client), p.config.Issuer)
	if err != nil {
		return nil, fmt.Errorf("discovery: %w", shortened{err})
	}
	var metadata struct {
		JWKS string `json:"jwks_uri"`
	}
	if err := provider.Claims(&metadata); err != nil {
		return nil, fmt.Errorf("discovery: %w", err)
	}
	if !strings.HasPrefix(metadata.JWKS, "https://") {
		return nil, fmt.Errorf("discovery: jwks_uri is %.200q, not an https URL", metadata.JWKS)
	}
	body, err := p.get(ctx, metadata.JWKS)
	if err != nil {
		return nil, fmt.Errorf("keys: %w", shortened{err})
	}
	return p.config.parseKeys(body)
}

func (p *publishedKeys) get(ctx context.Context, url string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	response, err := p.config.Client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxDocument))
	if err == nil && response.StatusCode != http.StatusOK {
		err = errors.New(response.Status)
	}
	return body, err
}

// parseKeys takes the keys it can use and leaves the others: what is for
// encryption, of an unknown kind, too weak, symmetric or private by mistake.
func (c Config) parseKeys(body []byte) (map[keyName]verifyingKey, error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(body, &set); err != nil {
		return nil, fmt.Errorf("keys: not a set of JSON Web Keys: %w", err)
	}
	if len(set.Keys) > maxKeys {
		return nil, fmt.Errorf("keys: there are %d, at most %d are taken", len(set.Keys), maxKeys)
	}
	keys := map[keyName]verifyingKey{}
	for _, raw := range set.Keys {
		var key jose.JSONWebKey
		if json.Unmarshal(raw, &key) != nil || key.KeyID == "" || (key.Use != "" && key.Use != "sig") || !key.Valid() {
			continue
		}
		alg, err := c.algorithm(key.Key, key.Algorithm)
		if err != nil {
			continue
		}
		name := keyName{key.KeyID, alg}
		if _, twice := keys[name]; twice {
			return nil, fmt.Errorf("keys: two have the kid %.100q", key.KeyID)
		}
		keys[name] = c.verifyingKey(key.Key, alg)
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("keys: none of %d can be used with %s", len(set.Keys), strings.Join(c.Algorithms, ", "))
	}
	return keys, nil
}

// shortened is an error whose text may be a whole page that an issuer answered.
type shortened struct{ error }

// Error implements error.
func (s shortened) Error() string {
	text := s.error.Error()
	if len(text) > maxCauseBytes {
		text = strings.ToValidUTF8(text[:maxCauseBytes], "") + "…"
	}
	return text
}

// Unwrap gives the error itself.
func (s shortened) Unwrap() error { return s.error }

package witness

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/mod/sumdb/note"

	"strata.dev/strata/app/ledger"
)

const (
	path         = "/add-checkpoint"
	mediaSize    = "text/x.tlog.size"
	maxAnswer    = 16 << 10
	maxProof     = 63 // hashes, as the standard says
	maxAttempts  = 3  // the witness may learn of another size in between
	maxErrorText = 200
)

// Client asks a witness for cosignatures. Safe for concurrent use.
type Client struct {
	url      string
	verifier *Verifier
	http     *http.Client

	mu   sync.Mutex
	seen map[string]int64 // by origin: what the witness has, as it last said
}

var _ ledger.Witness = (*Client)(nil)

// NewClient makes a client of the witness at base whose verifier key is vkey. It
// asks nobody yet. client may be nil.
func NewClient(base, vkey string, client *http.Client) (*Client, error) {
	u, err := url.Parse(base)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, fmt.Errorf("witness: %q is no http URL", base)
	}
	v, err := NewVerifier(vkey)
	if err != nil {
		return nil, fmt.Errorf("witness: %w", err)
	}
	if client == nil {
		client = &http.Client{}
	}
	return &Client{url: strings.TrimSuffix(base, "/") + path, verifier: v, http: client, seen: map[string]int64{}}, nil
}

// Cosign implements ledger.Witness.
func (c *Client) Cosign(ctx context.Context, cp ledger.Checkpoint, prove func(context.Context, int64) ([]ledger.Hash, error)) ([]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	old := c.seen[cp.Origin]
	for range maxAttempts {
		if old > cp.Size {
			return nil, fmt.Errorf("it has seen size %d of this log, which is at size %d: %w", old, cp.Size, ledger.ErrContradicted)
		}
		var proof []ledger.Hash
		if old > 0 && old < cp.Size {
			var err error
			if proof, err = prove(ctx, old); err != nil {
				return nil, fmt.Errorf("proof from size %d: %w", old, err)
			}
		}
		lines, conflict, err := c.ask(ctx, old, proof, cp)
		if err != nil {
			return nil, err
		}
		if conflict == nil {
			c.seen[cp.Origin] = cp.Size
			return lines, nil
		}
		if *conflict == old {
			return nil, fmt.Errorf("it has seen another root of size %d: %w", old, ledger.ErrContradicted)
		}
		old = *conflict
		c.seen[cp.Origin] = old
	}
	return nil, errors.New("the size it has seen changes all the time: is it asked by somebody else for the same log?")
}

// ask sends one request. conflict is the size that the witness has instead of old.
func (c *Client) ask(ctx context.Context, old int64, proof []ledger.Hash, cp ledger.Checkpoint) (lines []byte, conflict *int64, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, bytes.NewReader(encodeRequest(old, proof, cp.Note)))
	if err != nil {
		return nil, nil, err
	}
	request.Header.Set("Content-Type", "text/plain; charset=utf-8")
	answer, err := c.http.Do(request)
	if err != nil {
		return nil, nil, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if err != nil {
		return nil, nil, err
	}
	switch answer.StatusCode {
	case http.StatusOK:
		lines, err := c.cosignature(cp, body)
		return lines, nil, err
	case http.StatusConflict:
		if strings.HasPrefix(answer.Header.Get("Content-Type"), mediaSize) {
			size, err := strconv.ParseInt(strings.TrimSuffix(string(body), "\n"), 10, 64)
			if err != nil || size < 0 {
				return nil, nil, fmt.Errorf("it has seen %q, which is no size", clip(body))
			}
			return nil, &size, nil
		}
		return nil, &old, nil // the same size, and not the same root
	case http.StatusUnprocessableEntity:
		return nil, nil, fmt.Errorf("it does not believe that this continues size %d: %w", old, ledger.ErrContradicted)
	}
	return nil, nil, fmt.Errorf("it answers %s: %s", answer.Status, clip(body))
}

func clip(body []byte) string {
	return strings.TrimSpace(string(body[:min(len(body), maxErrorText)]))
}

// cosignature keeps of the witness's lines the one that is its cosignature of this
// checkpoint.
func (c *Client) cosignature(cp ledger.Checkpoint, lines []byte) ([]byte, error) {
	n, err := note.Open(append([]byte(cp.Body()+"\n"), lines...), note.VerifierList(c.verifier))
	if err != nil {
		return nil, fmt.Errorf("its cosignature: %w", err)
	}
	s := n.Sigs[0]
	return []byte("— " + s.Name + " " + s.Base64 + "\n"), nil
}

// encodeRequest is the body of an add-checkpoint request.
func encodeRequest(old int64, proof []ledger.Hash, checkpoint []byte) []byte {
	body := []byte("old " + strconv.FormatInt(old, 10) + "\n")
	for _, h := range proof {
		body = append(base64.StdEncoding.AppendEncode(body, h[:]), '\n')
	}
	return append(append(body, '\n'), checkpoint...)
}

package rest_test

import (
	"context"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/google/uuid"

	"strata.dev/strata/adapters/notekeys"
	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/app/ledger"
	"strata.dev/strata/app/pack"
	"strata.dev/strata/ports/rest"
)

// alwaysSealed is a log whose ledger has sealed everything whenever it is asked.
type alwaysSealed struct {
	*sealedLog

	sealing sync.Mutex
	sealer  *ledger.Sealer
}

// sealWhatComes gives the options a ledger over log, and packs made of it.
func sealWhatComes(t testing.TB, log eventlog.Log, o *rest.Options) {
	t.Helper()
	keys, err := notekeys.Open(notekeys.Options{File: filepath.Join(t.TempDir(), "ledger.key"), Name: ledger.KeyName("strata.test"), Create: true})
	if err != nil {
		t.Fatal(err)
	}
	l := &alwaysSealed{sealedLog: &sealedLog{Log: log, tiles: map[[2]int64][]byte{}}}
	if l.sealer, err = ledger.New(ledger.Options{
		Store: l.sealedLog, Epoch: 1, Instance: "strata.test", Signers: keys.Signers, VKeys: keys.VKeys,
	}); err != nil {
		t.Fatal(err)
	}
	o.Ledger = ledger.NewReader(ledger.ReaderOptions{Store: l, Events: l, Epoch: 1})
	o.Packs = pack.New(pack.Options{Log: l, Tree: l, Verifier: func() (map[string][]byte, error) {
		return map[string][]byte{"main.go": []byte("package main\n")}, nil
	}})
}

func (l *alwaysSealed) seal(ctx context.Context) error {
	l.sealing.Lock()
	defer l.sealing.Unlock()
	size, err := l.Size(ctx)
	if err != nil {
		return err
	}
	head, err := l.Head(ctx)
	if err != nil || head == size {
		return err
	}
	if err := l.sealer.Grow(ctx, size, head); err != nil {
		return err
	}
	_, err = l.sealer.Seal(ctx)
	return err
}

func (l *alwaysSealed) Latest(ctx context.Context, epoch int) (ledger.Checkpoint, bool, error) {
	if err := l.seal(ctx); err != nil {
		return ledger.Checkpoint{}, false, err
	}
	return l.sealedLog.Latest(ctx, epoch)
}

// ReadOrganization implements pack.Log.
func (l *alwaysSealed) ReadOrganization(ctx context.Context, organization uuid.UUID, after int64, limit int) ([]eventlog.Event, error) {
	events, err := l.Read(ctx, 0, 1<<20)
	events = slices.DeleteFunc(events, func(e eventlog.Event) bool {
		return e.OrganizationID != organization || e.OrganizationSequence <= after
	})
	return events[:min(len(events), limit)], err
}

// Covering implements pack.Tree.
func (l *alwaysSealed) Covering(ctx context.Context, size int64) (pack.Checkpoint, bool, error) {
	if err := l.seal(ctx); err != nil {
		return pack.Checkpoint{}, false, err
	}
	return l.signed(func(c ledger.Checkpoint) bool { return c.Size >= size })
}

// Until implements pack.Tree.
func (l *alwaysSealed) Until(_ context.Context, size int64) (pack.Checkpoint, bool, error) {
	return l.signed(func(c ledger.Checkpoint) bool { return c.Size <= size })
}

func (l *alwaysSealed) signed(fits func(ledger.Checkpoint) bool) (pack.Checkpoint, bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	i := slices.IndexFunc(l.checkpoints, fits)
	if i < 0 {
		return pack.Checkpoint{}, false, nil
	}
	c := l.checkpoints[i]
	return pack.Checkpoint{Size: c.Size, Root: c.Root, Note: c.Note}, true, nil
}

// Tile implements pack.Tree.
func (l *alwaysSealed) Tile(_ context.Context, level int, n int64) ([]byte, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.tiles[[2]int64{int64(level), n}]), nil
}

// SignedBy implements pack.Tree.
func (l *alwaysSealed) SignedBy(ctx context.Context) (vkeys []string, err error) {
	keys, err := l.Keys(ctx)
	for _, k := range keys {
		vkeys = append(vkeys, k.VKey)
	}
	return vkeys, err
}

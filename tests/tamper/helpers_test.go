package tamper_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"log/slog"
	"testing"

	"strata.dev/strata/adapters/postgres"
	"strata.dev/strata/app/eventlog"
)

// goOn records other events in a restored database until it is as long as the one
// that was lost, and seals them as a service would.
func (w *world) goOn(t *testing.T, database string) {
	t.Helper()
	ctx := ctxOf(t)
	log, err := postgres.Open(ctx, database, postgres.Options{Logger: slog.New(slog.DiscardHandler)})
	must(t, err)
	appendEvents(t, log, last, "-again")
	events, err := log.Read(ctx, 0, last+1)
	must(t, err)
	log.Close()
	w.sealFrom(t, database, events)
}

func (w *world) sealFrom(t *testing.T, database string, events []eventlog.Event) {
	t.Helper()
	for _, size := range sealedAt[2:] {
		w.seal(t, database, events[:size])
	}
}

// witnessOf is a witness's key, and nobody who cosigns with it.
func witnessOf(t *testing.T) (ed25519.PrivateKey, string) {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	const name, alg = "witness.test", 4
	key := append([]byte{alg}, public...)
	id := sha256.Sum256(append([]byte(name+"\n"), key...))
	return private, fmt.Sprintf("%s+%08x+%s", name, binary.BigEndian.Uint32(id[:]), base64.StdEncoding.EncodeToString(key))
}

package tamper_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"strata.dev/strata/app/archive"
	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/app/verifier"
)

// wanted is what has to be found.
type wanted struct {
	position, through int64 // through = 0: exactly there
	check, kind       string
}

func expect(t *testing.T, who string, got found, want wanted) {
	t.Helper()
	p := got.Problem
	switch {
	case p == nil:
		t.Errorf("%s found nothing", who)
	case p.Position != want.position || p.Through != want.through || p.Check != want.check || p.Kind != want.kind:
		t.Errorf("%s found %v\nwant %+v", who, p, want)
	case p.Expected == "" || p.Found == "" || p.Expected == p.Found:
		t.Errorf("%s does not say what was expected and what is there: %v", who, p)
	}
}

func sound(t *testing.T, who string, got found) {
	t.Helper()
	if got.Problem != nil {
		t.Errorf("%s raised a false alarm: %v", who, got.Problem)
	}
}

func TestTampering(t *testing.T) {
	w := newWorld(t)
	for name, attack := range map[string]func(*testing.T){
		"a superuser changes the log":                     w.superuserChangesTheLog,
		"a superuser changes events and tiles":            w.superuserChangesEventsAndTiles,
		"a thief of the key signs another history":        w.thiefOfTheKeySignsAnotherHistory,
		"an older backup is restored and the log goes on": w.olderBackupIsRestoredAndGoesOn,
		"the archive is changed":                          w.archiveIsChanged,
		"an old checkpoint is replayed":                   w.oldCheckpointIsReplayed,
	} {
		t.Run(name, attack) // one after the other: nobody may be connected to what is copied
	}
}

// What a superuser does to the rows, past every trigger: the ledger's own hashes
// name the position, and so does the archive where the ledger is made to fit.
func (w *world) superuserChangesTheLog(t *testing.T) {
	seen := filepath.Join(t.TempDir(), "seen")
	sound(t, "strata verify", w.verify(t, w.database.App, "--remember", seen, "--archive", fileURL(w.archive)))
	sound(t, "strata-verify archive", w.standaloneVerify(t, "archive", w.archive, "--remember", seen))
	const move = 1_000_000
	for _, c := range []struct {
		name       string
		statements []string
		want       wanted
	}{
		{"edits a row", []string{`UPDATE events SET data = '{"n":"0"}' WHERE position = 123`}, wanted{123, 0, verifier.CheckLeaf, verifier.Edited}},
		{"makes a row older", []string{`UPDATE events SET recorded_at = recorded_at - interval '1 hour' WHERE position = 123`}, wanted{123, 0, verifier.CheckLeaf, verifier.Edited}},
		{"makes another person the actor", []string{`UPDATE events SET metadata = '{"actor":{"id":"o","kind":"person"}}' WHERE position = 300`}, wanted{300, 0, verifier.CheckLeaf, verifier.Edited}},
		{"deletes the tail and appends another", []string{
			`CREATE TEMP TABLE tail AS SELECT * FROM events WHERE position > 250`, `DELETE FROM events WHERE position > 250`,
			`UPDATE tail SET event_id = gen_random_uuid(), command_id = CASE WHEN command_id IS NOT NULL THEN gen_random_uuid() END, data = '{"n":"other"}'`,
			`INSERT INTO events SELECT * FROM tail`,
		}, wanted{251, 0, verifier.CheckLeaf, verifier.Rewritten}},
		{"deletes the tail and appends one event", []string{
			`CREATE TEMP TABLE tail AS SELECT * FROM events WHERE position = 251`, `DELETE FROM events WHERE position > 250`,
			`UPDATE tail SET data = '{"n":"other"}'`, `INSERT INTO events SELECT * FROM tail`,
		}, wanted{251, 0, verifier.CheckLeaf, verifier.Edited}},
		{"deletes the tail", []string{`DELETE FROM events WHERE position > 250`}, wanted{251, 0, verifier.CheckPosition, verifier.Truncated}},
		{"swaps two events", []string{
			`UPDATE events SET position = 1000000 WHERE position = 41`, `UPDATE events SET position = 41 WHERE position = 42`, `UPDATE events SET position = 42 WHERE position = 1000000`,
		}, wanted{41, 0, verifier.CheckLeaf, verifier.Swapped}},
		{"swaps what two distant events say", []string{
			`UPDATE events e SET data = o.data FROM events o WHERE (e.position, o.position) IN ((41, 271), (271, 41))`,
		}, wanted{41, 0, verifier.CheckLeaf, verifier.Swapped}},
		{"inserts one", []string{
			fmt.Sprintf(`UPDATE events SET position = position + %d WHERE position > 100`, move),
			fmt.Sprintf(`INSERT INTO events SELECT 101, organization_sequence + %d, version + %d, recorded_at, organization_id, gen_random_uuid(), NULL, schema_version, stream_id, type, NULL, '{"n":"more"}', metadata FROM events WHERE position = 100`, move, move),
			fmt.Sprintf(`UPDATE events SET position = position - %d WHERE position > %d`, move-1, move),
		}, wanted{101, 0, verifier.CheckLeaf, verifier.Inserted}},
		{"takes one out", []string{`DELETE FROM events WHERE position = 101`}, wanted{101, 0, verifier.CheckPosition, verifier.Removed}},
		{"takes one out and closes the gap", []string{
			`DELETE FROM events WHERE position = 101`, fmt.Sprintf(`UPDATE events SET position = position + %d WHERE position > 101`, move),
			fmt.Sprintf(`UPDATE events SET position = position - %d WHERE position > %d`, move+1, move),
		}, wanted{101, 0, verifier.CheckLeaf, verifier.Removed}},
		{"gives a position twice", []string{
			`ALTER TABLE events DROP CONSTRAINT events_pkey`,
			`INSERT INTO events SELECT 100, organization_sequence + 1000000, version + 1000000, recorded_at, organization_id, gen_random_uuid(), NULL, schema_version, stream_id, type, NULL, data, metadata FROM events WHERE position = 100`,
		}, wanted{100, 0, verifier.CheckLeaf, verifier.Edited}},
		{"edits a leaf of the ledger", []string{
			`UPDATE ledger.tiles SET hashes = overlay(hashes PLACING '\x00112233' FROM 122 * 32 + 1) WHERE level = 0 AND n = 0`,
		}, wanted{123, 0, verifier.CheckTile, verifier.TileEdited}},
		{"takes a tile away", []string{`DELETE FROM ledger.tiles WHERE level = 0 AND n = 1`}, wanted{257, 0, verifier.CheckTile, verifier.TileEdited}},
		{"edits a checkpoint", []string{`UPDATE ledger.checkpoints SET root = sha256('x') WHERE size = 210`}, wanted{210, 0, verifier.CheckSignature, verifier.ForgedNote}},
		{"edits what was signed", []string{`UPDATE ledger.checkpoints SET note = overlay(note PLACING '9'::bytea FROM position('210'::bytea IN note)), size = 910 WHERE size = 210`}, wanted{910, 0, verifier.CheckSignature, verifier.ForgedNote}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			database := w.clone(t, w.database.Admin)
			superuser(t, database, c.statements...)
			expect(t, "strata verify", w.verify(t, database), c.want)
			archived := w.verify(t, database, "--archive", fileURL(w.archive))
			expect(t, "strata verify --archive", archived, c.want)
		})
	}
}

// The tiles are made to fit, too: what was signed says that, and the archive where.
func (w *world) superuserChangesEventsAndTiles(t *testing.T) {
	seen := filepath.Join(t.TempDir(), "seen")
	database := w.clone(t, w.database.Admin)
	superuser(t, database, `UPDATE events SET data = '{"n":"0"}' WHERE position = 123`, `DELETE FROM ledger.tiles`, `UPDATE ledger.state SET size = 0`)
	w.grow(t, database, w.events(t, database))
	expect(t, "strata verify", w.verify(t, database), wanted{121, 210, verifier.CheckRoot, verifier.Resealed})
	expect(t, "strata verify --archive", w.verify(t, database, "--archive", fileURL(w.archive)), wanted{123, 0, verifier.CheckLeaf, verifier.Edited})

	// An export of it, with nothing but a checkpoint and what was seen before.
	sound(t, "strata verify", w.verify(t, w.database.App, "--remember", seen))
	file, checkpoint := w.export(t, database)
	expect(t, "strata-verify log", w.standaloneVerify(t, "log", file, "--checkpoint", checkpoint), wanted{1, last, verifier.CheckRoot, verifier.Resealed})
	expect(t, "strata-verify log --remember", w.standaloneVerify(t, "log", file, "--checkpoint", checkpoint, "--remember", seen), wanted{1, last, verifier.CheckRoot, verifier.Resigned})
	file, checkpoint = w.export(t, w.database.App)
	sound(t, "strata-verify log", w.standaloneVerify(t, "log", file, "--checkpoint", checkpoint, "--remember", seen))
}

// export writes a database's events as lines, and its newest checkpoint.
func (w *world) export(t *testing.T, database string) (file, checkpoint string) {
	t.Helper()
	var lines []byte
	for _, e := range w.events(t, database) {
		var err error
		lines, err = archive.AppendEvent(lines, &e)
		must(t, err)
		lines = append(lines, '\n')
	}
	dir := t.TempDir()
	file, checkpoint = filepath.Join(dir, "log.ndjson"), filepath.Join(dir, "checkpoint")
	write(t, file, lines)
	write(t, checkpoint, w.notes(t, database)[last])
	return file, checkpoint
}

// resign makes the whole ledger of a database anew, with the real key.
func (w *world) resign(t *testing.T, database string) {
	t.Helper()
	superuser(t, database, `DELETE FROM ledger.tiles`, `DELETE FROM ledger.checkpoints`, `UPDATE ledger.state SET size = 0`)
	events := w.events(t, database)
	for _, size := range sealedAt {
		w.seal(t, database, events[:size])
	}
}

// The thief of the key makes a log that fits in itself. What was seen outside, the
// archive and a witness stand against it.
func (w *world) thiefOfTheKeySignsAnotherHistory(t *testing.T) {
	seen := filepath.Join(t.TempDir(), "seen")
	// Seen when the log was shorter, and again at its end.
	early := w.verify(t, w.early, "--remember", seen)
	sound(t, "strata verify", early)
	if early.Head != sealedAt[1] {
		t.Fatalf("the early copy ends at %d", early.Head)
	}
	sound(t, "strata verify", w.verify(t, w.database.App, "--remember", seen))

	database := w.clone(t, w.database.Admin)
	superuser(t, database, `UPDATE events SET data = '{"n":"0"}' WHERE position = 123`)
	w.resign(t, database)
	sound(t, "strata verify with nothing from outside", w.verify(t, database))
	expect(t, "strata verify --remember", w.verify(t, database, "--remember", seen), wanted{121, last, verifier.CheckRoot, verifier.Resigned})
	expect(t, "strata verify --archive", w.verify(t, database, "--archive", fileURL(w.archive)), wanted{123, 0, verifier.CheckLeaf, verifier.Edited})
	// Nobody but the thief has signed it.
	_, stranger := witnessOf(t)
	expect(t, "strata verify --witness", w.verify(t, database, "--witness", stranger), wanted{1, last, verifier.CheckSignature, verifier.ForgedNote})

	// The archive is made to fit, as well: it contradicts what was seen.
	forged := t.TempDir()
	w.store(t, forged, w.events(t, database), w.notes(t, database))
	sound(t, "strata-verify archive with nothing from outside", w.standaloneVerify(t, "archive", forged))
	expect(t, "strata-verify archive --remember", w.standaloneVerify(t, "archive", forged, "--remember", seen), wanted{121, last, verifier.CheckRoot, verifier.Resigned})
	file, checkpoint := w.export(t, database)
	expect(t, "strata-verify log --remember", w.standaloneVerify(t, "log", file, "--checkpoint", checkpoint, "--remember", seen), wanted{121, last, verifier.CheckRoot, verifier.Resigned})
}

// An older backup is restored, nobody says so, and the log goes on from there.
func (w *world) olderBackupIsRestoredAndGoesOn(t *testing.T) {
	seen := filepath.Join(t.TempDir(), "seen")
	sound(t, "strata verify", w.verify(t, w.early, "--remember", seen))
	sound(t, "strata verify", w.verify(t, w.database.App, "--remember", seen))

	expect(t, "strata verify --remember", w.verify(t, w.early, "--remember", seen), wanted{121, 0, verifier.CheckPosition, verifier.Truncated})
	expect(t, "strata verify --archive", w.verify(t, w.early, "--archive", fileURL(w.archive)), wanted{121, 0, verifier.CheckPosition, verifier.Truncated})
	sound(t, "strata verify with nothing from outside", w.verify(t, w.early))

	restored := w.clone(t, w.early)
	w.goOn(t, restored)
	sound(t, "strata verify with nothing from outside", w.verify(t, restored))
	expect(t, "strata verify --remember", w.verify(t, restored, "--remember", seen), wanted{121, last, verifier.CheckRoot, verifier.Resigned})
	expect(t, "strata verify --archive", w.verify(t, restored, "--archive", fileURL(w.archive)), wanted{121, 0, verifier.CheckLeaf, verifier.Rewritten})
	file, checkpoint := w.export(t, restored)
	expect(t, "strata-verify log --remember", w.standaloneVerify(t, "log", file, "--checkpoint", checkpoint, "--remember", seen), wanted{121, last, verifier.CheckRoot, verifier.Resigned})
}

// Somebody with access to the archive changes it.
func (w *world) archiveIsChanged(t *testing.T) {
	segment := func(first int64) string { return archive.SegmentKey(1, first) }
	for _, c := range []struct {
		name   string
		change func(t *testing.T, dir string)
		alone  wanted // by strata-verify archive
		log    wanted // by strata verify --archive
	}{
		{"two segments swapped", func(t *testing.T, dir string) {
			swap(t, filepath.Join(dir, segment(61)), filepath.Join(dir, segment(121)))
		}, wanted{61, 0, verifier.CheckArchive, verifier.ArchiveSwap}, wanted{61, 0, verifier.CheckArchive, verifier.ArchiveSwap}},
		{"a segment written anew with another event", func(t *testing.T, dir string) {
			w.rewrite(t, dir, 1, func(e []eventlog.Event) { e[100-61].Data = []byte(`{"n":"0"}`) })
		}, wanted{61, 120, verifier.CheckRoot, verifier.Resealed}, wanted{100, 0, verifier.CheckArchive, verifier.ArchiveSwap}},
		{"a segment taken away", func(t *testing.T, dir string) {
			must(t, os.Remove(filepath.Join(dir, segment(61))))
		}, wanted{61, 0, verifier.CheckArchive, verifier.ArchiveSwap}, wanted{61, 0, verifier.CheckArchive, verifier.ArchiveSwap}},
		{"the last segment taken away", func(t *testing.T, dir string) {
			must(t, os.Remove(filepath.Join(dir, segment(211))))
		}, wanted{211, 0, verifier.CheckPosition, verifier.Truncated}, wanted{}},
		{"a byte flipped", func(t *testing.T, dir string) {
			name := filepath.Join(dir, segment(121))
			b, err := os.ReadFile(name)
			must(t, err)
			b[len(b)/2] ^= 1
			write(t, name, b)
		}, wanted{121, 0, verifier.CheckArchive, verifier.ArchiveSwap}, wanted{121, 0, verifier.CheckArchive, verifier.ArchiveSwap}},
		{"an old checkpoint shown as the newest", func(t *testing.T, dir string) {
			b, err := os.ReadFile(filepath.Join(dir, archive.CheckpointKey(1, 120)))
			must(t, err)
			write(t, filepath.Join(dir, archive.CheckpointKey(1, last)), b)
		}, wanted{last, 0, verifier.CheckArchive, verifier.Replayed}, wanted{last, 0, verifier.CheckArchive, verifier.Replayed}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := copyOf(t, w.archive)
			c.change(t, dir)
			expect(t, "strata-verify archive", w.standaloneVerify(t, "archive", dir), c.alone)
			if c.log == (wanted{}) {
				return // the archive may be behind the log
			}
			expect(t, "strata verify --archive", w.verify(t, w.database.App, "--archive", fileURL(dir)), c.log)
		})
	}
}

func swap(t *testing.T, a, b string) {
	t.Helper()
	x, err := os.ReadFile(a)
	must(t, err)
	y, err := os.ReadFile(b)
	must(t, err)
	write(t, a, y)
	write(t, b, x)
}

// rewrite makes a segment that is right in itself of other events.
func (w *world) rewrite(t *testing.T, dir string, n int, change func([]eventlog.Event)) {
	t.Helper()
	events := slices.Clone(w.events(t, w.database.App))
	var base archive.Frontier
	for i := range sealedAt[n-1] {
		base.Append(eventlog.LeafHash(&events[i]))
	}
	before, err := os.ReadFile(filepath.Join(dir, archive.SegmentKey(1, 1)))
	must(t, err)
	previous, err := archive.ReadSegment("", before)
	must(t, err)
	link := previous.Link()
	part := events[sealedAt[n-1]:sealedAt[n]]
	change(part)
	var object bytes.Buffer
	_, err = archive.WriteSegment(&object, archive.Source{Epoch: 1, Previous: &link, Base: base, Events: part})
	must(t, err)
	write(t, filepath.Join(dir, archive.SegmentKey(1, part[0].Position)), object.Bytes())
}

// Newer checkpoints are taken away, so that an old one is the newest.
func (w *world) oldCheckpointIsReplayed(t *testing.T) {
	seen := filepath.Join(t.TempDir(), "seen")
	sound(t, "strata verify", w.verify(t, w.database.App, "--remember", seen))
	database := w.clone(t, w.database.Admin)
	superuser(t, database, `DELETE FROM ledger.checkpoints WHERE size > 120`)
	expect(t, "strata verify --remember", w.verify(t, database, "--remember", seen), wanted{121, 0, verifier.CheckRemembered, verifier.Replayed})
	dir := copyOf(t, w.archive)
	for _, size := range sealedAt[2:] {
		must(t, os.Remove(filepath.Join(dir, archive.CheckpointKey(1, size))))
	}
	expect(t, "strata-verify archive --remember", w.standaloneVerify(t, "archive", dir, "--remember", seen), wanted{121, 0, verifier.CheckRemembered, verifier.Replayed})

	superuser(t, database, `DELETE FROM ledger.checkpoints`)
	expect(t, "strata verify --remember", w.verify(t, database, "--remember", seen), wanted{1, last, verifier.CheckRemembered, verifier.Replayed})
}

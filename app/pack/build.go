package pack

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"time"

	"github.com/google/uuid"

	"strata.dev/strata/app/archive"
	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/app/query"
	"strata.dev/strata/domain/fault"
)

// build is one pack being made.
type build struct {
	packer   *Packer
	span     *span
	at       Checkpoint
	prover   *prover
	files    files
	manifest manifest
	about    about
	from     Evidence
	summary  Summary
}

// Write makes a pack and writes it. What the asker may read is the caller's
// question, but for evidence: nil gives none of it.
func (p *Packer) Write(ctx context.Context, w io.Writer, ask Ask, evidence Evidence) (Summary, error) {
	s, err := p.find(ctx, ask)
	if err != nil {
		return Summary{}, err
	}
	at, err := p.covered(ctx, s.tail.Position)
	if err != nil {
		return Summary{}, err
	}
	whole := &measure{to: w, sum: sha256.New()}
	b := &build{
		packer: p, span: s, at: at, prover: newProver(ctx, p.o.Tree, at), files: files{zip: zip.NewWriter(whole)}, manifest: s.manifest(), about: s.about(at),
		summary: Summary{
			Events: int(s.last - s.first + 1), First: s.first, Last: s.last,
			FirstPosition: s.head.Position, LastPosition: s.tail.Position, Checkpoint: at.Size,
		},
	}
	if ask.Evidence {
		b.from = evidence
	}
	if err := b.all(ctx); err != nil {
		return Summary{}, err
	}
	if err := b.files.zip.Close(); err != nil {
		return Summary{}, fmt.Errorf("pack: %w", err)
	}
	b.summary.SHA256, b.summary.Bytes = hex.EncodeToString(whole.sum.Sum(nil)), whole.size
	return b.summary, nil
}

// all writes the files in the order of their names; capitals come first.
func (b *build) all(ctx context.Context) error {
	steps := []struct {
		path string
		fill func(io.Writer) error
	}{
		{readmePath, b.readme},
		{aboutPath, func(w io.Writer) error { return writeJSON(w, b.about) }},
		{checkpointPath, func(w io.Writer) error { _, err := w.Write(b.at.Note); return err }},
		{consistencyPath, func(w io.Writer) error { return b.consistency(ctx, w) }},
		{csvPath, func(w io.Writer) error { return b.csv(ctx, w) }},
		{eventsPath, func(w io.Writer) error { return b.events(ctx, w) }},
	}
	for _, s := range steps {
		if err := b.files.write(s.path, s.fill); err != nil {
			return err
		}
	}
	if err := b.evidence(ctx); err != nil {
		return err
	}
	keys, err := b.keys(ctx)
	if err != nil {
		return err
	}
	if err := b.files.put(keysPath, keys); err != nil {
		return err
	}
	if err := b.files.write(proofsPath, func(w io.Writer) error { return b.proofs(ctx, w) }); err != nil {
		return err
	}
	if err := b.files.write(reportPath, func(w io.Writer) error { return b.report(ctx, w) }); err != nil {
		return err
	}
	if err := b.states(ctx); err != nil {
		return err
	}
	if err := b.verifier(); err != nil {
		return err
	}
	b.manifest.Files = b.files.list
	return b.files.write(manifestPath, func(w io.Writer) error { return json.NewEncoder(w).Encode(b.manifest) })
}

// events writes events.ndjson.
func (b *build) events(ctx context.Context, w io.Writer) error {
	var line []byte
	return b.span.each(ctx, func(e *eventlog.Event) (err error) {
		if line, err = archive.AppendEvent(line[:0], e); err != nil {
			return err
		}
		_, err = w.Write(append(line, '\n'))
		return err
	})
}

// consistency writes consistency.json: the checkpoint before the span, if there is one.
func (b *build) consistency(ctx context.Context, w io.Writer) error {
	list := []consistent{}
	old, ok, err := b.packer.o.Tree.Until(ctx, b.span.head.Position-1)
	if err != nil {
		return err
	}
	if ok && old.Size > 0 && old.Size < b.at.Size {
		one, err := b.prover.consistency(old)
		if err != nil {
			return err
		}
		list = append(list, one)
	}
	return writeJSON(w, list)
}

// evidence writes the bytes of evidence.
func (b *build) evidence(ctx context.Context) error {
	if b.from == nil {
		return nil
	}
	end, err := b.end(ctx)
	if err != nil {
		return err
	}
	ids, err := b.from.Of(ctx, b.span.ask.OrganizationID, b.span.ask.StreamID, end)
	if err != nil {
		return err
	}
	left := int64(MaxEvidenceBytes)
	list := []item{}
	slices.SortFunc(ids, func(a, b uuid.UUID) int { return bytes.Compare(a[:], b[:]) })
	for _, id := range ids {
		content, mediaType, err := b.from.Content(ctx, id)
		var f *fault.Fault
		if errors.As(err, &f) && f.Kind == fault.Gone {
			b.summary.Withheld++
			list = append(list, item{EvidenceID: id.String(), Erased: true})
			continue
		}
		if err != nil {
			return err
		}
		if left -= int64(len(content)); left < 0 {
			return ErrTooLarge.Detailf("The evidence has more than %d bytes together.", MaxEvidenceBytes)
		}
		one := item{EvidenceID: id.String(), Path: evidencePath + id.String(), MediaType: mediaType}
		if err := b.files.put(one.Path, content); err != nil {
			return err
		}
		list = append(list, one)
		b.summary.Evidence++
	}
	return b.files.write(evidenceIndex, func(w io.Writer) error { return writeJSON(w, list) })
}

// end is the moment up to which evidence is asked for: it is linked to an entity
// by events of its own, which may come after the entity's last one, and after the
// checkpoint that covers that.
func (b *build) end(ctx context.Context) (query.Moment, error) {
	switch ask := b.span.ask; {
	case ask.ToPosition > 0:
		head, err := b.packer.o.Log.Head(ctx)
		if err != nil {
			return query.Moment{}, fmt.Errorf("end of the log: %w", err)
		}
		return query.Moment{Position: min(ask.ToPosition, head)}, nil
	case !ask.To.IsZero():
		return query.Moment{Instant: ask.To.Add(-time.Microsecond)}, nil // before it
	}
	return query.Moment{}, nil
}

// keys is keys.txt.
func (b *build) keys(ctx context.Context) ([]byte, error) {
	vkeys, err := b.packer.o.Tree.SignedBy(ctx)
	if err != nil {
		return nil, err
	}
	slices.Sort(vkeys)
	text := bytes.NewBufferString("# The keys that the service says it signs with. To verify, take them from whom you trust, not from here.\n")
	for _, k := range vkeys {
		fmt.Fprintln(text, k)
	}
	return text.Bytes(), nil
}

// states writes what was known at both ends.
func (b *build) states(ctx context.Context) error {
	if b.packer.o.States == nil {
		return nil
	}
	// In the order of the files' names.
	for _, end := range []struct {
		path     string
		position int64
	}{{afterPath, b.span.tail.Position}, {beforePath, b.span.head.Position - 1}} {
		err := b.files.write(end.path, func(w io.Writer) error {
			known := map[string]any{}
			if end.position > 0 {
				var err error
				if known, err = b.packer.o.States.At(ctx, b.span.ask.OrganizationID, b.span.ask.StreamID, end.position); err != nil {
					return err
				}
			}
			return writeJSON(w, struct {
				AsOfPosition int64          `json:"asOfPosition"`
				Known        map[string]any `json:"known"`
			}{end.position, known})
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// verifier writes the source of the verifier.
func (b *build) verifier() error {
	if b.packer.o.Verifier == nil {
		return nil
	}
	source, err := b.packer.o.Verifier()
	if err != nil {
		return fmt.Errorf("pack: source of the verifier: %w", err)
	}
	inside := map[string][]byte{}
	for name, content := range source {
		inside[path.Join("verifier", name)] = content
	}
	for _, name := range slices.Sorted(maps.Keys(inside)) {
		if err := b.files.put(name, inside[name]); err != nil {
			return err
		}
	}
	return nil
}

// readme is README.txt.
func (b *build) readme(w io.Writer) error {
	_, err := fmt.Fprintf(w, readmeText, b.span.completeness(), b.at.Size)
	return err
}

const readmeText = `Evidence pack of Strata

It holds what was recorded, and what proves it: %s.
The proofs are for the log's checkpoint over %d events.

Read report.html in a browser, or events.csv in a spreadsheet. What counts is events.ndjson: the
bytes that were hashed when they were recorded.

To check it, take the log's verifier key from somebody you trust (keys.txt says what the service
itself says), and run either the program strata-verify

    strata-verify pack . --key 'VERIFIER KEY'

or the source that comes with this pack, which needs nothing but Go:

    cd verifier
    go run . pack .. --key 'VERIFIER KEY'

Exit code 0 means: every event is in the log that was signed, none is missing from the numbers
above, and no file of this pack was changed. Exit code 3 names what is wrong.
`

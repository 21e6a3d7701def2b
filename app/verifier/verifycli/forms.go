package verifycli

import (
	"archive/zip"
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"

	"strata.dev/strata/app/verifier"
)

func (c *call) pack(_ context.Context, name string) (r Result, err error) {
	st, err := os.Stat(name)
	if err != nil {
		return r, err
	}
	var files fs.FS
	if st.IsDir() {
		files = os.DirFS(name)
	} else {
		z, err := zip.OpenReader(name)
		if err != nil {
			return r, fmt.Errorf("%s: %w", name, err)
		}
		defer z.Close()
		files = z
	}
	report, err := verifier.CheckPack(files, c.trust)
	r.Events, r.First, r.Last, r.Complete = report.Events, report.First, report.Last, report.Complete
	r.seen(report.Checkpoint, report.Note)
	if err != nil {
		return r, err
	}
	r.Remarks = append(r.Remarks, fmt.Sprintf("%d files are as the manifest lists them", report.Files))
	if report.Older > 0 {
		r.Remarks = append(r.Remarks, fmt.Sprintf("the checkpoint continues %d earlier ones", report.Older))
	}
	return r, c.notOlder(&r)
}

func (c *call) receipt(_ context.Context, name string) (r Result, err error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return r, err
	}
	report, err := verifier.CheckReceipt(text, c.trust)
	r.Events, r.First, r.Last = int64(report.Events), report.First, report.Last
	r.seen(report.Checkpoint, report.Note)
	if err != nil {
		return r, err
	}
	r.Remarks = append(r.Remarks, fmt.Sprintf("of command %s; %d of its events come with their content", report.CommandID, report.Readable))
	return r, c.notOlder(&r)
}

var errNoArchives = errors.New("archives are packed with zstd, which the standard library cannot read: use the program strata-verify")

// everything is the share of an epoch in a history of which nothing else is known.
func everything(int) int64 { return math.MaxInt64 }

func (c *call) archive(ctx context.Context, dir string) (r Result, err error) {
	if c.options.Unpack == nil {
		return r, errNoArchives
	}
	if _, err := os.Stat(dir); err != nil {
		return r, err
	}
	archive := &verifier.Archive{Objects: verifier.Directory{FS: os.DirFS(dir)}, Unpack: c.options.Unpack}
	shared, err := archive.Shared(ctx)
	if err != nil {
		return r, err
	}
	heads, problem, err := archive.Heads(ctx, c.trust, shared)
	if err != nil {
		return r, err
	}
	for i := range heads {
		heads[i].Outside = false // whoever changes the archive can change them
	}
	a := verifier.NewAudit(&verifier.Tree{}, append(heads, c.memory.Heads(shared)...))
	broken, err := archive.Walk(ctx, func(events []verifier.Event, _ []verifier.Hash) error {
		r.Events += int64(len(events))
		return a.Take(ctx, events)
	})
	if err != nil {
		return r, err
	}
	r.First, r.Last = min(1, r.Events), a.Position()
	var newest verifier.Head
	for _, h := range heads {
		if h.Size >= newest.Size {
			newest = h
		}
	}
	r.seen(newest.Checkpoint, nil)
	found, err := a.Finish(ctx)
	if err != nil {
		return r, err
	}
	for _, p := range []*verifier.Problem{broken, problem} {
		if p != nil && before(p, found) {
			found = p
		}
	}
	switch {
	case found != nil:
		return r, found
	case newest.Size == 0:
		return r, &verifier.Problem{Check: verifier.CheckSignature, Where: dir, Expected: "a signed checkpoint in the archive", Found: "none"}
	case len(newest.Seen) < c.trust.Quorum:
		return r, &verifier.Problem{Position: 1, Through: newest.Size, Check: verifier.CheckSignature, Where: newest.From, Expected: "the witness's cosignature", Found: "none"}
	}
	if r.Last > newest.Size {
		r.Remarks = append(r.Remarks, fmt.Sprintf("positions %d to %d came after the last archived checkpoint: nothing signed covers them yet", newest.Size+1, r.Last))
	}
	if r.note, err = archive.Newest(ctx, newest.Checkpoint); err != nil {
		return r, err
	}
	return r, c.keep(&r)
}

// before says whether p says more than found: it is nearer, or says what a walk
// that ended there shows as the end of the log.
func before(p, found *verifier.Problem) bool {
	return found == nil || p.Position < found.Position || p.Position == found.Position && found.Kind == verifier.Truncated ||
		p.Through == 0 && p.Position <= found.Through
}

func (c *call) log(ctx context.Context, name string) (r Result, err error) {
	if c.checkpoint == "" {
		return r, wrongUsage("log needs --checkpoint")
	}
	if r.note, err = os.ReadFile(c.checkpoint); err != nil {
		return r, err
	}
	newest, err := verifier.OpenCheckpoint(r.note, c.trust)
	if err != nil {
		return r, &verifier.Problem{Check: verifier.CheckSignature, Kind: verifier.ForgedNote, Where: c.checkpoint, Expected: "a checkpoint that a trusted key has signed", Found: err.Error()}
	}
	r.seen(newest, r.note)
	if p := c.memory.Continues(newest); p != nil && p.Kind != verifier.Resigned {
		return r, p
	}
	f, err := os.Open(name)
	if err != nil {
		return r, err
	}
	defer f.Close()
	heads := append(c.memory.Heads(everything), verifier.Head{Checkpoint: newest, From: "the checkpoint"})
	a := verifier.NewAudit(&verifier.Tree{}, heads)
	lines := bufio.NewReaderSize(f, 1<<20)
	var batch []verifier.Event
	for n := 1; ; n++ {
		line, err := verifier.ReadLine(lines)
		if errors.Is(err, io.EOF) {
			break
		}
		var e verifier.Event
		if err == nil {
			e, err = verifier.ParseEvent(line)
		}
		if err != nil {
			return r, &verifier.Problem{Position: a.Position() + int64(len(batch)) + 1, Check: verifier.CheckFormat, Where: fmt.Sprintf("%s, line %d", name, n), Expected: "an event", Found: err.Error()}
		}
		r.Events++
		if batch = append(batch, e); len(batch) == 1_024 {
			if err := a.Take(ctx, batch); err != nil {
				return r, err
			}
			batch = batch[:0]
		}
	}
	if err := a.Take(ctx, batch); err != nil {
		return r, err
	}
	r.First, r.Last = min(1, r.Events), a.Position()
	found, err := a.Finish(ctx)
	if err != nil || found != nil {
		if found != nil {
			err = found
		}
		return r, err
	}
	return r, c.keep(&r)
}

// keep remembers the checkpoint of what was verified whole.
func (c *call) keep(r *Result) error {
	if c.remember == "" {
		return nil
	}
	if err := c.memory.Add(r.checkpoint, r.note); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(c.remember), "."+filepath.Base(c.remember)+"-*")
	if err != nil {
		return err
	}
	_, err = tmp.WriteString(c.memory.String())
	if err = errors.Join(err, tmp.Sync(), tmp.Close()); err == nil {
		err = os.Rename(tmp.Name(), c.remember)
	}
	if err != nil {
		return errors.Join(err, os.Remove(tmp.Name()))
	}
	return nil
}

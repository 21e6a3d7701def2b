package verifier

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
)

const (
	packFormat   = "strata-pack-1"
	manifestName = "manifest.json"
	maxManifest  = 64 << 20
	maxSmallFile = 16 << 20
)

// PackReport is what an evidence pack proves.
type PackReport struct {
	Checkpoint Checkpoint
	Note       []byte
	Events     int64
	First      int64 // positions
	Last       int64
	Files      int
	Complete   string // what is stated to be complete, and is
	Older      int    // earlier checkpoints that this one continues
}

type manifest struct {
	Format       string    `json:"format"`
	Checkpoint   string    `json:"checkpoint"`
	Events       string    `json:"events"`
	Proofs       string    `json:"proofs"`
	Organization *complete `json:"organization"`
	Stream       *complete `json:"stream"`
	Files        []struct {
		Path   string `json:"path"`
		Size   int64  `json:"size"`
		SHA256 string `json:"sha256"`
	} `json:"files"`
}

// complete states that all events of an organization or stream are there, by
// their sequences or versions.
type complete struct {
	ID    string `json:"id"`
	First int64  `json:"first"`
	Last  int64  `json:"last"`
}

// CheckPack verifies an evidence pack: that every event in it is in the log that
// the checkpoint speaks of, in order and as recorded; that what is stated to be
// complete is; and that every file is the one that was packed. A *Problem says
// what is wrong, another error what could not be read.
func CheckPack(pack fs.FS, t Trust) (r PackReport, err error) {
	m, err := readManifest(pack)
	if err != nil {
		return r, err
	}
	if r.Note, err = readFile(pack, m.Checkpoint, maxNote); err != nil {
		return r, err
	}
	if r.Checkpoint, err = OpenCheckpoint(r.Note, t); err != nil {
		return r, &Problem{Check: CheckSignature, Kind: ForgedNote, Where: m.Checkpoint, Expected: "a checkpoint that a trusted key has signed", Found: err.Error()}
	}
	if err := m.checkEvents(pack, &r); err != nil {
		return r, err
	}
	if err := checkOlder(pack, t, &r); err != nil {
		return r, err
	}
	return r, m.checkFiles(pack, &r)
}

func readManifest(pack fs.FS) (m manifest, err error) {
	raw, err := readFile(pack, manifestName, maxManifest)
	if err != nil {
		return m, err
	}
	if _, err := members(raw); err != nil {
		return m, fmt.Errorf("%s: %w", manifestName, err)
	}
	if err := json.Unmarshal(raw, &m); err != nil {
		return m, fmt.Errorf("%s: %w", manifestName, err)
	}
	if m.Format != packFormat {
		return m, fmt.Errorf("%s: format %.40q is not %q", manifestName, m.Format, packFormat)
	}
	for _, name := range []string{m.Checkpoint, m.Events, m.Proofs} {
		if !fs.ValidPath(name) {
			return m, fmt.Errorf("%s: %.80q is no path in the pack", manifestName, name)
		}
	}
	return m, nil
}

func readFile(pack fs.FS, name string, limit int64) ([]byte, error) {
	f, err := pack.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(b)) > limit {
		err = fmt.Errorf("%s: more than %d bytes", name, limit)
	}
	return b, err
}

// checkEvents reads events and proofs, line by line.
func (m manifest) checkEvents(pack fs.FS, r *PackReport) error {
	events, err := pack.Open(m.Events)
	if err != nil {
		return err
	}
	defer events.Close()
	proofs, err := pack.Open(m.Proofs)
	if err != nil {
		return err
	}
	defer proofs.Close()
	next := completeness{organization: m.Organization, stream: m.Stream}
	lines, proofLines := bufio.NewReaderSize(events, 64<<10), bufio.NewReaderSize(proofs, 16<<10)
	for n := int64(1); ; n++ {
		line, err := ReadLine(lines)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return lineProblem(m.Events, n, r.Last, err)
		}
		e, err := ParseEvent(line)
		if err != nil {
			return lineProblem(m.Events, n, r.Last, err)
		}
		proof, err := ReadLine(proofLines)
		if err != nil {
			return lineProblem(m.Proofs, n, r.Last, err)
		}
		if p := r.take(&e, proof, fmt.Sprintf("%s, line %d", m.Events, n)); p != nil {
			return p.at(&e)
		}
		if p := next.take(&e); p != nil {
			return p.at(&e)
		}
	}
	if _, err := ReadLine(proofLines); !errors.Is(err, io.EOF) {
		return &Problem{Position: r.Last + 1, Check: CheckProof, Kind: Removed, Where: m.Proofs, Expected: "as many proofs as events", Found: "more proofs"}
	}
	r.Complete = next.stated()
	return next.end()
}

func lineProblem(file string, n, last int64, err error) error {
	return &Problem{Position: last + 1, Check: CheckFormat, Where: fmt.Sprintf("%s, line %d", file, n), Expected: "an event or its proof", Found: err.Error()}
}

// take checks that the log has the event.
func (r *PackReport) take(e *Event, proof []byte, where string) *Problem {
	wrong := func(check, kind, expected, found string) *Problem {
		return &Problem{Position: e.Position, Check: check, Kind: kind, Where: where, Expected: expected, Found: found}
	}
	if e.Position <= r.Last {
		return wrong(CheckPosition, Swapped, fmt.Sprintf("a position after %d", r.Last), fmt.Sprint(e.Position))
	}
	m, err := members(proof)
	if err != nil {
		return wrong(CheckProof, "", "a proof", err.Error())
	}
	p := memberReader{of: m}
	position, leaf, hashes := p.number("position"), p.hash("leafHash"), p.hashes("proof")
	p.end()
	switch hash := e.Leaf(); {
	case p.err != nil:
		return wrong(CheckProof, "", "a proof", p.err.Error())
	case position != e.Position:
		return wrong(CheckProof, Swapped, fmt.Sprintf("the proof of position %d", e.Position), fmt.Sprintf("that of %d", position))
	case hash != leaf:
		return wrong(CheckLeaf, Edited, leaf.String(), hash.String())
	}
	if err := CheckInclusion(uint64(e.Position-1), uint64(r.Checkpoint.Size), leaf, hashes, r.Checkpoint.Root); err != nil {
		return wrong(CheckProof, Edited, fmt.Sprintf("an event of the log up to size %d", r.Checkpoint.Size), err.Error())
	}
	if r.First == 0 {
		r.First = e.Position
	}
	r.Last = e.Position
	r.Events++
	return nil
}

// completeness follows the numbers of what is stated to be complete.
type completeness struct {
	organization, stream *complete
	sequence, version    int64 // the last seen
}

func (c *completeness) take(e *Event) *Problem {
	if o := c.organization; o != nil && e.Organization.String() == o.ID {
		if want := max(c.sequence+1, o.First); e.Sequence != want {
			return number(e, CheckComplete, want, e.Sequence)
		}
		c.sequence = e.Sequence
	}
	if s := c.stream; s != nil && e.Stream == s.ID {
		if want := max(c.version+1, s.First); e.Version != want {
			return number(e, CheckComplete, want, e.Version)
		}
		c.version = e.Version
	}
	return nil
}

func (c *completeness) end() error {
	for _, of := range []struct {
		stated *complete
		last   int64
		what   string
	}{{c.organization, c.sequence, "organization sequences"}, {c.stream, c.version, "stream versions"}} {
		if of.stated != nil && of.last != of.stated.Last && of.stated.Last >= of.stated.First {
			return &Problem{
				Check: CheckComplete, Kind: Truncated, Where: of.stated.ID,
				Expected: fmt.Sprintf("%s %d to %d", of.what, of.stated.First, of.stated.Last), Found: fmt.Sprintf("%d as the last one", of.last),
			}
		}
	}
	return nil
}

func (c *completeness) stated() string {
	switch {
	case c.stream != nil:
		return fmt.Sprintf("stream %s, versions %d to %d", c.stream.ID, c.stream.First, c.stream.Last)
	case c.organization != nil:
		return fmt.Sprintf("organization %s, sequences %d to %d", c.organization.ID, c.organization.First, c.organization.Last)
	}
	return ""
}

// checkOlder checks that the log of now continues the one of earlier checkpoints.
func checkOlder(pack fs.FS, t Trust, r *PackReport) error {
	const name = "consistency.json"
	raw, err := readFile(pack, name, maxSmallFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var older []struct {
		Checkpoint string   `json:"checkpoint"`
		Proof      []string `json:"proof"`
	}
	if err := json.Unmarshal(raw, &older); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	t.Quorum = 0
	for i, o := range older {
		where := fmt.Sprintf("%s, checkpoint %d", name, i+1)
		c, err := OpenCheckpoint([]byte(o.Checkpoint), t)
		if err != nil {
			return &Problem{Check: CheckSignature, Kind: ForgedNote, Where: where, Expected: "a checkpoint that a trusted key has signed", Found: err.Error()}
		}
		var proof []Hash
		for _, s := range o.Proof {
			h, err := ParseHash(s)
			if err != nil {
				return fmt.Errorf("%s: %w", where, err)
			}
			proof = append(proof, h)
		}
		if err := CheckConsistency(uint64(c.Size), c.Root, uint64(r.Checkpoint.Size), r.Checkpoint.Root, proof); err != nil {
			return &Problem{Position: 1, Through: c.Size, Check: CheckProof, Kind: Resigned, Where: where, Expected: fmt.Sprintf("the beginning of the log of size %d", r.Checkpoint.Size), Found: err.Error()}
		}
		r.Older++
	}
	return nil
}

// checkFiles checks that the pack is the files of the manifest, and nothing else.
func (m manifest) checkFiles(pack fs.FS, r *PackReport) error {
	listed := map[string]bool{}
	for _, f := range m.Files {
		if !fs.ValidPath(f.Path) || listed[f.Path] || f.Path == manifestName {
			return fmt.Errorf("%s: %.80q cannot be listed", manifestName, f.Path)
		}
		listed[f.Path] = true
		sum, size, err := sumFile(pack, f.Path, f.Size)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err != nil || size != f.Size || sum != f.SHA256 {
			found := fmt.Sprintf("%d bytes, SHA-256 %s", size, sum)
			if err != nil {
				found = "no such file"
			}
			return &Problem{Check: CheckManifest, Kind: Edited, Where: f.Path, Expected: fmt.Sprintf("%d bytes, SHA-256 %s", f.Size, f.SHA256), Found: found}
		}
		r.Files++
	}
	extra := map[string]bool{}
	err := fs.WalkDir(pack, ".", func(name string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() && name != manifestName && !listed[name] {
			extra[name] = true
		}
		return err
	})
	if err != nil {
		return err
	}
	if len(extra) > 0 {
		return &Problem{Check: CheckManifest, Kind: Inserted, Where: path.Clean(slices.Sorted(maps.Keys(extra))[0]), Expected: "only files that the manifest lists", Found: "another one"}
	}
	return nil
}

// sumFile reads no more of a file than it should have, and one byte.
func sumFile(pack fs.FS, name string, limit int64) (sum string, size int64, err error) {
	f, err := pack.Open(name)
	if err != nil {
		return "", 0, err
	}
	defer f.Close()
	h := sha256.New()
	size, err = io.Copy(h, io.LimitReader(f, limit+1))
	return hex.EncodeToString(h.Sum(nil)), size, err
}

package archive_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/klauspost/compress/zstd"
	"pgregory.net/rapid"

	"strata.dev/strata/app/archive"
	"strata.dev/strata/app/eventlog"
)

func write(t testing.TB, s archive.Source) ([]byte, archive.Header) {
	t.Helper()
	var object bytes.Buffer
	h, err := archive.WriteSegment(&object, s)
	if err != nil {
		t.Fatal(err)
	}
	return object.Bytes(), h
}

func read(object []byte, base archive.Frontier) (all []eventlog.Event, h archive.Header, err error) {
	s, err := archive.ReadSegment("segment", object)
	if err != nil {
		return nil, h, err
	}
	_, err = s.Check(base, func(e *eventlog.Event) error {
		all = append(all, *e)
		return nil
	})
	return all, s.Header, err
}

// body draws JSON as the log holds it: canonical, but with everything in its strings.
func body(t *rapid.T, label string) []byte {
	text := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{
		"<a href=\"&amp;\">", "\u2028\u2029", "\u00e9\U0001F600\uFFFD", "\x00\x1f\"\\/\n", strings.Repeat("long ", 20_000),
	})).Draw(t, label)
	quoted := &bytes.Buffer{}
	enc := json.NewEncoder(quoted)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(text); err != nil {
		t.Fatal(err)
	}
	// What the log holds leaves these two as they are (RFC 8785); json does not.
	raw := strings.NewReplacer(`\u2028`, "\u2028", `\u2029`, "\u2029").Replace(strings.TrimSuffix(quoted.String(), "\n"))
	return []byte(`{"a":` + raw + `,"b":[1e30,-0.5,null,{}]}`)
}

func drawEvents(t *rapid.T) (before, all []eventlog.Event) {
	n := rapid.IntRange(0, 40).Draw(t, "before")
	before = events(1, int64(n))
	for i := range rapid.IntRange(1, 40).Draw(t, "events") {
		e := eventlog.Event{
			Position: int64(n + i + 1), OrganizationID: uuid.UUID(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "org")),
			OrganizationSequence: rapid.Int64Range(1, 1<<62).Draw(t, "sequence"), StreamID: rapid.StringN(1, 200, 200).Draw(t, "stream"),
			Version: rapid.Int64Range(1, 1<<62).Draw(t, "version"), ID: uuid.UUID(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "id")),
			Type: rapid.StringN(1, 200, 200).Draw(t, "type"), SchemaVersion: rapid.IntRange(1, 1<<30).Draw(t, "schema"),
			Data: body(t, "data"), Metadata: body(t, "metadata"),
			RecordedAt: time.UnixMicro(rapid.Int64Range(-62135596800_000000, 253402300799_999999).Draw(t, "at")).UTC(),
		}
		if rapid.Bool().Draw(t, "first of a command") {
			e.CommandID = uuid.UUID(rapid.SliceOfN(rapid.ByteRange(1, 255), 16, 16).Draw(t, "command"))
			e.CommandHash = rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "hash")
		}
		all = append(all, e)
	}
	return before, all
}

func TestASegmentGivesBackEveryFieldByteForByte(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		before, all := drawEvents(rt)
		var base archive.Frontier
		for i := range before {
			base.Append(eventlog.LeafHash(&before[i]))
		}
		s := archive.Source{Epoch: 3, Base: base, Events: all}
		if len(before) > 0 {
			s.Previous = &archive.Link{Epoch: 3, First: 1, Last: int64(len(before)), SHA256: sha256.Sum256(nil)}
		}
		object, h := write(t, s)
		got, back, err := read(object, base)
		if err != nil {
			rt.Fatal(err)
		}
		same(t, got, all)
		if want := rootOf(slices.Concat(before, all)); h.Root != want || back.Root != want {
			rt.Fatalf("root %s, want %s", h.Root, want)
		}
		if base.Size() != int64(len(before)) {
			rt.Fatal("the base was changed")
		}
	})
}

func TestTheFrontierIsRFC6962(t *testing.T) {
	var f archive.Frontier
	all := events(1, 130)
	for i := range all {
		if f.Root() != rootOf(all[:i]) {
			t.Fatalf("root of %d leaves", i)
		}
		again, err := archive.NewFrontier(f.Size(), f.Nodes())
		if err != nil || again.Root() != f.Root() {
			t.Fatal(err)
		}
		f.Append(eventlog.LeafHash(&all[i]))
	}
	if _, err := archive.NewFrontier(3, f.Nodes()[:1]); err == nil {
		t.Error("a frontier of 3 leaves has two nodes")
	}
}

// repack unpacks a segment, lets edit change its lines, and packs it again.
func repack(t testing.TB, object []byte, edit func(lines []string) []string) []byte {
	t.Helper()
	d, err := zstd.NewReader(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	raw, err := d.DecodeAll(object, nil)
	if err != nil {
		t.Fatal(err)
	}
	lines := edit(strings.SplitAfter(strings.TrimSuffix(string(raw), "\n"), "\n"))
	return pack(t, []byte(strings.TrimSuffix(strings.Join(lines, ""), "\n")+"\n"))
}

func pack(t testing.TB, raw []byte) []byte {
	t.Helper()
	z, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderCRC(true))
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	return z.EncodeAll(raw, nil)
}

func TestWhatIsNotASegmentIsRefusedByName(t *testing.T) {
	object, _ := write(t, archive.Source{Epoch: 1, Events: events(1, 9)})
	flipped := bytes.Clone(object)
	flipped[len(flipped)-1] ^= 1
	line := func(n int, from, to string) []byte {
		return repack(t, object, func(lines []string) []string {
			if !strings.Contains(lines[n], from) {
				t.Fatalf("line %d is %s", n, lines[n])
			}
			lines[n] = strings.Replace(lines[n], from, to, 1)
			return lines
		})
	}
	for name, tt := range map[string]struct {
		object   []byte
		position int64
		says     string
	}{
		"nothing":                   {nil, 0, "no zstd frame"},
		"text":                      {[]byte("not packed at all, and long enough"), 0, "no zstd frame"},
		"cut off":                   {object[:len(object)-9], 0, "ends early"},
		"a bit of the checksum":     {flipped, 0, ""},
		"bytes behind the frame":    {append(bytes.Clone(object), 0), 0, "1 bytes behind its frame"},
		"two frames":                {append(bytes.Clone(object), object...), 0, "behind its frame"},
		"another format":            {line(0, "strata-archive-1", "strata-archive-2"), 0, `format "strata-archive-2"`},
		"an unknown header member":  {line(0, `{"format"`, `{"x":1,"format"`), 0, "not spelled"},
		"a promise of more":         {line(0, `"last":9`, `"last":10`), 10, "ends early"},
		"a promise of less":         {line(0, `"last":9`, `"last":8`), 0, "frontier"},
		"another root":              {line(0, `"root":"`, `"root":"00`), 0, ""},
		"an event changed":          {line(4, `{"n":"4"}`, `{"n":"5"}`), 1, "another root"},
		"an event twice":            {line(4, `"position":4`, `"position":3`), 4, "position 3 stands there"},
		"a blank":                   {line(4, `"position":4`, `"position": 4`), 4, "not spelled"},
		"an escape":                 {line(4, `strategy-x`, `strategy\u002dx`), 4, "not spelled"},
		"a member twice":            {line(4, `"version":4`, `"version":9,"version":4`), 4, "not spelled"},
		"an unknown member":         {line(4, `"version":4`, `"version":4,"x":1`), 4, "not spelled"},
		"a hash without command":    {line(4, `"recordedAt"`, `"commandHash":"00","recordedAt"`), 4, "only one"},
		"a time with a zone":        {line(4, `56Z`, `56+00:00`), 4, "recordedAt"},
		"a carriage return":         {line(4, "\n", "\r\n"), 4, "not spelled"},
		"an event less":             {repack(t, object, func(l []string) []string { return l[:9] }), 9, "ends early"},
		"an event more":             {repack(t, object, func(l []string) []string { l[9] += "\n"; return append(l, l[9]) }), 10, "more than its header says"},
		"no line break at the end":  {pack(t, []byte(`{"format":"strata-archive-1"}`)), 0, "ends early"},
		"a line that never ends":    {pack(t, bytes.Repeat([]byte("x"), archive.MaxLineBytes+1)), 0, "a line of more than"},
		"an event that never ends":  {repack(t, object, func(l []string) []string { l[5] = strings.Repeat("x", archive.MaxLineBytes+1); return l }), 5, "a line of more than"},
		"a bomb":                    {repack(t, object, func(l []string) []string { return append(l[:3], strings.Repeat(strings.Repeat("x", 1<<20)+"\n", 40)) }), 0, ""},
		"a frame without checksum":  {unchecked(t, object), 0, "no checksum"},
		"positions from the middle": {line(0, `"first":1`, `"first":2`), 0, "names the one before it"},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := read(tt.object, archive.Frontier{})
			var about *archive.SegmentError
			if !errors.As(err, &about) || !errors.Is(err, archive.ErrDamaged) {
				t.Fatalf("%v is no *SegmentError about damage", err)
			}
			if about.Segment != "segment" || tt.position > 0 && about.Position != tt.position || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("position %d: %v; want position %d and %q", about.Position, err, tt.position, tt.says)
			}
		})
	}
}

// unchecked packs a segment's lines without a checksum.
func unchecked(t testing.TB, object []byte) []byte {
	t.Helper()
	return packedAs(t, object, zstd.WithEncoderCRC(false))
}

// anew packs a segment's lines in another way.
func anew(t testing.TB, object []byte) []byte {
	t.Helper()
	other := packedAs(t, object, zstd.WithEncoderCRC(true), zstd.WithNoEntropyCompression(true), zstd.WithAllLitEntropyCompression(false))
	if bytes.Equal(other, object) {
		t.Fatal("it is packed as it was")
	}
	return other
}

func packedAs(t testing.TB, object []byte, options ...zstd.EOption) []byte {
	t.Helper()
	d, err := zstd.NewReader(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	raw, err := d.DecodeAll(object, nil)
	if err != nil {
		t.Fatal(err)
	}
	z, err := zstd.NewWriter(nil, append(options, zstd.WithEncoderConcurrency(1))...)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	return z.EncodeAll(raw, nil)
}

func TestWhatCannotBeReadBackIsNotWritten(t *testing.T) {
	for name, change := range map[string]func(all []eventlog.Event){
		"a line break in the body":     func(all []eventlog.Event) { all[2].Data = []byte("{\n}") },
		"a body that is no JSON":       func(all []eventlog.Event) { all[2].Data = []byte("{x}") },
		"a body that is no object":     func(all []eventlog.Event) { all[2].Metadata = []byte(`"x"`) },
		"blanks around the body":       func(all []eventlog.Event) { all[2].Data = []byte(" {}") },
		"a name that is not UTF-8":     func(all []eventlog.Event) { all[2].StreamID = "a\xff" },
		"a command without its hash":   func(all []eventlog.Event) { all[2].CommandHash = nil },
		"nanoseconds":                  func(all []eventlog.Event) { all[2].RecordedAt = all[2].RecordedAt.Add(1) },
		"a gap":                        func(all []eventlog.Event) { all[2].Position++ },
		"an event of another position": func(all []eventlog.Event) { all[2].Position-- },
	} {
		t.Run(name, func(t *testing.T) {
			all := events(1, 5)
			change(all)
			_, err := archive.WriteSegment(&bytes.Buffer{}, archive.Source{Epoch: 1, Events: all})
			var about *archive.SegmentError
			if !errors.As(err, &about) || about.Position != all[2].Position {
				t.Errorf("%v", err)
			}
		})
	}
	if _, err := archive.WriteSegment(&bytes.Buffer{}, archive.Source{Epoch: 1}); err == nil {
		t.Error("an empty segment was written")
	}
}

func FuzzReadSegment(f *testing.F) {
	object, _ := write(f, archive.Source{Epoch: 1, Events: events(1, 5)})
	f.Add(object)
	f.Add(object[:len(object)/2])
	f.Add(repack(f, object, func(lines []string) []string { return lines[1:] }))
	f.Add(repack(f, object, func(lines []string) []string { return append(lines[:2], lines[3:]...) }))
	f.Fuzz(func(t *testing.T, object []byte) {
		all, h, err := read(object, archive.Frontier{})
		if err != nil {
			if !errors.Is(err, archive.ErrDamaged) {
				t.Fatalf("an error of another kind: %v", err)
			}
			return
		}
		// What is taken is what is written of it again, but for the packing.
		var again bytes.Buffer
		back, err := archive.WriteSegment(&again, archive.Source{Epoch: h.Epoch, Events: all})
		if err != nil {
			t.Fatal(err)
		}
		if back.Root != h.Root || back.First != h.First || back.Last != h.Last {
			t.Fatalf("%+v became %+v", h, back)
		}
	})
}

func FuzzParseEvent(f *testing.F) {
	for _, p := range []int64{1, 2} {
		e := event(p)
		line, err := archive.AppendEvent(nil, &e)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		e, err := archive.ParseEvent(line)
		if err != nil {
			return
		}
		again, err := archive.AppendEvent(nil, &e)
		if err != nil || !bytes.Equal(again, line) {
			t.Fatalf("%q became %q (%v)", line, again, err)
		}
	})
}

func BenchmarkWriteAndReadBack(b *testing.B) {
	all := events(1, 10_000)
	for i := range all {
		all[i].Data = fmt.Appendf(nil, `{"name":"Goal %d","description":%q}`, i, strings.Repeat("text of it ", 40))
	}
	b.ResetTimer()
	for b.Loop() {
		object, _ := write(b, archive.Source{Epoch: 1, Events: all[:8_000]})
		if _, _, err := read(object, archive.Frontier{}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)*8_000/b.Elapsed().Seconds(), "events/s")
}

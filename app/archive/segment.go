package archive

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"iter"

	"github.com/klauspost/compress/zstd"

	"strata.dev/strata/app/eventlog"
)

// Source is what a segment is made of.
type Source struct {
	Epoch    int
	Previous *Link    // the segment before it; nil for the first
	Base     Frontier // of the log up to the event before the first; it is not changed
	Events   []eventlog.Event
}

// WriteSegment writes a segment to w and gives its header. An event that cannot be
// written as it is, or does not follow the one before it, is a *SegmentError.
func WriteSegment(w io.Writer, s Source) (Header, error) {
	if len(s.Events) == 0 || len(s.Events) > MaxEvents {
		return Header{}, fmt.Errorf("a segment of %d events", len(s.Events))
	}
	first, last := s.Events[0].Position, s.Events[len(s.Events)-1].Position
	wrong := func(position int64, err error) error {
		return &SegmentError{SegmentKey(s.Epoch, first), position, ErrDamaged, err}
	}
	tree, scratch := s.Base.Clone(), []byte(nil)
	for i := range s.Events {
		e := &s.Events[i]
		if e.Position != tree.Size()+1 {
			return Header{}, wrong(e.Position, fmt.Errorf("position %d was to come", tree.Size()+1))
		}
		tree.Append(eventlog.LeafHashIn(&scratch, e))
	}
	h := Header{
		Format: Format, Epoch: s.Epoch, First: first, Last: last, Previous: s.Previous, Frontier: tree.Nodes(), Root: tree.Root(),
	}
	line, err := h.line()
	if err == nil {
		_, err = parseHeader(line) // what no reader takes is not written
	}
	if err != nil {
		return Header{}, wrong(first, err)
	}
	z, err := zstd.NewWriter(w, zstd.WithEncoderConcurrency(1), zstd.WithEncoderCRC(true), zstd.WithLowerEncoderMem(true),
		zstd.WithWindowSize(window(s.Events)))
	if err != nil {
		return Header{}, fmt.Errorf("zstd: %w", err)
	}
	if _, err := z.Write(append(line, '\n')); err != nil {
		return Header{}, errors.Join(err, z.Close())
	}
	for i := range s.Events {
		if line, err = AppendEvent(line[:0], &s.Events[i]); err != nil {
			return Header{}, errors.Join(wrong(s.Events[i].Position, err), z.Close())
		}
		if _, err := z.Write(append(line, '\n')); err != nil {
			return Header{}, errors.Join(err, z.Close())
		}
	}
	return h, z.Close()
}

// maxWindowWritten is how far back the packer looks in a large segment; there is
// little more to be found beyond.
const maxWindowWritten = 4 << 20

// window is how far back the packer looks: all of a small segment. Packer and
// readers need as much memory.
func window(events []eventlog.Event) int {
	bytes, size := 0, zstd.MinWindowSize
	for i := range events {
		bytes += lineBytes(&events[i])
	}
	for size < bytes && size < maxWindowWritten {
		size *= 2
	}
	return size
}

// Segment is one that is being read.
type Segment struct {
	Header
	Name   string // its key, for errors
	SHA256 Hash   // of the object's bytes
	object []byte
}

// ReadSegment checks that object is a segment by form, and reads its header. The
// events are read, and believed, one by one: see Events and Check. name is the
// object's key, for errors, which are *SegmentError.
func ReadSegment(name string, object []byte) (*Segment, error) {
	s := &Segment{Name: name, SHA256: sha256.Sum256(object), object: object}
	if len(object) > MaxObjectBytes {
		return nil, s.wrong(0, fmt.Errorf("it has %d bytes, a segment has %d at most", len(object), MaxObjectBytes))
	}
	if err := checkFrame(object); err != nil {
		return nil, s.wrong(0, err)
	}
	lines, end, err := s.unpack()
	if err != nil {
		return nil, s.wrong(0, err)
	}
	defer end()
	line, err := readLine(lines)
	if err != nil {
		return nil, s.wrong(0, err)
	}
	if s.Header, err = parseHeader(line); err != nil {
		return nil, s.wrong(0, err)
	}
	return s, nil
}

// Link names the segment.
func (s *Segment) Link() Link { return Link{s.Epoch, s.First, s.Last, s.SHA256} }

func (s *Segment) wrong(position int64, err error) error {
	return &SegmentError{s.Name, position, ErrDamaged, err}
}

// unpack begins to unpack the object; end frees what that takes.
func (s *Segment) unpack() (lines *bufio.Reader, end func(), err error) {
	z, err := zstd.NewReader(bytes.NewReader(s.object), zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxMemory(maxWindow), zstd.WithDecoderMaxWindow(maxWindow))
	if err != nil {
		return nil, nil, err
	}
	return bufio.NewReaderSize(&bounded{z, maxRawBytes}, MaxLineBytes), z.Close, nil
}

// bounded ends with an error where io.LimitedReader would just end.
type bounded struct {
	from io.Reader
	left int
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.left == 0 {
		return 0, fmt.Errorf("it unpacks to more than %d bytes", maxRawBytes)
	}
	n, err := b.from.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}

// readLine gives the next line, valid until the next call; io.EOF at the end.
func readLine(r *bufio.Reader) ([]byte, error) {
	line, err := r.ReadSlice('\n')
	switch {
	case err == nil:
		return line[:len(line)-1], nil
	case errors.Is(err, bufio.ErrBufferFull):
		return nil, fmt.Errorf("a line of more than %d bytes", MaxLineBytes)
	case errors.Is(err, io.EOF) && len(line) > 0:
		return nil, errCutOff
	}
	return nil, err
}

// Events reads the events, in order. A pair with an error, a *SegmentError, is the
// last one. What was yielded before it is not proven by it: only Check proves.
func (s *Segment) Events() iter.Seq2[eventlog.Event, error] {
	return func(yield func(eventlog.Event, error) bool) {
		next := s.First
		fail := func(err error) { yield(eventlog.Event{}, s.wrong(next, err)) }
		lines, end, err := s.unpack()
		if err != nil {
			fail(err)
			return
		}
		defer end()
		if _, err := readLine(lines); err != nil { // the header
			fail(err)
			return
		}
		for ; ; next++ {
			line, err := readLine(lines)
			switch {
			case errors.Is(err, io.EOF) && next == s.Last+1:
				return
			case errors.Is(err, io.EOF):
				fail(errCutOff)
				return
			case err == nil && next > s.Last:
				fail(fmt.Errorf("there is more than its header says, which ends with position %d", s.Last))
				return
			}
			var e eventlog.Event
			if err == nil {
				e, err = ParseEvent(line)
			}
			if err == nil && e.Position != next {
				err = fmt.Errorf("position %d stands there", e.Position)
			}
			if err != nil {
				fail(err)
				return
			}
			if !yield(e, nil) {
				return
			}
		}
	}
}

// errRoot: every line is well-formed, and they are not those that the header is about.
var errRoot = errors.New("another root")

// Check reads the segment to its end and proves that its events, behind the log of
// which base is the frontier, make the root that the header states. visit, if not
// nil, gets each event before that is known. The frontier behind the segment is
// returned. Errors of visit are returned as they are.
func (s *Segment) Check(base Frontier, visit func(*eventlog.Event) error) (Frontier, error) {
	if base.Size() != s.First-1 {
		return Frontier{}, s.wrong(s.First, fmt.Errorf("the log before it ends at position %d", base.Size()))
	}
	tree, scratch := base.Clone(), []byte(nil)
	for e, err := range s.Events() {
		if err != nil {
			return Frontier{}, err
		}
		tree.Append(eventlog.LeafHashIn(&scratch, &e))
		if visit != nil {
			if err := visit(&e); err != nil {
				return Frontier{}, err
			}
		}
	}
	if root := tree.Root(); root != s.Root {
		return Frontier{}, s.wrong(s.First, fmt.Errorf("%w: its events make %s, its header says %s", errRoot, root, s.Root))
	}
	return tree, nil
}

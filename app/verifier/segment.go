package verifier

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
)

// Limits of a segment of the archive.
const (
	maxSegmentEvents = 100_000
	maxSegmentBytes  = 256 << 20 // unpacked
	segmentFormat    = "strata-archive-1"
)

// Link names a segment by what it holds and by the hash of its object.
type Link struct {
	Epoch, First, Last int64
	SHA256             Hash
}

// Segment is a part of the log as it is archived: lines of JSON, the first about
// the segment, the others its events.
type Segment struct {
	Epoch, First, Last int64
	Previous           *Link
	Frontier           []Hash // of the tree up to Last
	Root               Hash
	Events             []Event
}

var errSegment = errors.New("no segment of an archive")

// ReadSegment reads an unpacked segment, whole. It checks that the segment is
// what its first line says, not that this fits what comes before it. A *Problem
// names the position that cannot be read.
func ReadSegment(unpacked io.Reader) (*Segment, error) {
	limited := &io.LimitedReader{R: unpacked, N: maxSegmentBytes}
	lines := bufio.NewReaderSize(limited, 64<<10)
	line, err := ReadLine(lines)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errSegment, err)
	}
	s, err := parseHeader(line)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errSegment, err)
	}
	for at := s.First; at <= s.Last; at++ {
		wrong := func(found string) error {
			return &Problem{Position: at, Check: CheckArchive, Kind: ArchiveSwap, Expected: fmt.Sprintf("event %d of the segment from %d to %d", at, s.First, s.Last), Found: found}
		}
		line, err := ReadLine(lines)
		if err != nil {
			return nil, wrong(err.Error())
		}
		e, err := ParseEvent(line)
		if err != nil {
			return nil, wrong(err.Error())
		}
		if e.Position != at {
			return nil, wrong(fmt.Sprintf("event %d", e.Position))
		}
		s.Events = append(s.Events, e)
	}
	if _, err := ReadLine(lines); !errors.Is(err, io.EOF) {
		return nil, &Problem{Position: s.Last, Check: CheckArchive, Kind: ArchiveSwap, Expected: "the end of the segment", Found: "more behind it"}
	}
	return s, nil
}

// ReadLine gives the next line of an export without its end, and io.EOF where
// there is none. A line longer than MaxLine is an error.
func ReadLine(r *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		part, err := r.ReadSlice('\n')
		line = append(line, part...)
		switch {
		case len(line) > MaxLine:
			return nil, fmt.Errorf("a line of more than %d bytes", MaxLine)
		case errors.Is(err, bufio.ErrBufferFull):
		case errors.Is(err, io.EOF) && len(line) > 0:
			return nil, errors.New("a line without an end")
		case err != nil:
			return nil, err
		default:
			return bytes.TrimSuffix(line, []byte{'\n'}), nil
		}
	}
}

func parseHeader(line []byte) (*Segment, error) {
	m, err := members(line)
	if err != nil {
		return nil, err
	}
	r := memberReader{of: m}
	s := &Segment{Epoch: r.number("epoch"), First: r.number("first"), Last: r.number("last")}
	if format := r.text("format"); r.err == nil && format != segmentFormat {
		return nil, fmt.Errorf("format %.40q is not %q", format, segmentFormat)
	}
	s.Root = r.hash("root")
	s.Frontier = r.hashes("frontier")
	if raw, linked := m["previous"]; linked {
		r.taken++
		s.Previous, err = parseLink(raw)
		r.wrong("previous", err)
	}
	r.end()
	if r.err != nil {
		return nil, r.err
	}
	if s.Epoch < 1 || s.First < 1 || s.Last < s.First || s.Last-s.First >= maxSegmentEvents {
		return nil, fmt.Errorf("epoch %d, positions %d to %d", s.Epoch, s.First, s.Last)
	}
	return s, nil
}

func parseLink(raw []byte) (*Link, error) {
	m, err := members(raw)
	if err != nil {
		return nil, err
	}
	r := memberReader{of: m}
	l := &Link{Epoch: r.number("epoch"), First: r.number("first"), Last: r.number("last"), SHA256: r.hash("sha256")}
	r.end()
	return l, r.err
}

package archive

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"strata.dev/strata/app/objectstore"
)

// Store is where the archive is.
type Store = objectstore.Store

// What the keys of segments end in.
const segmentSuffix = ".ndjson.zst"

// pageSize is how many keys are asked for at once.
const pageSize = 1_000

// SegmentKey is where the segment of an epoch that begins with a position is.
func SegmentKey(epoch int, first int64) string {
	return fmt.Sprintf("%s%020d%s", segmentsPrefix(epoch), first, segmentSuffix)
}

// CheckpointKey is where the signed checkpoint of an epoch for a tree of size leaves is.
func CheckpointKey(epoch int, size int64) string {
	return fmt.Sprintf("%s%020d", checkpointsPrefix(epoch), size)
}

// OriginalKey is where a document is, in the form in which it is stored.
func OriginalKey(organizationID uuid.UUID, sha256 string) string {
	return "originals/" + organizationID.String() + "/" + sha256
}

func epochPrefix(epoch int) string       { return fmt.Sprintf("epoch-%04d/", epoch) }
func segmentsPrefix(epoch int) string    { return epochPrefix(epoch) + "segments/" }
func checkpointsPrefix(epoch int) string { return epochPrefix(epoch) + "checkpoints/" }

// series are objects whose keys are numbers between prefix and suffix.
type series struct {
	store          Store
	prefix, suffix string
}

func segmentsOf(store Store, epoch int) series {
	return series{store, segmentsPrefix(epoch), segmentSuffix}
}

func checkpointsOf(store Store, epoch int) series { return series{store, checkpointsPrefix(epoch), ""} }

func (s series) key(n int64) string { return fmt.Sprintf("%s%020d%s", s.prefix, n, s.suffix) }

// after gives the numbers above n, in order, at most limit.
func (s series) after(ctx context.Context, n int64, limit int) ([]int64, error) {
	numbers, _, err := s.page(ctx, n, limit)
	return numbers, err
}

// page gives the numbers above n and their objects.
func (s series) page(ctx context.Context, n int64, limit int) ([]int64, []objectstore.Object, error) {
	start := ""
	if n > 0 {
		start = s.key(n)
	}
	objects, err := s.store.List(ctx, s.prefix, start, limit)
	if err != nil {
		return nil, nil, fmt.Errorf("list %s: %w", s.prefix, err)
	}
	numbers := make([]int64, 0, len(objects))
	for _, o := range objects {
		digits := strings.TrimSuffix(strings.TrimPrefix(o.Key, s.prefix), s.suffix)
		number, err := strconv.ParseInt(digits, 10, 64)
		if err != nil || number <= n || o.Key != s.key(number) {
			return nil, nil, &SegmentError{o.Key, 0, ErrDamaged, fmt.Errorf("no object of this name belongs into %s", s.prefix)}
		}
		numbers, n = append(numbers, number), number
	}
	return numbers, objects, nil
}

// last gives the highest number, or 0. It does not read the whole list: it leaps,
// doubling, until it is beyond the end, and halves the last leap.
func (s series) last(ctx context.Context) (low int64, err error) {
	for {
		page, err := s.after(ctx, low, pageSize)
		if err != nil {
			return 0, err
		}
		if len(page) > 0 {
			low = page[len(page)-1]
		}
		if len(page) < pageSize {
			return low, nil
		}
		high := low
		for step := int64(pageSize); ; step *= 2 {
			high = low + step
			one, err := s.after(ctx, high, 1)
			if err != nil {
				return 0, err
			}
			if len(one) == 0 {
				break
			}
			low = one[0]
		}
		for high-low > pageSize {
			middle := low + (high-low)/2
			one, err := s.after(ctx, middle, 1)
			if err != nil {
				return 0, err
			}
			if len(one) == 0 {
				high = middle
			} else {
				low = one[0]
			}
		}
	}
}

// readSegment gets a segment of the archive.
func readSegment(ctx context.Context, store Store, epoch int, first int64) (*Segment, error) {
	key := SegmentKey(epoch, first)
	object, err := store.Get(ctx, key)
	if errors.Is(err, objectstore.ErrNotFound) {
		return nil, &SegmentError{key, first, ErrMissing, err}
	}
	if err != nil {
		return nil, err
	}
	s, err := ReadSegment(key, object)
	if err != nil {
		return nil, err
	}
	if s.Epoch != epoch || s.First != first {
		return nil, s.wrong(first, fmt.Errorf("its header is of position %d of epoch %d", s.First, s.Epoch))
	}
	return s, nil
}

// LastSegment gives the segment of an epoch that begins last; ok = false if there
// is none. It is not checked beyond its header.
func LastSegment(ctx context.Context, store Store, epoch int) (s *Segment, ok bool, err error) {
	first, err := segmentsOf(store, epoch).last(ctx)
	if err != nil || first == 0 {
		return nil, false, err
	}
	s, err = readSegment(ctx, store, epoch, first)
	return s, err == nil, err
}

// LastCheckpoint gives the signed checkpoint of an epoch with the largest tree, as
// it was signed; ok = false if there is none.
func LastCheckpoint(ctx context.Context, store Store, epoch int) (size int64, note []byte, ok bool, err error) {
	size, err = checkpointsOf(store, epoch).last(ctx)
	if err != nil || size == 0 {
		return 0, nil, false, err
	}
	note, err = store.Get(ctx, CheckpointKey(epoch, size))
	return size, note, err == nil, err
}

// LastEpoch is the highest epoch of which there are segments; 0 = the archive is empty.
func LastEpoch(ctx context.Context, store Store) (last int, err error) {
	after := ""
	for {
		objects, err := store.List(ctx, "epoch-", after, 1)
		if err != nil {
			return 0, fmt.Errorf("list epochs: %w", err)
		}
		if len(objects) == 0 {
			return last, nil
		}
		folder, _, _ := strings.Cut(objects[0].Key, "/")
		n, err := strconv.Atoi(strings.TrimPrefix(folder, "epoch-"))
		if err != nil || n < 1 || folder+"/" != epochPrefix(n) {
			return 0, &SegmentError{objects[0].Key, 0, ErrDamaged, errors.New("no object of this name belongs into an archive")}
		}
		first, err := segmentsOf(store, n).after(ctx, 0, 1)
		if err != nil {
			return 0, err
		}
		if len(first) > 0 {
			last = n
		}
		after = epochPrefix(n) + "~" // above all keys in it
	}
}

// Entry is a segment as a listing shows it: nothing of it is read.
type Entry struct {
	Epoch int
	First int64 // position
	Size  int64 // bytes of the object
	At    time.Time
}

// Entries lists segments of an epoch that begin behind a position, in order, at
// most limit (which is 1 to 10,000).
func Entries(ctx context.Context, store Store, epoch int, after int64, limit int) ([]Entry, error) {
	numbers, objects, err := segmentsOf(store, epoch).page(ctx, after, limit)
	if err != nil {
		return nil, err
	}
	entries := make([]Entry, len(numbers))
	for i, first := range numbers {
		entries[i] = Entry{epoch, first, objects[i].Size, objects[i].ModifiedAt}
	}
	return entries, nil
}

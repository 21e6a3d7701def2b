package plansdb

import (
	"flag"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/google/uuid"
	"go.uber.org/goleak"

	"strata.dev/strata/adapters/internal/readdb/readdbtest"
	"strata.dev/strata/app/projection"
	"strata.dev/strata/app/query"
	"strata.dev/strata/tests/testenv"
)

func TestMain(m *testing.M) {
	// Each check costs some hundred round trips; the command line may ask for more.
	if err := flag.Set("rapid.checks", "25"); err != nil {
		panic(err)
	}
	os.Exit(testenv.Main(m))
}

// noLeaks fails the test if it leaves goroutines behind. Call it first: it looks last.
func noLeaks(t *testing.T) {
	t.Helper()
	options := append(testenv.LeakOptions(), goleak.IgnoreCurrent())
	t.Cleanup(func() { goleak.VerifyNone(t, options...) })
}

// fixture is a plans database with a projection and a reader on it.
type fixture struct {
	urls       testenv.ReadURLs
	projection *Projection
	reader     *Reader
	log        *readdbtest.Log
}

func setup(t *testing.T, o Options) *fixture {
	t.Helper()
	noLeaks(t)
	return prepare(t, o)
}

// prepare is setup without the look for leaks, for benchmarks.
func prepare(t testing.TB, o Options) *fixture {
	t.Helper()
	f := &fixture{urls: testenv.Plans(t), log: readdbtest.NewLog()}
	f.projection = f.open(t, o)
	var err error
	if f.reader, err = OpenReader(t.Context(), f.urls.Reader, f.projection); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.reader.Close)
	return f
}

// open opens a projection as another process would.
func (f *fixture) open(t testing.TB, o Options) *Projection {
	t.Helper()
	p, err := OpenProjection(t.Context(), f.urls.Projector, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

// catchUp applies what the projection has not seen, in batches of at most size.
func (f *fixture) catchUp(t testing.TB, size int) {
	t.Helper()
	for {
		at, err := f.projection.Checkpoint(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		events, err := f.log.Read(t.Context(), at, size)
		if err != nil {
			t.Fatal(err)
		}
		if len(events) == 0 {
			return
		}
		if err := f.projection.Apply(t.Context(), events); err != nil {
			t.Fatal(err)
		}
	}
}

func (f *fixture) digest(t testing.TB) projection.Digest {
	t.Helper()
	d, err := f.projection.Digest(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// seeded gives the same history each time.
func seeded(seed uint64) readdbtest.Pick { return rand.New(rand.NewPCG(seed, 7)).IntN }

// history makes an organization with steps random commands.
func (f *fixture) history(seed uint64, steps int) *readdbtest.World {
	w := readdbtest.NewWorld(f.log, seeded(seed))
	for range steps {
		w.Step()
	}
	return w
}

func as(w *readdbtest.World) query.Read { return query.Read{OrganizationID: w.ID} }

func asID(id uuid.UUID) query.Read { return query.Read{OrganizationID: id} }

package fsck_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"strata.dev/strata/app/eventcodec"
	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/app/fsck"
	"strata.dev/strata/domain/finding"
	"strata.dev/strata/domain/organization"
	"strata.dev/strata/domain/severity"
)

// history is a log in memory that anybody can write to, as a disk can.
type history struct {
	events []eventlog.Event
	stream func(events []eventlog.Event) []eventlog.Event // what a broken index does
}

func (h *history) Read(_ context.Context, after int64, limit int) ([]eventlog.Event, error) {
	i := slices.IndexFunc(h.events, func(e eventlog.Event) bool { return e.Position > after })
	if i < 0 {
		return nil, nil
	}
	return h.events[i:min(len(h.events), i+limit)], nil
}

func (h *history) Head(context.Context) (int64, error) {
	if len(h.events) == 0 {
		return 0, nil
	}
	return h.events[len(h.events)-1].Position, nil
}

func (h *history) ReadStream(_ context.Context, organization uuid.UUID, streamID string, after int64, limit int) (found []eventlog.Event, err error) {
	for _, e := range h.events {
		if e.OrganizationID == organization && e.StreamID == streamID && e.Version > after && (limit == 0 || len(found) < limit) {
			found = append(found, e)
		}
	}
	if h.stream != nil {
		found = h.stream(found)
	}
	return found, nil
}

// add records events as the append lane does.
func (h *history) add(t testing.TB, organizationID uuid.UUID, streamID string, bodies ...any) {
	t.Helper()
	command := uuid.New()
	var sequence, version int64
	for _, e := range h.events {
		if e.OrganizationID == organizationID {
			sequence++
		}
		if e.StreamID == streamID {
			version++
		}
	}
	for i, body := range bodies {
		typ, schema, data, err := eventcodec.Encode(body)
		if err != nil {
			t.Fatal(err)
		}
		metadata, err := eventlog.Metadata{Actor: eventlog.Actor{Kind: eventlog.Person, ID: "m-1"}, CommandID: command, CorrelationID: command.String()}.Encode()
		if err != nil {
			t.Fatal(err)
		}
		sequence, version = sequence+1, version+1
		e := eventlog.Event{
			Position: int64(len(h.events)) + 1, OrganizationID: organizationID, OrganizationSequence: sequence, StreamID: streamID, Version: version,
			ID: uuid.New(), Type: typ, SchemaVersion: schema, Data: data, Metadata: metadata, RecordedAt: day.Add(time.Duration(len(h.events)) * time.Second),
		}
		if i == 0 {
			e.CommandID, e.CommandHash = command, make([]byte, 32)
		}
		h.events = append(h.events, e)
	}
}

var day = time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)

// example has two organizations with a stream or two each.
func example(t testing.TB) (h *history, first, second uuid.UUID) {
	t.Helper()
	h = &history{}
	first, second = uuid.New(), uuid.New()
	for _, id := range []uuid.UUID{first, second} {
		h.add(t, id, "organization-"+id.String(), organization.Registered{OrganizationID: id.String(), Name: "One", TimeZone: "UTC", FiscalYearStart: 1})
		findingID := uuid.NewString()
		stream := "finding-" + findingID
		h.add(t, id, stream,
			finding.Raised{FindingID: findingID, Kind: finding.MinorNC, Severity: severity.High, Title: "t", Condition: "c", Criteria: "c", Origin: finding.FromAudit},
			finding.Assigned{OwnerID: "m-2", DueDate: "2026-05-01"})
		h.add(t, id, stream, finding.Closed{Reason: "fixed"})
	}
	return h, first, second
}

func check(t testing.TB, o fsck.Options) fsck.Report {
	t.Helper()
	r, err := fsck.Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// only gives the one thing that is wrong, and fails the test if there is none or another.
func only(t *testing.T, r fsck.Report, section string) fsck.Wrong {
	t.Helper()
	s, _ := r.Section(section)
	if got := r.Wrong(); !slices.Equal(got, []string{section}) || s.Total != 1 {
		t.Fatalf("wrong are %v, of %s %d: %+v", got, section, s.Total, r.Sections)
	}
	return s.Wrong[0]
}

func TestSoundLog(t *testing.T) {
	h, _, _ := example(t)
	r := check(t, fsck.Options{Log: h})
	if !r.OK() || r.Head != 8 || len(r.States) != 64 {
		t.Fatalf("%+v", r)
	}
	for _, s := range r.Sections {
		want := fsck.NotConfigured
		if s.Name == fsck.LogSection || s.Name == fsck.StreamsSection {
			want = fsck.OK
		}
		if s.State != want {
			t.Errorf("%s is %s, not %s", s.Name, s.State, want)
		}
	}
	if s, _ := r.Section(fsck.StreamsSection); s.Checked != 4 {
		t.Errorf("%d streams checked, not 4", s.Checked)
	}
}

// Each way of changing the log is named with the position of the event.
func TestWhatIsWrongInTheLog(t *testing.T) {
	for name, c := range map[string]struct {
		spoil    func(h *history)
		section  string
		kind     string
		position int64
	}{
		"position missing": {func(h *history) {
			for i := 5; i < len(h.events); i++ {
				h.events[i].Position++
			}
		}, fsck.LogSection, "gap", 7},
		"sequence":        {func(h *history) { h.events[7].OrganizationSequence = 9 }, fsck.LogSection, "sequence", 8},
		"time":            {func(h *history) { h.events[7].RecordedAt = day.Add(-time.Hour) }, fsck.LogSection, "time", 8},
		"unknown type":    {func(h *history) { h.events[0].Type, h.events[0].SchemaVersion = "organization.registered", 99 }, fsck.LogSection, "unreadable", 1},
		"spelled anew":    {func(h *history) { h.events[0].Data = append([]byte("{ "), h.events[0].Data[1:]...) }, fsck.LogSection, "not canonical", 1},
		"no hash":         {func(h *history) { h.events[0].CommandHash = nil }, fsck.LogSection, "command", 1},
		"another's event": {func(h *history) { h.events[3].Type, h.events[3].Data = h.events[0].Type, h.events[0].Data }, fsck.StreamsSection, "fold", 4},
		"index": {func(h *history) {
			h.stream = func(e []eventlog.Event) []eventlog.Event {
				if len(e) > 0 && e[0].StreamID == h.events[3].StreamID && e[0].Version > 1 {
					return e[:len(e)-1]
				}
				return e
			}
		}, fsck.StreamsSection, "index", 0},
		"other content by the index": {func(h *history) {
			h.stream = func(e []eventlog.Event) []eventlog.Event {
				if len(e) > 0 && e[0].StreamID == h.events[0].StreamID {
					e[0].Data = []byte(strings.Replace(string(e[0].Data), `"One"`, `"Two"`, 1))
				}
				return e
			}
		}, fsck.StreamsSection, "not deterministic", 0},
	} {
		t.Run(name, func(t *testing.T) {
			h, _, _ := example(t)
			c.spoil(h)
			r := check(t, fsck.Options{Log: h})
			s, _ := r.Section(c.section)
			if s.State != fsck.Found || s.Wrong[0].Kind != c.kind || s.Wrong[0].Position != c.position || s.Wrong[0].Do == "" || s.Wrong[0].Detail == "" {
				t.Fatalf("%+v", s)
			}
		})
	}
}

// A version that is missing is one in the log and one in the stream.
func TestVersionMissing(t *testing.T) {
	h, first, _ := example(t)
	h.events[3].Version = 7
	s, _ := check(t, fsck.Options{Log: h}).Section(fsck.LogSection)
	if s.Total != 1 || s.Wrong[0].Kind != "version" || s.Wrong[0].Position != 4 || s.Wrong[0].Organization != first.String() {
		t.Errorf("%+v", s)
	}
}

// What concerns another organization is not reported; what concerns all is.
func TestOfOneOrganization(t *testing.T) {
	h, first, second := example(t)
	h.events[7].OrganizationSequence = 9 // of the second
	if r := check(t, fsck.Options{Log: h, Organization: first}); !r.OK() {
		t.Errorf("%+v", r)
	}
	if w := only(t, check(t, fsck.Options{Log: h, Organization: second}), fsck.LogSection); w.Organization != second.String() {
		t.Errorf("%+v", w)
	}
}

func TestOnlySomeSections(t *testing.T) {
	h, _, _ := example(t)
	h.events[7].OrganizationSequence = 9
	r := check(t, fsck.Options{Log: h, Only: []string{fsck.StreamsSection}})
	if len(r.Sections) != 1 || !r.OK() {
		t.Errorf("%+v", r)
	}
	if _, err := fsck.Run(t.Context(), fsck.Options{Log: h, Only: []string{"everything"}}); err == nil {
		t.Error("a section that does not exist is taken")
	}
}

// unreachable is a log that fails behind a position.
type unreachable struct{ *history }

func (unreachable) Read(context.Context, int64, int) ([]eventlog.Event, error) {
	return nil, errors.New("gone")
}

// What cannot be looked at is never ok.
func TestUnreachableIsNotOK(t *testing.T) {
	h, _, _ := example(t)
	r := check(t, fsck.Options{Log: unreachable{h}, Parts: []fsck.Part{broken{}, fsck.Absent(fsck.ArchiveSection, "no URL")}})
	if got := r.Failed(); !slices.Equal(got, []string{fsck.LogSection, fsck.StreamsSection, fsck.LedgerSection}) || r.OK() {
		t.Errorf("failed: %v", got)
	}
	if s, _ := r.Section(fsck.ArchiveSection); s.State != fsck.NotConfigured || s.Note != "no URL" {
		t.Errorf("%+v", s)
	}
}

type broken struct{}

func (broken) Name() string                             { return fsck.LedgerSection }
func (broken) Check(context.Context, *fsck.Tally) error { return errors.New("no answer") }

// Many are counted, some named.
func TestLimit(t *testing.T) {
	h, _, _ := example(t)
	for i := range h.events {
		h.events[i].Data = append([]byte("{ "), h.events[i].Data[1:]...)
	}
	s, _ := check(t, fsck.Options{Log: h, Limit: 3}).Section(fsck.LogSection)
	if s.Total != 8 || len(s.Wrong) != 3 || s.Wrong[2].Position != 3 {
		t.Errorf("%d wrong, %d named", s.Total, len(s.Wrong))
	}
}

// However the log is read and its streams are dealt out, the states are the same,
// and one that is changed by a bit makes another digest.
func TestStatesDoNotDependOnTheWay(t *testing.T) {
	h, _, _ := example(t)
	want := check(t, fsck.Options{Log: h}).States
	rapid.Check(t, func(rt *rapid.T) {
		o := fsck.Options{
			Log: h, Batch: rapid.IntRange(1, 9).Draw(rt, "batch"), AtOnce: rapid.Int64Range(1, 10).Draw(rt, "at once"), Again: rapid.IntRange(-1, 3).Draw(rt, "again"),
		}
		r, err := fsck.Run(context.Background(), o)
		if err != nil || !r.OK() || r.States != want {
			rt.Fatalf("%v %+v", err, r)
		}
		if s, _ := r.Section(fsck.StreamsSection); s.Checked != 4 {
			rt.Fatalf("%d streams", s.Checked)
		}
	})
	h.events[0].Data = []byte(strings.Replace(string(h.events[0].Data), `"One"`, `"Onf"`, 1))
	if got := check(t, fsck.Options{Log: h}).States; got == want {
		t.Error("another name, the same digest")
	}
}

func TestDigest(t *testing.T) {
	type inner struct {
		m  map[string]int
		at time.Time
	}
	type value struct {
		p    *inner
		any  any
		list []string
	}
	make := func(change func(*value)) string {
		v := value{p: &inner{m: map[string]int{"a": 1, "b": 2, "c": 3}, at: day}, any: 3, list: []string{"x"}}
		change(&v)
		return fmt.Sprintf("%x", fsck.Digest(v))
	}
	same := make(func(*value) {})
	for range 20 { // map order
		if make(func(*value) {}) != same {
			t.Fatal("the same value has two digests")
		}
	}
	if make(func(v *value) { v.p.at = day.In(time.FixedZone("UTC", 0)) }) != same {
		t.Error("the same instant has two digests")
	}
	for name, change := range map[string]func(*value){
		"map": func(v *value) { v.p.m["b"] = 3 }, "time": func(v *value) { v.p.at = day.Add(1) }, "nil": func(v *value) { v.p = nil },
		"type": func(v *value) { v.any = int64(3) }, "list": func(v *value) { v.list = []string{"x", ""} }, "split": func(v *value) { v.list = []string{""} },
	} {
		if make(change) == same {
			t.Errorf("%s: another value has the same digest", name)
		}
	}
}

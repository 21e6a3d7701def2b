package fsck

import (
	"slices"
	"time"

	"github.com/google/uuid"
)

// Names of the sections, in the order of a report.
const (
	LogSection       = "log"
	StreamsSection   = "streams"
	PlansSection     = "plans"
	AuditSection     = "audit"
	ArchiveSection   = "archive"
	LedgerSection    = "ledger"
	OriginalsSection = "originals"
	SealedSection    = "sealed"
	StateSection     = "state"
)

// Sections lists all of them.
func Sections() []string {
	return []string{
		LogSection, StreamsSection, PlansSection, AuditSection, ArchiveSection, LedgerSection, OriginalsSection, SealedSection, StateSection,
	}
}

// State is what a check has come to.
type State string

// The states of a section.
const (
	OK            State = "ok"
	Found         State = "wrong"          // see Section.Wrong
	Failed        State = "failed"         // it could not be checked: see Section.Note
	NotConfigured State = "not configured" // there is nothing to check, or nobody said where it is
)

// Wrong is one thing that is not what the log says.
type Wrong struct {
	Kind         string `json:"kind"` // what is the matter, in one word or two
	Table        string `json:"table,omitempty"`
	Key          string `json:"key,omitempty"`
	Stream       string `json:"stream,omitempty"`
	Position     int64  `json:"position,omitempty,string"`
	Organization string `json:"organization,omitempty"` // "" = of the whole installation
	Detail       string `json:"detail"`
	Do           string `json:"do"` // what to do about it
}

// Section is what was found in one part of the installation.
type Section struct {
	Name    string  `json:"name"`
	State   State   `json:"state"`
	Checked int64   `json:"checked"`        // how many of Unit were looked at
	Unit    string  `json:"unit,omitempty"` // events, streams, rows …
	Total   int64   `json:"wrong"`          // how many are wrong, named or not
	Wrong   []Wrong `json:"found"`          // the first of them
	Note    string  `json:"note,omitempty"` // why it failed or is not configured, or what limits the answer
	Seconds float64 `json:"seconds"`
}

// Report is the answer.
type Report struct {
	Head     int64     `json:"head,string"` // of the log when its end was reached
	States   string    `json:"states"`      // digest of all streams' states at Head, "" if they were not folded
	Sections []Section `json:"sections"`
}

// OK says whether everything that is there was checked and is as it should be.
func (r Report) OK() bool { return len(r.Wrong()) == 0 && len(r.Failed()) == 0 }

// Wrong gives the names of the sections in which something is wrong.
func (r Report) Wrong() []string { return r.in(Found) }

// Failed gives the names of the sections that could not be checked.
func (r Report) Failed() []string { return r.in(Failed) }

func (r Report) in(s State) (names []string) {
	for _, section := range r.Sections {
		if section.State == s {
			names = append(names, section.Name)
		}
	}
	return names
}

// Section gives a section by its name; ok is false if it was not asked for.
func (r Report) Section(name string) (s Section, ok bool) {
	i := slices.IndexFunc(r.Sections, func(s Section) bool { return s.Name == name })
	if i < 0 {
		return Section{}, false
	}
	return r.Sections[i], true
}

// Tally collects what one section finds. Not for concurrent use.
type Tally struct {
	section      Section
	limit        int
	organization string // only what concerns it; "" = everything
	took         time.Duration
}

func newTally(name string, o Options) *Tally {
	t := &Tally{section: Section{Name: name, State: OK, Wrong: []Wrong{}}, limit: o.Limit}
	if o.Organization != uuid.Nil {
		t.organization = o.Organization.String()
	}
	return t
}

// Checked counts what was looked at.
func (t *Tally) Checked(n int64, unit string) {
	t.section.Checked += n
	t.section.Unit = unit
}

// Note says what limits the answer.
func (t *Tally) Note(note string) { t.section.Note = note }

// Wrong notes something that is wrong. What concerns another organization than
// the one asked about is left out.
func (t *Tally) Wrong(w Wrong) { t.count(w, 1) }

func (t *Tally) count(w Wrong, n int64) {
	if !t.concerns(w.Organization) {
		return
	}
	t.section.State = Found
	t.section.Total += n
	if len(t.section.Wrong) < t.limit {
		t.section.Wrong = append(t.section.Wrong, w)
	}
}

// concerns says whether something of an organization ("" = of all) was asked about.
func (t *Tally) concerns(organization string) bool {
	return t.organization == "" || organization == "" || organization == t.organization
}

// failed says why the section could not be checked. What was found before stays.
func (t *Tally) failed(err error) {
	t.section.Note = err.Error()
	if t.section.State != Found {
		t.section.State = Failed
	}
}

// notConfigured says that there is nothing to check.
func (t *Tally) notConfigured(why string) {
	t.section.State, t.section.Note = NotConfigured, why
}

func (t *Tally) time(started time.Time) { t.took += time.Since(started) }

func (t *Tally) done() Section {
	t.section.Seconds = t.took.Seconds()
	return t.section
}

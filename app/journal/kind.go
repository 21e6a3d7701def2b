package journal

import (
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"strata.dev/strata/domain/journal"
)

// family is a type of event that is counted.
type family uint8

const (
	denials family = iota
	signIns
	reads
)

// actor is somebody of an organization.
type actor struct {
	organization uuid.UUID
	who          Who
}

// kind tells occurrences apart that are not counted together.
type kind struct {
	organization uuid.UUID
	family       family
	who          Who
	name         string // of the command or query; of a sign-in, the reason
	rule, slug   string // of a denial; of a sign-in, rule is the issuer
	target       string
}

func (k kind) actor() actor { return actor{k.organization, k.who} }

// others is the kind that takes what is too varied to be told apart.
func (k kind) others() kind {
	return kind{organization: k.organization, family: k.family, name: journal.Others, slug: journal.Others}
}

// tally counts one kind.
type tally struct {
	count       int
	rows        int
	span        journal.Range
	first, last time.Time
}

func single(at time.Time, o occurrence) tally {
	return tally{count: 1, rows: o.rows, span: o.span, first: at, last: at}
}

func (t *tally) add(at time.Time, o occurrence) {
	if t.count == 0 {
		*t = single(at, o)
		return
	}
	t.count++
	t.rows += o.rows
	t.last = at
	t.span = union(t.span, o.span)
}

// union is the span that holds both.
func union(a, b journal.Range) journal.Range {
	if a.From == nil || b.From == nil {
		a.From = nil
	} else if b.From.Before(*a.From) {
		a.From = b.From
	}
	if a.To == nil || b.To == nil {
		a.To = nil
	} else if b.To.After(*a.To) {
		a.To = b.To
	}
	if b.FirstPosition > 0 && (a.FirstPosition == 0 || b.FirstPosition < a.FirstPosition) {
		a.FirstPosition = b.FirstPosition
	}
	a.LastPosition = max(a.LastPosition, b.LastPosition)
	return a
}

// event is what a tally of the kind says.
func (k kind) event(t tally) journal.Event {
	switch k.family {
	case signIns:
		return journal.SignInFailed{Issuer: k.rule, Reason: k.name, Count: t.count, FirstAt: t.first, LastAt: t.last}
	case reads:
		return journal.AuditRead{
			ActorKind: string(k.who.Kind), ActorID: k.who.ID, Query: k.name, Target: k.target, Range: t.span, Rows: t.rows,
			Count: t.count, FirstAt: t.first, LastAt: t.last,
		}
	}
	return journal.CommandDenied{
		ActorKind: string(k.who.Kind), ActorID: k.who.ID, Command: k.name, Rule: k.rule, Slug: k.slug, Target: k.target,
		Count: t.count, FirstAt: t.first, LastAt: t.last,
	}
}

// ending says when a kind's window ends.
type ending struct {
	kind kind
	at   time.Time
}

func (r *Recorder) window(f family) time.Duration {
	if f == reads {
		return r.options.ReadWindow
	}
	return r.options.Window
}

// bounded gives the kind under which an occurrence is counted; ok = false: there
// is no room for it.
func (r *Recorder) bounded(k kind) (_ kind, ok bool) {
	if _, open := r.kinds[k]; open {
		return k, true
	}
	if k.target != "" && k.who != (Who{}) && r.busy[k.actor()] >= r.options.PerActor {
		k.target = journal.Various
	}
	if _, open := r.kinds[k]; open || len(r.kinds) < r.options.Kinds {
		return k, true
	}
	k = k.others()
	_, open := r.kinds[k]
	return k, open || len(r.kinds) < r.options.Kinds+r.options.Kinds/10
}

// open begins a kind, of which nothing has been counted yet.
func (r *Recorder) open(k kind, now time.Time) *tally {
	t := &tally{}
	r.kinds[k] = t
	r.busy[k.actor()]++
	r.ends[k.family] = append(r.ends[k.family], ending{k, now.Add(r.window(k.family))})
	return t
}

// expire ends the windows that are over, or all of them: what was counted is
// put down to be written. A kind that was repeated stays open for another.
func (r *Recorder) expire(now time.Time, all bool) {
	for f, list := range r.ends {
		n := 0
		for n < len(list) && (all || !list[n].at.After(now)) {
			n++
		}
		over := list[:n]
		r.ends[f] = list[n:]
		for _, e := range over {
			r.end(e.kind, now, all)
		}
	}
}

func (r *Recorder) end(k kind, now time.Time, all bool) {
	t := r.kinds[k]
	full := r.waiting >= r.options.Backlog && !all
	if t.count > 0 && !full {
		r.shelve(k.organization, entry{event: k.event(*t), at: t.last})
		*t = tally{}
	} else if t.count == 0 {
		delete(r.kinds, k)
		if r.busy[k.actor()]--; r.busy[k.actor()] == 0 {
			delete(r.busy, k.actor())
		}
		return
	}
	r.ends[k.family] = append(r.ends[k.family], ending{k, now.Add(r.window(k.family))})
}

// next is when the next window ends; the zero time if none is open.
func (r *Recorder) next() time.Time {
	var at time.Time
	for _, list := range r.ends {
		if len(list) > 0 && (at.IsZero() || list[0].at.Before(at)) {
			at = list[0].at
		}
	}
	return at
}

// maxText bounds what comes from outside; ids and names are far shorter.
const maxText = 200

// clip makes a text fit to be kept.
func clip(s string) string {
	s = strings.ToValidUTF8(strings.ReplaceAll(s, "\x00", ""), "")
	if len(s) <= maxText {
		return s
	}
	s = s[:maxText]
	for !utf8.ValidString(s) {
		s = s[:len(s)-1]
	}
	return s
}

package journal

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/domain/fault"
	"strata.dev/strata/domain/journal"
)

// Who is whoever did something: a member, a source or a process, by an opaque
// id; of a stranger what command.Organizations.Asker makes of them.
type Who struct {
	Kind eventlog.ActorKind
	ID   string
}

// Denial is one refusal.
type Denial struct {
	OrganizationID uuid.UUID // zero = the installation's journal
	By             Who
	Command        string // its name as in domain/authz; or a query's
	Rule           string // that refused; empty if none has a name
	Slug           string // of the answer
	Target         string // the stream that it was about; empty if none
	RequestID      string
	TraceParent    string
}

// SignIn is a token that was not accepted, or none.
type SignIn struct {
	OrganizationID uuid.UUID // the token's, if it can be believed; zero = the installation's journal
	Issuer         string    // the token's, if it can be believed
	Reason         string    // a word: no-token, expired …; never anything of the token's own
	RequestID      string
	TraceParent    string
}

// Read is one answer with audit data.
type Read struct {
	OrganizationID uuid.UUID
	By             Who
	Query          string // the operation
	Target         string // stream or other id that it asked about; empty if none
	Range          journal.Range
	Rows           int // shown
	RequestID      string
	TraceParent    string
}

// Denied records that somebody was refused. It never fails and does not wait
// longer than Options.Timeout, or than ctx.
func (r *Recorder) Denied(ctx context.Context, d Denial) {
	if r == nil {
		return
	}
	r.note(ctx, kind{
		organization: orInstallation(d.OrganizationID), family: denials, who: d.By.clipped(),
		name: word(d.Command), rule: clip(d.Rule), slug: word(d.Slug), target: clip(d.Target),
	}, occurrence{requestID: clip(d.RequestID), trace: clip(d.TraceParent)})
}

// DeniedBy is Denied if err is a refusal that belongs into the journal, with the
// slug and the rule of err. It is for those who give commands by themselves.
func (r *Recorder) DeniedBy(ctx context.Context, d Denial, err error) {
	f, ok := errors.AsType[*fault.Fault](err)
	if !ok || !Counts(f) {
		return
	}
	d.Slug, d.Rule = f.Slug, f.Rule
	r.Denied(ctx, d)
}

// Counts says whether a refusal belongs into the journal: what is forbidden to
// somebody, and what a rule of segregation (S1 to S15) does not let happen.
// That something is not there, not acceptable or not now does not.
func Counts(f *fault.Fault) bool {
	return f != nil && (f.Kind == fault.Forbidden || journal.Segregation(f.Rule))
}

// SignInFailed records that somebody could not be believed, as Denied does.
func (r *Recorder) SignInFailed(ctx context.Context, s SignIn) {
	if r == nil {
		return
	}
	r.note(ctx, kind{organization: orInstallation(s.OrganizationID), family: signIns, name: word(s.Reason), rule: clip(s.Issuer)},
		occurrence{requestID: clip(s.RequestID), trace: clip(s.TraceParent)})
}

// AuditRead records that somebody was shown audit data, as Denied does.
func (r *Recorder) AuditRead(ctx context.Context, a Read) {
	if r == nil {
		return
	}
	r.note(ctx, kind{
		organization: orInstallation(a.OrganizationID), family: reads, who: a.By.clipped(), name: word(a.Query), target: clip(a.Target),
	}, occurrence{rows: max(0, a.Rows), span: a.Range, requestID: clip(a.RequestID), trace: clip(a.TraceParent)})
}

func (w Who) clipped() Who { return Who{w.Kind, clip(w.ID)} }

func orInstallation(id uuid.UUID) uuid.UUID {
	if id == uuid.Nil {
		return Installation
	}
	return id
}

// word is a name that must not be empty.
func word(s string) string {
	if s = clip(s); s == "" {
		return "none"
	}
	return s
}

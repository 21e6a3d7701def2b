package command

import (
	"context"
	"time"

	"github.com/google/uuid"

	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/app/personal"
	"strata.dev/strata/app/stratml"
)

// MembershipAge is how long roles may be taken from memory before new events of
// the organization are looked for.
const MembershipAge = time.Second

// Log is what commands need of the event log.
type Log interface {
	eventlog.Appender
	eventlog.CommandFinder
	eventlog.StreamReader
	// Head is the last position, 0 for an empty log.
	Head(ctx context.Context) (int64, error)
}

// IndicatorBasis gives what an approval covers beyond the plan itself: the
// definitions and targets of a strategy's living indicators; and which
// indicators an attestation is about.
//
// digest fingerprints them, authors are the ids of the members who made them
// in the strategy's present revision, and both are as of asOfPosition, which is
// at least minPosition: the implementation waits for it, and answers with a
// fault of kind Unavailable if that takes too long.
type IndicatorBasis interface {
	IndicatorBasis(ctx context.Context, organizationID, strategyID uuid.UUID, minPosition int64) (digest string, authors []string, asOfPosition int64, err error)

	// IndicatorsOf gives the ids of all indicators of a strategy, retired ones
	// included, as of minPosition or later; waiting and failing likewise.
	IndicatorsOf(ctx context.Context, organizationID, strategyID uuid.UUID, minPosition int64) ([]uuid.UUID, error)
}

// Metrics hears of every command once it is answered. Safe for concurrent use.
type Metrics interface {
	// Command: aggregate is organization, strategy, indicator, finding, evidence or source; outcome is
	// recorded, replayed, unchanged, or the slug of the fault, or "error";
	// attempts counts decisions.
	Command(aggregate, outcome string, attempts int, took time.Duration)
}

// Options wires the commands.
type Options struct {
	Log   Log            // required
	Basis IndicatorBasis // required to submit or activate a strategy, or attest a period of one

	// Findings is required to raise a finding with a dedupe key, to attest a period
	// with indicators off track, and for persons to correct what was off track.
	Findings FindingIndex

	// Persons is required to erase personal data.
	Persons PersonIndex

	// Seals gives attestations the root of the sealed log; nil = they have none.
	Seals Seals

	Documents stratml.Parser // required to import
	Imports   ImportStore    // required to import and for evidence
	Writer    stratml.Writer // required to export

	// Personal seals persons. Without it their names are refused, or withheld from
	// what is imported.
	Personal *personal.Sealer

	Clock      func() time.Time          // default time.Now
	NewEventID func() (uuid.UUID, error) // default uuid.NewV7
	Metrics    Metrics                   // default none

	// CacheEvents bounds the remembered states of each kind of aggregate, in
	// events folded into them. Default 200,000; about 1 kB each at worst.
	CacheEvents int64
}

func (o Options) withDefaults() Options {
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.NewEventID == nil {
		o.NewEventID = uuid.NewV7
	}
	if o.Metrics == nil {
		o.Metrics = noMetrics{}
	}
	if o.CacheEvents <= 0 {
		o.CacheEvents = 200_000
	}
	return o
}

type noMetrics struct{}

func (noMetrics) Command(string, string, int, time.Duration) {}

// Seals is the sealed log.
type Seals interface {
	// HeadHash is the root of the log's tree at a position in hex. It waits to be
	// sealed, at most as long as wait; "" if it is not, or nothing is.
	HeadHash(ctx context.Context, position int64, wait time.Duration) (string, error)
}

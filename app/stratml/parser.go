package stratml

import (
	"context"
	"io"

	"strata.dev/strata/domain/fault"
	"strata.dev/strata/domain/refusal"
)

// ErrRefused: the document is not read, and nothing of it is used. An
// occurrence carries the members reason (one of the Reason constants), line
// and column.
var ErrRefused = fault.New(fault.Invalid, "stratml-refused", "This is not a StratML document that can be imported.")

// ErrTooLarge: a document over a limit. Same members as ErrRefused, and limit.
var ErrTooLarge = fault.New(fault.TooLarge, "stratml-too-large", "The document is larger than an import may be.")

// ErrNoGoals: a plan without a goal cannot be written: the schema asks for one.
var ErrNoGoals = refusal.Violated.WithRule("goal-to-export")

// Reasons of a refusal.
const (
	ReasonIllFormed        = "ill-formed"           // not XML, or with an entity nobody declared
	ReasonEncoding         = "unsupported-encoding" // not UTF-8
	ReasonDTD              = "dtd-forbidden"        // any <! declaration
	ReasonInstruction      = "misplaced-instruction"
	ReasonDuplicateAttr    = "duplicate-attribute"
	ReasonSecondRoot       = "second-root"
	ReasonGarbage          = "text-outside-root"
	ReasonEmpty            = "no-root"
	ReasonUnknownRoot      = "unknown-root"      // another vocabulary
	ReasonUnknownNamespace = "unknown-namespace" // a look-alike
	ReasonPart3            = "part-3-unsupported"
	ReasonTypeMissing      = "type-missing" // Part 2 without @Type; AssumeType helps
	ReasonNoCore           = "core-missing" // without StrategicPlanCore there is no plan
	ReasonTooLarge         = "too-large"
	ReasonTooDeep          = "too-deep"
	ReasonTagTooLong       = "tag-too-long"
	ReasonTooManyElements  = "too-many-elements"
	ReasonTooMany          = "too-many" // goals, objectives, indicators or results; see limit
)

// Limits of a document.
const (
	MaxBytes        = 16 << 20
	MaxDepth        = 64
	MaxElements     = 2_500_000
	MaxTagBytes     = 16 << 10
	MaxGoals        = 500
	MaxObjectives   = 5_000
	MaxIndicators   = 5_000
	MaxResults      = 200_000 // targets and actuals together
	MaxStakeholders = 50_000
)

// Options of reading.
type Options struct {
	// AssumeType is the type of a Part 2 document that does not say it; the
	// importing person answers for it. Empty: such a document is refused.
	AssumeType DocumentType
}

// Parser reads one document to its end. It answers with a document or with a
// fault: ErrRefused or ErrTooLarge for what is wrong with the document; an
// error of r or ctx comes back wrapped. Safe for concurrent use.
type Parser interface {
	Parse(ctx context.Context, r io.Reader, opts Options) (*Document, error)
}

// Writer writes a kept document (Document.Kept) so that it is valid by the
// official schema of the part, and reads back with the same ContentHash. Part 1
// has no place for indicators, roles and the identifier of the whole: they are
// not written. The only error is ErrNoGoals. Safe for concurrent use.
type Writer interface {
	Write(doc *Document, part Part) ([]byte, error)
}

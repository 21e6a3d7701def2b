package stratml

// Codes of deviations. Placeholder is about content; all others are about the
// official schemas.
const (
	Placeholder         = "placeholder"           // a text that only says that there is none yet
	BadIdentifier       = "identifier-not-ncname" // not an xs:ID
	DuplicateIdentifier = "duplicate-identifier"
	SubmitterPlace      = "submitter-place"   // Submitter where the other part has it
	ElementOrder        = "element-order"     // a known child, too late
	RepeatedElement     = "repeated-element"  // a known child, once too often; the first counts
	MissingElement      = "missing-element"   // required by the schema
	UnknownElement      = "unknown-element"   // kept as text in the deviation
	UnknownAttribute    = "unknown-attribute" // kept as text in the deviation
	OldName             = "old-name"          // a name from before ISO: FirstName, LastName
	OldNamespace        = "old-namespace"     // a namespace from before ISO
	StrayText           = "stray-text"        // text between elements; kept in the deviation
	InvalidValue        = "invalid-value"     // not of the schema's type; kept in the deviation only
	MissingType         = "missing-type"      // Part 2 without @Type, read with AssumeType
)

// MaxListedDeviations bounds Deviations.List; the counts go on.
const MaxListedDeviations = 20_000

// Deviation is one place where a document is not as it should be.
type Deviation struct {
	Code   string `json:"code"`
	Line   int    `json:"line"`
	Column int    `json:"column"`
	Path   string `json:"path"`           // /PerformancePlanOrReport/StrategicPlanCore/Goal[2]/Name
	Text   string `json:"text,omitempty"` // what was there, if it is kept nowhere else; shortened
}

// Deviations are all of a document's.
type Deviations struct {
	List   []Deviation    // in file order, at most MaxListedDeviations
	Counts map[string]int // by code, complete
}

// Add counts one more deviation and lists it while there is room. describe is
// called only then: a hostile document has millions.
func (d *Deviations) Add(code string, describe func() Deviation) {
	if d.Counts == nil {
		d.Counts = map[string]int{}
	}
	d.Counts[code]++
	if len(d.List) < MaxListedDeviations {
		d.List = append(d.List, describe())
	}
}

// Schema is how many deviations from the official schema there are.
func (d Deviations) Schema() int {
	n := 0
	for code, c := range d.Counts {
		if code != Placeholder {
			n += c
		}
	}
	return n
}

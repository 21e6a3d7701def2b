package stratml

// Part is which of the two standards a document follows.
type Part int

// The parts that are read.
const (
	Part1 Part = 1 // StrategicPlan
	Part2 Part = 2 // PerformancePlanOrReport
)

// DocumentType is what a document says about itself (@Type of Part 2).
type DocumentType string

// The document types; a Part 1 document is always a StrategicPlan.
const (
	StrategicPlan     DocumentType = "Strategic_Plan"
	PerformancePlan   DocumentType = "Performance_Plan"
	PerformanceReport DocumentType = "Performance_Report"
)

// Valid says whether t is one of the three types.
func (t DocumentType) Valid() bool {
	return t == StrategicPlan || t == PerformancePlan || t == PerformanceReport
}

// Document is one StratML document, in the order of the file.
type Document struct {
	Part        Part
	Type        DocumentType
	TypeAssumed bool   // the file does not say its type; the importing person did
	Namespace   string // as declared

	Name             string
	Description      string
	OtherInformation string
	Organizations    []Organization
	Vision           *Statement
	Mission          *Statement
	Values           []Value
	Goals            []Goal
	Administrative   Administrative
	Submitter        *Submitter

	Deviations Deviations
	SHA256     string // of the file's bytes, lower-case hexadecimal
	Size       int64  // of the file, bytes
}

// Organization is an organization the document names; not necessarily the one that imports it.
type Organization struct {
	Name, Acronym, Identifier, Description string
	Stakeholders                           []Stakeholder
}

// Statement is a vision or a mission.
type Statement struct{ Description, Identifier string }

// Value is a principle the plan names.
type Value struct{ Name, Description string }

// Goal is "a relatively broad statement of intended results".
type Goal struct {
	Name, Description, Identifier, Sequence string
	Stakeholders                            []Stakeholder
	OtherInformation                        string
	Objectives                              []Objective
	Place                                   Place
}

// Objective is a target level of results within one cycle.
type Objective struct {
	Name, Description, Identifier, Sequence string
	Stakeholders                            []Stakeholder
	OtherInformation                        string
	Indicators                              []Indicator
	Place                                   Place
}

// Stakeholder is who is affected or has to act. Empty ones are kept as they are in the file.
type Stakeholder struct {
	Type              string // Person, Organization, Generic_Group, or empty
	Name, Description string
	Roles             []Role
	Sealed            string // who it is, of a person, instead of all texts: never in a file
}

// Empty says whether the stakeholder is a form left blank.
func (s Stakeholder) Empty() bool {
	if s.Type != "" || s.Name != "" || s.Description != "" || s.Sealed != "" {
		return false
	}
	for _, r := range s.Roles {
		if r.Name != "" || r.Description != "" || len(r.Types) > 0 {
			return false
		}
	}
	return true
}

// Role is what a stakeholder does about it.
type Role struct {
	Name, Description string
	Types             []string // Performer, Beneficiary
}

// Indicator is what is measured for an objective (Part 2 only).
type Indicator struct {
	Sequence         string
	Dimension        string // MeasurementDimension: what is measured
	Unit             string // UnitOfMeasurement
	Identifier       string
	ValueChainStage  string // Outcome, Output_Processing, Output, Input_Processing, Input, or empty
	Type             string // Quantitative, Qualitative, or empty
	Relationships    []Relationship
	Instances        []Instance
	OtherInformation string
	Place            Place
}

// Relationship ties an indicator to another element.
type Relationship struct {
	Type              string // Broader_Than, Peer_To, Narrower_Than, or empty
	Identifier        string
	Referents         []string // free text in the schema
	Name, Description string
}

// Empty says whether the relationship names nothing.
func (r Relationship) Empty() bool {
	for _, ref := range r.Referents {
		if ref != "" {
			return false
		}
	}
	return r.Type == "" && r.Name == "" && r.Description == ""
}

// Instance is a MeasurementInstance: what was wanted and what came of it.
type Instance struct {
	Targets []Result
	Actuals []Result
}

// Result is a TargetResult or an ActualResult. Dates are YYYY-MM-DD or empty;
// Units is the number as written, or empty.
type Result struct {
	StartDate, EndDate string
	Units              string
	DescriptorName     string
	DescriptorValue    string
	Description        string
	Place              Place
}

// Empty says whether the result states no value: neither a number nor a descriptor.
func (r Result) Empty() bool { return r.Units == "" && r.DescriptorValue == "" }

// Administrative says when and where the document is from. Dates are YYYY-MM-DD or empty.
type Administrative struct {
	Identifier, StartDate, EndDate, PublicationDate, Source string
}

// Submitter is the person who rendered the document. It is content: it says
// nothing about who imports it.
type Submitter struct {
	Identifier, GivenName, Surname, PhoneNumber, EmailAddress string
}

// Place is where an element starts in the file; lines and columns count from 1, columns in bytes.
type Place struct{ Line, Column int }

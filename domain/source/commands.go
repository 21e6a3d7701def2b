package source

// Command is the closed set of what can be asked of a source.
type Command interface{ isCommand() }

// AcceptImport takes a document in.
type AcceptImport ImportAccepted

// RejectIngest records that something was refused. Of a registered source the
// code is one of Codes.
type RejectIngest IngestRejected

// RegisterSource lets an external system write measurements.
type RegisterSource struct {
	SourceID          string
	Name              string
	System            string
	Channel           Channel
	StewardID         string // member who answers for it
	PublicKey         string // Ed25519, base64 (RFC 4648 §4) of its 32 bytes
	AllowedIndicators []Allowed
	SchemaRef         string
	MaxRatePerMin     int // messages, 1 to MaxRate

	StewardRoles      []string // held by the steward now, for the whole organization; none if no person
	UnknownIndicators []string // ids among the allowed ones that are not there
}

// SuspendSource ends that the source may write, until it is reinstated.
type SuspendSource struct {
	Reason string
}

// ReinstateSource lets a suspended source write again. What is empty stays as
// it was: this is how the terms of a source change.
type ReinstateSource struct {
	Reason            string
	PublicKey         string
	AllowedIndicators []Allowed
	MaxRatePerMin     int

	UnknownIndicators []string // ids among the allowed ones that are not there
}

func (AcceptImport) isCommand()    {}
func (RejectIngest) isCommand()    {}
func (RegisterSource) isCommand()  {}
func (SuspendSource) isCommand()   {}
func (ReinstateSource) isCommand() {}

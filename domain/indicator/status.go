package indicator

// Status is the health of an indicator. It is computed, never taken from a source.
type Status string

// The statuses. Unknown: no direction, no target or no value to judge.
const (
	Unknown  Status = "unknown"
	OnTrack  Status = "on_track"
	AtRisk   Status = "at_risk"
	OffTrack Status = "off_track"
)

// Trend is where the values go, in the good direction.
type Trend string

// The trends. Insufficient: fewer than three comparable values.
const (
	Improving    Trend = "improving"
	Worsening    Trend = "worsening"
	Flat         Trend = "flat"
	Insufficient Trend = "insufficient"
)

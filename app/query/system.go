package query

import "time"

// System is how the installation is: what follows the log and how far behind,
// what waits, how much is stored, and whether the clocks agree (Q16). It holds
// numbers and names of parts, nothing of any organization, and no text that a
// server or driver has written: that is in the log of the instance concerned.
//
// It is the view of the instance that answers. A part that cannot be asked is
// said to be away; the others are told all the same.
type System struct {
	Time     time.Time `json:"time"` // by the clock of the instance that answers
	Version  string    `json:"version"`
	Position int64     `json:"position,string"` // the head of the log

	Projections []ProjectionState `json:"projections"`
	Groups      []GroupState      `json:"groups"` // those this instance takes part in
	Broker      BrokerState       `json:"broker"`
	Timers      TimerState        `json:"timers"`
	Processes   []ProcessState    `json:"processes"`
	Ingest      IngestState       `json:"ingest"`
	Databases   []DatabaseState   `json:"databases"`
	Away        []string          `json:"away"` // parts that did not answer
}

// ProjectionState is where a read model stands.
type ProjectionState struct {
	Name       string     `json:"name"`
	State      string     `json:"state"` // live, building, parked, away
	Generation int        `json:"generation"`
	Position   int64      `json:"position,string"`
	Lag        int64      `json:"lag"`    // events behind the head
	Parked     int        `json:"parked"` // streams set aside
	VerifiedAt *time.Time `json:"verifiedAt,omitempty"`
	// VerifiedPosition is up to where the model was last found to be what the log
	// says, or was made so.
	VerifiedPosition int64 `json:"verifiedPosition,string"`
}

// GroupState is where a consumer group stands, as this instance knows it.
type GroupState struct {
	Name     string    `json:"name"`
	Leader   bool      `json:"leader"`          // this instance reads for it
	Position int64     `json:"position,string"` // what was last known, if not the leader
	Lag      *int64    `json:"lag,omitempty"`   // events; known to the leader only
	Parked   int       `json:"parked"`          // streams set aside
	Failing  bool      `json:"failing"`         // it cannot move on
	Since    time.Time `json:"since"`           // of the present state
}

// BrokerState is the connection to RabbitMQ.
type BrokerState struct {
	Connected bool      `json:"connected"`
	Blocked   bool      `json:"blocked"` // it has a memory or disk alarm
	Since     time.Time `json:"since"`
}

// TimerState is what processes wait for.
type TimerState struct {
	Pending int64      `json:"pending"`
	Due     int64      `json:"due"` // of them, those whose time has come
	NextAt  *time.Time `json:"nextAt,omitempty"`
}

// ProcessState is what a process has done since this instance started.
type ProcessState struct {
	Name    string `json:"name"`
	Outcome string `json:"outcome"`
	Count   int64  `json:"count"`
}

// IngestState is what waits of outside sources, and what was refused since this
// instance started.
type IngestState struct {
	Queues   int   `json:"queues"`   // that are read from
	Waiting  int64 `json:"waiting"`  // messages in them; taken, and not answered yet, where the broker does not say
	Rejected int64 `json:"rejected"` // messages and items
}

// DatabaseState is one database: how large it is, and how far its clock is from
// that of this instance.
type DatabaseState struct {
	Name        string `json:"name"` // log, plans, audit
	Bytes       int64  `json:"bytes,string"`
	ClockMillis int64  `json:"clockMillis"` // ahead of this instance's clock; behind it, if negative
}

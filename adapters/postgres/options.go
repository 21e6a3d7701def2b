package postgres

import (
	"log/slog"
	"time"
)

// Options tune a Log. Zero values mean the defaults.
type Options struct {
	// Writers is the number of append lanes, each with a connection of its own; default 1.
	// All lanes of all processes share one lock: a second lane only overlaps one
	// group's commit with the preparation of the next, which pays from about 128 clients on.
	Writers int

	// MaxGroup bounds the commands of one transaction, MaxGroupBytes their
	// events' bytes; defaults 256 and 4 MiB. A single larger command still goes, alone.
	MaxGroup      int
	MaxGroupBytes int

	// Queue bounds the commands that wait, QueueBytes their events' bytes;
	// beyond, Append answers ErrOverloaded at once. Defaults 8192 and 128 MiB.
	Queue      int
	QueueBytes int

	// LockTimeout is how long a group waits for the append lock, default 5 s; StatementTimeout
	// bounds each statement in the server, default 15 s. Beyond, nothing was written and the
	// answer is ErrUnavailable. CommitTimeout bounds the whole pipeline as seen from here,
	// default 25 s; beyond, the outcome has to be found out.
	LockTimeout      time.Duration
	StatementTimeout time.Duration
	CommitTimeout    time.Duration

	// ResolveWithin is how long a lane tries to find out an unknown outcome, default 10 s.
	ResolveWithin time.Duration

	// ReadPoolSize bounds the connections for reads, default 8; ReadTimeout a read, default 15 s.
	ReadPoolSize int
	ReadTimeout  time.Duration

	// NotifyChannel gets one NOTIFY per group with the new head as its payload; default "strata_events".
	NotifyChannel string

	// OnCommit, if set, is called by a lane after each group that recorded
	// something, with the new head, before the callers get their answers. It must
	// not block; several lanes may call it at once, and not in the heads' order.
	OnCommit func(head int64)

	// OnGroup, if set, is called by a lane after each group, for metrics. It must
	// not block; several lanes may call it at once.
	OnGroup func(Group)

	// Logger gets changes of state (connection lost, back again); default slog.Default().
	Logger *slog.Logger
}

// Group says what one transaction of a lane did.
type Group struct {
	Commands int           // asked
	Recorded int           // of them, commands whose events are now in the log
	Events   int           // recorded
	Waited   time.Duration // how long the oldest command had been in the queue
	Took     time.Duration // from sending to the answer
	Err      error         // why all of it failed; nil otherwise
}

func (o Options) withDefaults() Options {
	def := func(v *int, d int) {
		if *v <= 0 {
			*v = d
		}
	}
	within := func(v *time.Duration, d time.Duration) {
		if *v <= 0 {
			*v = d
		}
	}
	def(&o.Writers, 1)
	def(&o.MaxGroup, 256)
	def(&o.MaxGroupBytes, 4<<20)
	def(&o.Queue, 8192)
	def(&o.QueueBytes, 128<<20)
	def(&o.ReadPoolSize, 8)
	within(&o.LockTimeout, 5*time.Second)
	within(&o.StatementTimeout, 15*time.Second)
	within(&o.CommitTimeout, 25*time.Second)
	within(&o.ResolveWithin, 10*time.Second)
	within(&o.ReadTimeout, 15*time.Second)
	if o.NotifyChannel == "" {
		o.NotifyChannel = "strata_events"
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	return o
}

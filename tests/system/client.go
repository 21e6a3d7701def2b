package system

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/google/uuid"
)

// client is one of a Load's. Only its own goroutine uses it.
type client struct {
	load   *Load
	number int
	rand   *rand.Rand
	own    string // id of the indicator that nobody else writes

	version int64 // of own, as far as the client knows
	day     int   // of the next measurement, backwards
	count   int   // of values given, so that each is another
	living  []measurement
	last    Request // the last measurement recorded
}

type measurement struct{ indicator, id string }

func newClient(l *Load, number int, own string) *client {
	return &client{load: l, number: number, own: own, version: 1, rand: rand.New(rand.NewPCG(l.o.Seed, uint64(number)))}
}

// run sends one command per period on average, until ctx ends. What is under
// way then may still be answered.
func (c *client) run(ctx context.Context, period time.Duration) {
	next := time.NewTimer(rand.N(period))
	defer next.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-next.C:
		}
		next.Reset(period)
		doing, cancel := context.WithCancel(context.Background())
		settled := context.AfterFunc(ctx, func() {
			late := time.AfterFunc(settleTime, cancel)
			context.AfterFunc(doing, func() { late.Stop() })
		})
		c.do(doing, c.next(), false)
		settled()
		cancel()
	}
}

// next is what the client wants now.
func (c *client) next() Request {
	switch n := c.rand.IntN(100); {
	case n < 35 || len(c.living) == 0:
		return c.record(c.load.shared[c.rand.IntN(len(c.load.shared))], "*")
	case n < 55:
		return c.recordOwn()
	case n < 75:
		m := c.living[c.rand.IntN(len(c.living))]
		return c.request("correct", "ines", m.indicator, "*", map[string]any{"measurementId": m.id, "value": c.value(), "reason": "Counted again."})
	case n < 92:
		return c.request("set-target", "sam", c.load.shared[c.rand.IntN(len(c.load.shared))], "*",
			map[string]any{"period": c.period(), "value": c.value(), "reason": "A new aim."})
	case n < 96: // to be refused: the period is measured already
		again := c.last
		again.Kind, again.Key, again.IfMatch = "record-again", uuid.NewString(), "*"
		return again
	default: // to be refused: nobody has seen such a version
		return c.request("set-target-stale", "sam", c.own, `"999999999"`, map[string]any{"period": c.period(), "value": c.value(), "reason": "A new aim."})
	}
}

// recordOwn measures the client's own indicator, on exactly the version it saw:
// a repetition of what was recorded must be recognized before the version is compared.
func (c *client) recordOwn() Request { return c.record(c.own, fmt.Sprintf(`"%d"`, c.version)) }

func (c *client) record(indicator, ifMatch string) Request {
	return c.request("record", "ines", indicator, ifMatch, map[string]any{"period": c.period(), "value": c.value()})
}

func (c *client) request(kind, subject, indicator, ifMatch string, body any) Request {
	path := kind
	if kind == "set-target-stale" {
		path = "set-target"
	}
	return Request{
		Kind: kind, Subject: subject, Path: "/v1/indicators/" + indicator + "/commands/" + path,
		Key: uuid.NewString(), IfMatch: ifMatch, Body: body,
	}
}

// period is a day that no other command of any client measures.
func (c *client) period() map[string]string {
	day := time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, -(c.day*len(c.load.clients) + c.number)).Format(time.DateOnly)
	c.day++
	return map[string]string{"start": day, "end": day}
}

func (c *client) value() string {
	c.count++
	return fmt.Sprintf("%d.%02d", c.count, c.number)
}

// learn remembers what an answer says for later commands.
func (c *client) learn(o Operation, measurementID string) {
	if o.Outcome != OK {
		return
	}
	if o.Stream == "indicator-"+c.own {
		c.version = o.Version
	}
	if measurementID != "" {
		c.living = append(c.living, measurement{strings.Split(o.Request.Path, "/")[3], measurementID})
		c.last = o.Request
	}
}

package consumer_test

import (
	"errors"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"

	"strata.dev/strata/adapters/postgres/consumer"
	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/tests/relay/logfill"
	"strata.dev/strata/tests/testenv"
)

// watched is encode that tells how far it got.
func watched(latest *atomic.Int64) func(eventlog.Event) (*message.Message, error) {
	return func(e eventlog.Event) (*message.Message, error) {
		latest.Store(max(latest.Load(), e.Position))
		return encode(e)
	}
}

// TestTheNextPageIsMadeWhileThisOneIsPublished holds the first batch in the
// publisher until the second has been read and encoded.
func TestTheNextPageIsMadeWhileThisOneIsPublished(t *testing.T) {
	log := testenv.Log(t)
	logfill.Append(t, testenv.Pool(t, log.App), 95)
	var encoded atomic.Int64
	o := &outbox{}
	first := true
	o.refuse = func([]string) error {
		if first {
			first = false
			testenv.Eventually(t, patience, "the second page was made while the first is published", func() error {
				if at := encoded.Load(); at < 20 {
					return fmt.Errorf("%d events are encoded", at)
				}
				return nil
			})
		}
		return nil
	}
	start(t, log.App, consumer.Group{Name: "relay", BatchRows: 10, Relay: &consumer.Relay{Publisher: o, Topic: "x", Encode: watched(&encoded)}})
	o.await(t, upTo(95))
}

// TestAPageReadAheadIsDroppedWhenItIsNotNext fails batches in every way while
// the next page is there already: what counts is the cursor.
func TestAPageReadAheadIsDroppedWhenItIsNotNext(t *testing.T) {
	log := testenv.Log(t)
	pool := testenv.Pool(t, log.App)
	logfill.Append(t, pool, 100)
	o := &outbox{}
	calls := 0
	o.refuse = func(ids []string) error {
		calls++
		switch calls {
		case 2: // 11 to 20
			return &partial{n: 4}
		case 5:
			return errors.New("not now")
		}
		return nil
	}
	var encoded atomic.Int64
	c := start(t, log.App, consumer.Group{Name: "relay", BatchRows: 10, Relay: &consumer.Relay{Publisher: o, Topic: "x", Encode: watched(&encoded)}})
	o.await(t, upTo(100))
	if err := c.stop(); err != nil {
		t.Fatal(err)
	}
	if at := cursor(t, pool, "relay"); at != 100 {
		t.Errorf("the cursor is at %d", at)
	}
}

// TestAMovedCursorBeatsAPageReadAhead moves the cursor, as another reader would,
// while a batch is published: what it skips is somebody else's then.
func TestAMovedCursorBeatsAPageReadAhead(t *testing.T) {
	log := testenv.Log(t)
	pool := testenv.Pool(t, log.App)
	logfill.Append(t, pool, 100)
	var encoded atomic.Int64
	o := &outbox{}
	first := true
	o.refuse = func([]string) error {
		if first {
			first = false
			if _, err := pool.Exec(t.Context(), `UPDATE cursors SET position = 50 WHERE consumer_group = 'relay'`); err != nil {
				return fmt.Errorf("move the cursor: %w", err)
			}
		}
		return nil
	}
	start(t, log.App, consumer.Group{Name: "relay", BatchRows: 10, Relay: &consumer.Relay{Publisher: o, Topic: "x", Encode: watched(&encoded)}})
	o.await(t, append(upTo(10), between(51, 100)...))
}

// TestStreamsParkedMeanwhileAreLeftOutOfAPageReadAhead parks a stream of which
// more is in pages that are read ahead.
func TestStreamsParkedMeanwhileAreLeftOutOfAPageReadAhead(t *testing.T) {
	log := testenv.Log(t)
	pool := testenv.Pool(t, log.App)
	logfill.Append(t, pool, 34)
	poison := logfill.AppendBroken(t, pool)
	logfill.Append(t, pool, 65)
	o := &outbox{}
	c := start(t, log.App, consumer.Group{Name: "relay", BatchRows: 10, Relay: &consumer.Relay{Publisher: o, Topic: "x", Encode: encode}})
	o.await(t, without(upTo(100), logfill.Stream(poison), poison))
	c.awaitStatus(t, "parked", func(s consumer.GroupStatus) bool { return s.Parked == 1 && s.Position == 100 })
}

package rabbitmq_test

import (
	"errors"
	"slices"
	"testing"

	"strata.dev/strata/adapters/rabbitmq"
	"strata.dev/strata/tests/testenv"
)

// TestALargeBatchKeepsItsOrder sends more messages than a window holds.
func TestALargeBatchKeepsItsOrder(t *testing.T) {
	noLeaks(t)
	url := testenv.AMQP(t)
	p := open(t, url, rabbitmq.Options{CatchAll: "all"})
	awaitConnected(t, p)
	sent := messages(t, 1, 2000)
	if err := p.Publish(rabbitmq.Exchange, sent...); err != nil {
		t.Fatal(err)
	}
	if all := newRig(t, url).takeIDs("all"); !slices.Equal(all, ids(sent)) {
		t.Errorf("%d of %d came, or not in their order", len(all), len(sent))
	}
}

// TestALargeBatchSaysHowFarItGot has a message that nobody wants among others:
// what is before it counts, and no more.
func TestALargeBatchSaysHowFarItGot(t *testing.T) {
	url := testenv.AMQP(t)
	p := open(t, url, rabbitmq.Options{})
	awaitConnected(t, p)
	r := newRig(t, url)
	r.queue("q", nil)
	r.bind("q", "strategy.goal-added.v1", rabbitmq.Exchange)
	sent := messages(t, 1, 500)
	const bad = 123
	sent[bad].Metadata[rabbitmq.RoutingKeyProperty] = "nobody.wants-this.v1"
	var failed *rabbitmq.PublishError
	if err := p.Publish(rabbitmq.Exchange, sent...); !errors.As(err, &failed) || failed.Delivered() != bad || !failed.Refused() || failed.MessageID != sent[bad].UUID {
		t.Fatalf("Publish: %+v", err)
	}
	came := map[string]bool{}
	for _, id := range r.takeIDs("q") {
		came[id] = true
	}
	for i, m := range sent[:bad] {
		if !came[m.UUID] {
			t.Errorf("message %d counts as delivered and did not come", i)
		}
	}
}

package rabbitmq_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"strata.dev/strata/adapters/rabbitmq"
	"strata.dev/strata/tests/testenv"
)

// TestALargeBatchKeepsTheOrderOfEachKey sends messages of many streams over both
// channels, some of each stream in a row: all come, and those of one stream in
// their order.
func TestALargeBatchKeepsTheOrderOfEachKey(t *testing.T) {
	noLeaks(t)
	url := testenv.AMQP(t)
	p := open(t, url, rabbitmq.Options{CatchAll: "all"})
	awaitConnected(t, p)
	sent := messages(t, 1, 2000)
	stream, want := map[string]int{}, map[int][]string{}
	for i, m := range sent {
		s := i / 5 % 17
		stream[m.UUID], want[s] = s, append(want[s], m.UUID)
		m.Metadata[rabbitmq.OrderingKey] = fmt.Sprint("stream-", s)
	}
	if err := p.Publish(rabbitmq.Exchange, sent...); err != nil {
		t.Fatal(err)
	}
	all := newRig(t, url).takeIDs("all")
	got := map[int][]string{}
	for _, id := range all {
		got[stream[id]] = append(got[stream[id]], id)
	}
	for s := range want {
		if !slices.Equal(got[s], want[s]) {
			t.Errorf("stream %d: %d of %d came, or not in their order", s, len(got[s]), len(want[s]))
		}
	}
	if slices.Equal(all, ids(sent)) {
		t.Error("all came in one order: the batch was not spread")
	}
}

// TestALargeBatchSaysHowFarItGot has a message that nobody wants among messages
// of both channels: what is before it counts, and no more.
func TestALargeBatchSaysHowFarItGot(t *testing.T) {
	url := testenv.AMQP(t)
	p := open(t, url, rabbitmq.Options{})
	awaitConnected(t, p)
	r := newRig(t, url)
	r.queue("q", nil)
	r.bind("q", "strategy.goal-added.v1", rabbitmq.Exchange)
	sent := messages(t, 1, 500)
	for i, m := range sent {
		m.Metadata[rabbitmq.OrderingKey] = fmt.Sprint(i % 7)
	}
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

package rabbitmq_test

import (
	"errors"
	"fmt"
	"testing"

	"strata.dev/strata/adapters/rabbitmq"
	"strata.dev/strata/tests/testenv"
)

// TestALargeBatchKeepsTheOrderOfEachKey sends messages of many streams over both
// channels: all come, and those of one stream in their order.
func TestALargeBatchKeepsTheOrderOfEachKey(t *testing.T) {
	noLeaks(t)
	url := testenv.AMQP(t)
	p := open(t, url, rabbitmq.Options{Window: 20, CatchAll: "all"})
	sent := messages(t, 1, 1000)
	const streams = 17
	stream := map[string]int{} // of a message
	for i, m := range sent {
		stream[m.UUID] = i % streams
		m.Metadata[rabbitmq.OrderingKey] = fmt.Sprint("stream-", i%streams)
	}
	if err := p.Publish(rabbitmq.Exchange, sent...); err != nil {
		t.Fatal(err)
	}
	next := map[int]int{} // index in sent of each stream's next message
	for s := range streams {
		next[s] = s
	}
	got := newRig(t, url).takeIDs("all")
	moved := false
	for i, id := range got {
		s := stream[id]
		if want := sent[next[s]].UUID; id != want {
			t.Fatalf("stream %d: %s came where %s should", s, id, want)
		}
		next[s] += streams
		moved = moved || id != sent[i].UUID
	}
	if len(got) != len(sent) {
		t.Errorf("%d of %d came", len(got), len(sent))
	}
	if !moved {
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

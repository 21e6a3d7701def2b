package faults_test

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	amqp "github.com/rabbitmq/amqp091-go"

	"strata.dev/strata/adapters/oidc"
	"strata.dev/strata/adapters/rabbitmq"
	"strata.dev/strata/app/ingest"
	"strata.dev/strata/tests/system"
	"strata.dev/strata/tests/testenv"
)

// inboundPatience is for what takes some seconds on a busy machine.
const inboundPatience = 60 * time.Second

// outside is a system of somebody else, which sends measurements by a queue.
type outside struct {
	*world
	id, indicator string
	key           ed25519.PrivateKey
	conn          *amqp.Connection
	channel       *amqp.Channel
}

// messagesOfASource: whatever happens to queue, service and log on its way, each
// message of a source has its effect once, and nothing that came is lost.
func (w *world) messagesOfASource(t *testing.T) {
	o := w.outside(t)
	w.settle(t)
	const messages, perMessage, times = 30, 3, 3
	var story []amqp.Publishing
	for n := range messages {
		m := o.message(fmt.Sprint("m-", n), o.body(n*perMessage, perMessage))
		for range times {
			story = append(story, m)
		}
	}
	poison := o.poison()
	story = append(append(story, poison...), poison...)
	w.rand.Shuffle(len(story), func(i, j int) { story[i], story[j] = story[j], story[i] })
	for n, m := range story {
		switch n {
		case len(story) / 4:
			w.kill(t, w.rabbitmq)
			w.start(t, w.rabbitmq)
		case len(story) / 2:
			w.service.Kill()
			w.service.Start()
			w.service.Ready() // one that starts without PostgreSQL ends
		case 3 * len(story) / 4:
			w.kill(t, w.postgres)
			w.start(t, w.postgres)
		}
		o.send(t, m)
	}
	o.settled(t, messages*perMessage)
	recorded, refused, err := o.effects(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for n := range messages*perMessage + 1 {
		if day := o.day(n); recorded[day] != 1 {
			t.Errorf("the measurement of %s is there %d times", day, recorded[day])
		}
	}
	if len(recorded) != messages*perMessage+1 {
		t.Errorf("%d measurements of %d", len(recorded), messages*perMessage+1)
	}
	if want := map[string]int{"malformed": 4, "bad_signature": 1, "conflict": 1}; !maps.Equal(refused, want) {
		t.Errorf("refused are %v, want %v", refused, want)
	}
	o.queueDeleted(t, messages*perMessage+1)
}

// outside registers the source and waits for its queue.
func (w *world) outside(t *testing.T) *outside {
	t.Helper()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	o := &outside{world: w, key: private}
	ada, sam := w.Client(w.service.Base, "ada"), w.Client(w.service.Base, "sam")
	var steward struct{ MemberID string }
	system.MustPost(t, ada, "/v1/organization/commands/enrol-member", map[string]string{"issuer": oidc.DevIssuer, "subject": "dana", "kind": "person"}, &steward)
	system.MustPost(t, ada, "/v1/organization/commands/grant-role", map[string]string{"memberId": steward.MemberID, "role": "data_steward"}, nil)
	w.Organization.Tokens["dana"] = w.Token(oidc.Claims{Organization: w.Organization.ID, Subject: "dana"})
	var drafted struct{ StrategyID string }
	system.MustPost(t, sam, "/v1/strategies", map[string]any{"frame": map[string]string{"name": "From outside"}}, &drafted)
	var goal struct{ GoalID string }
	system.MustPost(t, sam, "/v1/strategies/"+drafted.StrategyID+"/commands/add-goal", map[string]string{"name": "Goal"}, &goal)
	var objective struct{ ObjectiveID string }
	system.MustPost(t, sam, "/v1/strategies/"+drafted.StrategyID+"/commands/add-objective", map[string]string{"goalId": goal.GoalID, "name": "Objective"}, &objective)
	var defined struct{ IndicatorID string }
	system.MustPost(t, sam, "/v1/indicators", map[string]any{
		"strategyId": drafted.StrategyID, "objectiveId": objective.ObjectiveID,
		"definition": map[string]any{"name": "From outside", "unit": "points", "type": "quantitative", "direction": "increase", "frequency": "day"},
	}, &defined)
	o.indicator = defined.IndicatorID
	var registered struct{ SourceID string }
	system.MustPost(t, w.Client(w.service.Base, "dana"), "/v1/sources", map[string]any{
		"name": "Registers", "system": "registers", "channel": "amqp", "stewardId": steward.MemberID, "maxRatePerMin": 60000,
		"publicKey": base64.StdEncoding.EncodeToString(public), "allowedIndicators": []any{map[string]any{"indicatorId": o.indicator}},
	}, &registered)
	o.id = registered.SourceID
	t.Cleanup(o.hangUp)
	o.consumed(t)
	return o
}

func (o *outside) queue() string { return rabbitmq.InboundPrefix + o.id }

// consumed waits until the service takes messages from the queue.
func (o *outside) consumed(t *testing.T) {
	t.Helper()
	testenv.Eventually(t, inboundPatience, "the service takes messages of the source", func() error {
		q, err := o.look(t.Context())
		if err == nil && q.Consumers == 0 {
			err = errors.New("nobody does")
		}
		return err
	})
}

func (o *outside) look(ctx context.Context) (amqp.Queue, error) {
	ch, err := o.dial(ctx)
	if err != nil {
		return amqp.Queue{}, err
	}
	q, err := ch.QueueDeclarePassive(o.queue(), true, false, false, false, nil)
	if err != nil {
		o.hangUp()
	}
	return q, err
}

func (o *outside) dial(context.Context) (*amqp.Channel, error) {
	if o.conn != nil && !o.conn.IsClosed() && !o.channel.IsClosed() {
		return o.channel, nil
	}
	o.hangUp()
	conn, err := amqp.Dial(o.AMQP)
	if err != nil {
		return nil, err
	}
	o.conn = conn
	if o.channel, err = conn.Channel(); err == nil {
		err = o.channel.Confirm(false)
	}
	if err != nil {
		o.hangUp()
	}
	return o.channel, err
}

func (o *outside) hangUp() {
	if o.conn != nil {
		_ = o.conn.Close() // whatever it was, it is over
		o.conn = nil
	}
}

// send puts a message into the queue until the broker says that it has it.
func (o *outside) send(t *testing.T, m amqp.Publishing) {
	t.Helper()
	testenv.Eventually(t, inboundPatience, "the broker takes a message", func() error {
		ch, err := o.dial(t.Context())
		if err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		d, err := ch.PublishWithDeferredConfirmWithContext(ctx, "", o.queue(), true, false, m)
		if err == nil {
			var taken bool
			if taken, err = d.WaitContext(ctx); err == nil && !taken {
				err = errors.New("it did not")
			}
		}
		if err != nil {
			o.hangUp()
		}
		return err
	})
}

// settled waits until all that was sent is: the last message of a queue is
// settled after all others.
func (o *outside) settled(t *testing.T, last int) {
	t.Helper()
	o.send(t, o.message("last", o.body(last, 1)))
	testenv.Eventually(t, inboundPatience, "the last message settled", func() error {
		recorded, refused, err := o.effects(t.Context())
		if err == nil && recorded[o.day(last)] == 0 {
			err = fmt.Errorf("%d measurements recorded, refused are %v; the service: %s", len(recorded), refused, o.service.Health())
		}
		return err
	})
}

// body is a message about some days.
func (o *outside) body(first, n int) []byte {
	var items []any
	for i := range n {
		day := o.day(first + i)
		items = append(items, map[string]any{
			"indicatorRef": o.indicator, "period": map[string]string{"start": day, "end": day}, "value": fmt.Sprint(first + i),
		})
	}
	b, _ := json.Marshal(map[string]any{"measurements": items}) // texts
	return b
}

func (o *outside) day(n int) string {
	return time.Date(2020, 1, 1+n, 0, 0, 0, 0, time.UTC).Format(time.DateOnly)
}

func (o *outside) message(id string, body []byte) amqp.Publishing {
	return amqp.Publishing{
		MessageId: id, Body: body, DeliveryMode: amqp.Persistent,
		Headers: amqp.Table{rabbitmq.HeaderSignature: ingest.Sign(o.key, o.id, id, body), "n": int64(7)},
	}
}

// poison are messages that are none, each in its own way.
func (o *outside) poison() []amqp.Publishing {
	unsigned := o.message("unsigned", o.body(0, 1))
	unsigned.Headers = amqp.Table{rabbitmq.HeaderSignature: int64(1), "x-death": []any{amqp.Table{"count": int64(9)}}}
	return []amqp.Publishing{
		o.message("text", []byte("redesigned income questions")),
		o.message("twice", []byte(`{"value":1,"value":2}`)),
		o.message("empty", nil),
		o.message("", o.body(0, 1)),
		unsigned,
		o.message("text", []byte("another text")),
	}
}

// effects are the days that were recorded, and the codes of what was refused, by
// how often the log has them.
func (o *outside) effects(ctx context.Context) (recorded, refused map[string]int, err error) {
	conn, err := pgx.Connect(ctx, o.postgres.URL("strata_log"))
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, conn.Close(ctx)) }()
	rows, err := conn.Query(ctx, `SELECT type, data FROM events WHERE stream_id = ANY ($1)`, []string{"indicator-" + o.indicator, "source-" + o.id})
	if err != nil {
		return nil, nil, err
	}
	recorded, refused = map[string]int{}, map[string]int{}
	var kind string
	var data []byte
	_, err = pgx.ForEachRow(rows, []any{&kind, &data}, func() error {
		var body struct {
			Code   string
			Period struct{ Start string }
		}
		switch kind {
		case "indicator.measurement-recorded":
			err := json.Unmarshal(data, &body)
			recorded[body.Period.Start]++
			return err
		case "source.ingest-rejected":
			err := json.Unmarshal(data, &body)
			refused[body.Code]++
			return err
		case "indicator.defined", "indicator.health-changed", "source.registered":
			return nil
		}
		return fmt.Errorf("a source led to %s", kind)
	})
	return recorded, refused, err
}

// queueDeleted: the queue comes again by itself, and with it nothing that nobody sent.
func (o *outside) queueDeleted(t *testing.T, day int) {
	t.Helper()
	ch, err := o.dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_, before, err := o.effects(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ch.QueueDelete(o.queue(), false, false, false); err != nil {
		t.Fatal(err)
	}
	o.consumed(t)
	o.send(t, o.message("after", o.body(day, 1)))
	testenv.Eventually(t, inboundPatience, "a message after the queue was deleted", func() error {
		recorded, refused, err := o.effects(t.Context())
		switch {
		case err == nil && recorded[o.day(day)] == 0:
			err = fmt.Errorf("%d are recorded", len(recorded))
		case err == nil && (len(recorded) != day+1 || !maps.Equal(before, refused)):
			t.Fatalf("%d measurements of %d; refused are %v, after %v", len(recorded), day+1, refused, before)
		}
		return err
	})
}

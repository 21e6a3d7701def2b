// Command consumer prints Strata's events and proves that none is missing.
//
//	AMQP_URL=amqp://guest:guest@127.0.0.1:5672/ go run ./docs/examples/consumers/go
//
// It declares its own queue, as every consumer does. With UNTIL=<position> it
// ends when it has everything up to there.
package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"syscall"

	amqp "github.com/rabbitmq/amqp091-go"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Getenv, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// event is what this consumer reads of a message's body. More members come and go.
type event struct {
	ID       string          `json:"id"`
	Type     string          `json:"type"`
	Subject  string          `json:"subject"`
	Sequence string          `json:"sequence"` // position in the whole log, 20 digits
	AuthID   string          `json:"authid"`
	Data     json.RawMessage `json:"data"`
}

func run(ctx context.Context, getenv func(string) string, out io.Writer) error {
	url := cmp.Or(getenv("AMQP_URL"), "amqp://guest:guest@127.0.0.1:5672/")
	queue := cmp.Or(getenv("QUEUE"), "example-go")
	until, err := strconv.ParseInt(cmp.Or(getenv("UNTIL"), "0"), 10, 64)
	if err != nil {
		return fmt.Errorf("UNTIL: %w", err)
	}

	conn, err := amqp.Dial(url)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }() // unacknowledged events come again
	ch, err := conn.Channel()
	if err != nil {
		return err
	}
	if err := declare(ch, queue); err != nil {
		return err
	}
	if err := ch.Qos(200, 0, false); err != nil {
		return err
	}
	deliveries, err := ch.ConsumeWithContext(ctx, queue, "", false, false, false, false, nil)
	if err != nil {
		return err
	}

	seen := account{ids: map[int64]string{}}
	for d := range deliveries {
		var e event
		if err := json.Unmarshal(d.Body, &e); err != nil {
			fmt.Fprintf(out, "not an event, to the dead letters: %v\n", err)
			if err := d.Reject(false); err != nil {
				return err
			}
			continue
		}
		position, err := strconv.ParseInt(e.Sequence, 10, 64)
		if err != nil {
			return fmt.Errorf("sequence of %s: %w", e.ID, err)
		}
		first, err := seen.add(position, e.ID)
		if err != nil {
			return err
		}
		if first { // here the event would take effect, once
			fmt.Fprintf(out, "%d %s %s by %s\n", position, e.Type, e.Subject, e.AuthID)
		}
		if err := d.Ack(false); err != nil { // only now: a crash before this brings it again
			return err
		}
		if until > 0 && seen.complete() >= until {
			fmt.Fprintln(out, seen)
			return nil
		}
	}
	fmt.Fprintln(out, seen)
	if ctx.Err() == nil {
		return errors.New("the broker ended the connection")
	}
	return nil
}

// declare makes the queue: durable, replicated where there are replicas, and
// with a place for what cannot be handled.
func declare(ch *amqp.Channel, queue string) error {
	dead := queue + ".dead"
	if _, err := ch.QueueDeclare(dead, true, false, false, false, amqp.Table{"x-queue-type": "quorum"}); err != nil {
		return err
	}
	if _, err := ch.QueueDeclare(queue, true, false, false, false, amqp.Table{
		"x-queue-type":              "quorum",
		"x-delivery-limit":          5,
		"x-dead-letter-exchange":    "",
		"x-dead-letter-routing-key": dead,
	}); err != nil {
		return err
	}
	return ch.QueueBind(queue, "#", "strata.events", false, nil)
}

// account proves completeness: positions have no gaps, so a set of them says
// what is missing.
type account struct {
	ids        map[int64]string // by position
	from, next int64            // everything in [from, next) has come
	last       int64            // the highest that has come
	duplicates int
}

// add says whether the event is new. One position always has one id.
func (a *account) add(position int64, id string) (first bool, err error) {
	if known, seen := a.ids[position]; seen {
		if known != id {
			return false, fmt.Errorf("position %d came as %s and as %s", position, known, id)
		}
		a.duplicates++
		return false, nil
	}
	if len(a.ids) == 0 {
		a.from, a.next = position, position // a new queue starts in the middle; the event feed has what was before
	}
	a.ids[position], a.last = id, max(a.last, position)
	for a.ids[a.next] != "" {
		a.next++
	}
	return true, nil
}

// complete is the last position up to which nothing is missing.
func (a *account) complete() int64 { return a.next - 1 }

func (a account) String() string {
	if len(a.ids) == 0 {
		return "no events"
	}
	return fmt.Sprintf("complete from %d to %d: %d events, %d missing, %d duplicates",
		a.from, a.complete(), len(a.ids), a.last-a.from+1-int64(len(a.ids)), a.duplicates)
}

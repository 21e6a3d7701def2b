package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"strata.dev/strata/adapters/postgres"
	"strata.dev/strata/adapters/rabbitmq"
	"strata.dev/strata/app/cloudevents"
	"strata.dev/strata/app/eventlog"
)

// replayPage is how many events are sent before the broker is asked to confirm them all.
const replayPage = 500

// replay sends to one queue what has been announced before.
func (c *cli) replay() *cobra.Command {
	var from, to int64
	var queue string
	cmd := &cobra.Command{
		Use: "replay", Short: "Send what was announced before to one queue again, and to nobody else", Args: noArgs,
		Long: `Send events that have been announced before to one queue again, in order: for a consumer whose queue was lost, or
filled with drop-head. Nobody else sees them. The messages are the same to the byte, with the header strata-replay: true.
Beyond what has been announced nothing is sent: the relay brings that.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if from < 1 || to < 0 || queue == "" {
				return usageError{errors.New("give --from, a position from 1 on, and --queue")}
			}
			cfg, log, err := c.load(cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			if err := cfg.need("STRATA_LOG_URL", "STRATA_AMQP_URL"); err != nil {
				return err
			}
			ctx := cmd.Context()
			events, err := postgres.Open(ctx, cfg.LogURL, postgres.Options{Logger: log})
			if err != nil {
				return explain("the event log", cfg.LogURL, err)
			}
			defer events.Close()
			epochs, err := events.Epochs(ctx)
			if err != nil {
				return err
			}
			encoder, err := cloudevents.New(cloudevents.Options{Instance: cfg.Instance, Epochs: epochs})
			if err != nil {
				return usageError{fmt.Errorf("STRATA_INSTANCE: %w", err)}
			}
			cursors, err := events.Cursors(ctx)
			if err != nil {
				return err
			}
			announced := cursors[relayGroup].Position
			if to == 0 || to > announced {
				to = announced
			}
			publisher, err := rabbitmq.Open(cfg.AMQPURL, rabbitmq.Options{Logger: log})
			if err != nil {
				return usageError{fmt.Errorf("STRATA_AMQP_URL: %w", err)}
			}
			defer func() { _ = publisher.Close() }() // it has nothing left to say
			done, err := replayInto(ctx, events, publisher, rabbitmq.Messages{Encoder: encoder}, replayed{Queue: queue, From: from, To: to}, c.reporter(cmd.ErrOrStderr(), "events"))
			if err != nil {
				return err
			}
			return c.print(cmd.OutOrStdout(), done, done.print)
		},
	}
	cmd.Flags().Int64Var(&from, "from", 0, "the first position")
	cmd.Flags().Int64Var(&to, "to", 0, "the last position; by default the last one that was announced")
	cmd.Flags().StringVar(&queue, "queue", "", "the queue, which must be there")
	return cmd
}

// replayed is what a replay has sent.
type replayed struct {
	Queue   string  `json:"queue"`
	From    int64   `json:"from,string"`
	To      int64   `json:"to,string"`
	Events  int64   `json:"events"`
	Seconds float64 `json:"seconds"`
}

func (r replayed) print(w io.Writer) error {
	_, err := fmt.Fprintf(w, "%d events, positions %d to %d, are in queue %s once more (%.1f s). Nobody else was sent anything.\n", r.Events, r.From, r.To, r.Queue, r.Seconds)
	return err
}

func replayInto(ctx context.Context, log eventlog.Reader, publisher *rabbitmq.Publisher, messages rabbitmq.Messages, r replayed, report func(progress)) (replayed, error) {
	started := time.Now()
	for at := r.From - 1; at < r.To; {
		page, err := log.Read(ctx, at, int(min(replayPage, r.To-at)))
		if err != nil {
			return r, err
		}
		if len(page) == 0 {
			return r, fmt.Errorf("the log ends at position %d", at)
		}
		sent, err := rabbitmq.Replay(ctx, publisher, messages, r.Queue, page)
		r.Events += int64(sent)
		at += int64(sent)
		if err != nil {
			return r, fmt.Errorf("positions %d to %d were sent; go on with --from %d: %w", r.From, at, at+1, err)
		}
		elapsed := time.Since(started).Seconds()
		report(progress{Task: "replay to " + r.Queue, Phase: "send", Done: r.Events, Total: r.To - r.From + 1, PerSecond: int64(float64(r.Events) / max(elapsed, 1e-3))})
	}
	r.Seconds = time.Since(started).Seconds()
	return r, nil
}

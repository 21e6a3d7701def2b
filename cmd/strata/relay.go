package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/spf13/cobra"

	"strata.dev/strata/adapters/postgres/consumer"
	"strata.dev/strata/ports/rest"
)

// relay looks after the consumer group that announces events.
func (c *cli) relay() *cobra.Command {
	cmd := group("relay", "Look after what is announced to RabbitMQ")
	list := &cobra.Command{
		Use: "list", Short: "List the streams that the relay and the processes have parked", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, log, err := c.load(cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			if err := cfg.need("STRATA_LOG_URL"); err != nil {
				return err
			}
			groups, err := consumer.New(cfg.LogURL, nil, consumer.Options{Logger: log})
			if err != nil {
				return err
			}
			defer groups.Close()
			parked, err := groups.Parked(cmd.Context())
			if err != nil {
				return explain("the event log", cfg.LogURL, err)
			}
			lines := make([]parkedLine, 0, len(parked))
			for _, p := range parked {
				lines = append(lines, parkedLine{p.Group, p.StreamID, p.Position, p.ParkedAt.UTC(), p.Attempts, p.Reason})
			}
			return c.print(cmd.OutOrStdout(), lines, func(w io.Writer) error {
				fmt.Fprintln(w, "GROUP\tSTREAM\tPOSITION\tPARKED AT\tATTEMPTS\tREASON")
				for _, l := range lines {
					fmt.Fprintf(w, "%s\t%s\t%d\t%s\t%d\t%s\n", l.Group, l.Stream, l.Position, l.ParkedAt.Format(time.RFC3339), l.Attempts, l.Reason)
				}
				return nil
			})
		},
	}
	of := relayGroup
	resume := &cobra.Command{
		Use: "resume STREAM", Short: "Announce what a parked stream has kept back, in order (asks the service at STRATA_ADMIN_ADDR)",
		Args: exactly(1, "the stream's id"),
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, _, err := c.load(cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			done, err := askResume(cmd.Context(), cfg.AdminAddr, of, args[0])
			if err != nil {
				return err
			}
			return c.print(cmd.OutOrStdout(), done, func(w io.Writer) error {
				what := "announced"
				if of != relayGroup {
					what = "taken by " + of
				}
				_, err := fmt.Fprintf(w, "%s flows again; %d events were %s.\n", done.Stream, done.Announced, what)
				return err
			})
		},
	}
	resume.Flags().StringVar(&of, "group", of, "the consumer group that has parked it: relay or processes")
	cmd.AddCommand(list, resume, c.replay())
	return cmd
}

// parkedLine is a parked stream as `relay list` shows it.
type parkedLine struct {
	Group    string    `json:"group"`
	Stream   string    `json:"stream"`
	Position int64     `json:"position,string"`
	ParkedAt time.Time `json:"parkedAt"`
	Attempts int       `json:"attempts"`
	Reason   string    `json:"reason"`
}

// resumed is what the service answers when a stream flows again.
type resumed struct {
	Stream    string `json:"stream"`
	Announced int    `json:"announced"` // events that had been kept back
}

// askResume asks the running service, because only the process that reads for
// the group can put something between two of its batches.
func askResume(ctx context.Context, admin, of, stream string) (done resumed, err error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+admin+"/relay/streams/"+url.PathEscape(stream)+"/resume?group="+url.QueryEscape(of), nil)
	if err != nil {
		return done, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return done, fmt.Errorf("strata does not answer at %s (%w). Is it running, and is STRATA_ADMIN_ADDR right? %w", admin, rootCause(err), errUnreachable)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, 4096))
	if err != nil {
		return done, fmt.Errorf("read the answer: %w", err)
	}
	if res.StatusCode != http.StatusOK {
		return done, fmt.Errorf("%s", body)
	}
	if err := json.Unmarshal(body, &done); err != nil {
		return done, fmt.Errorf("read the answer: %w", err)
	}
	return done, nil
}

// adminHandler is the operators' port: metrics, profiles, and resuming the relay.
func (s *service) adminHandler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", rest.NewAdmin(s.registry))
	mux.HandleFunc("POST /relay/streams/{stream}/resume", func(w http.ResponseWriter, r *http.Request) {
		stream := r.PathValue("stream")
		of := cmp.Or(r.URL.Query().Get("group"), relayGroup)
		n, err := s.consumers.Resume(r.Context(), of, stream)
		switch {
		case errors.Is(err, consumer.ErrNotLeader):
			http.Error(w, "another instance reads for "+of+": ask its admin address", http.StatusConflict)
		case errors.Is(err, consumer.ErrNotParked):
			http.Error(w, stream+" is not parked", http.StatusNotFound)
		case err != nil:
			http.Error(w, stream+" stays parked: "+err.Error(), http.StatusBadGateway)
		default:
			w.Header().Set("Content-Type", "application/json")
			// The stream flows again whether or not the caller reads this.
			_ = json.NewEncoder(w).Encode(resumed{stream, n})
		}
	})
	return mux
}

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"strata.dev/strata/app/cloudevents"
	"strata.dev/strata/ports/rest/restclient"
)

const (
	tailPage       = 200
	tailWait       = 25 * time.Second
	tailFirstPause = 500 * time.Millisecond // after a failure, doubling
	tailLastPause  = 10 * time.Second
)

// events shows what is recorded, through the public API.
func (c *cli) events() *cobra.Command {
	cmd := group("events", "Look at recorded events, through the API")
	var api apiFlags
	t := tail{}
	following := &cobra.Command{
		Use: "tail", Short: "Print events as they are recorded, in log order", Args: noArgs,
		Long: `Prints the organization's events in log order and waits for more; Ctrl-C ends it and says where to go on (--after).
A service that goes away is asked again until it answers, and nothing is left out.
With -o json each line is one CloudEvent, byte for byte as on the message broker.`,
		Example: "  strata events tail --after 0 --types strategy.activated\n  strata events tail -o json --follow=false --after 0 > events.ndjson",
		RunE: func(cmd *cobra.Command, _ []string) error {
			client, err := c.client(cmd, api)
			if err != nil {
				return err
			}
			t.client, t.out, t.notes, t.json = client, cmd.OutOrStdout(), cmd.ErrOrStderr(), c.output == jsonOutput
			return t.run(cmd.Context())
		},
	}
	following.Flags().StringVar(&t.after, "after", "now", "position behind which to begin; 0 = from the first event, now = with the next one")
	following.Flags().StringSliceVar(&t.types, "types", nil, "only these types (strategy.activated,…)")
	following.Flags().BoolVar(&t.follow, "follow", true, "wait for more at the end")
	following.Flags().IntVar(&t.limit, "limit", 0, "end after this many events; 0 = never")
	show := &cobra.Command{
		Use: "show EVENT", Short: "Print one event whole: who, when, why, old and new values", Args: exactly(1, "the event's id"),
		RunE: func(cmd *cobra.Command, args []string) error {
			client, err := c.client(cmd, api)
			if err != nil {
				return err
			}
			answer, err := client.Do(cmd.Context(), restclient.Request{Method: http.MethodGet, Path: "/v1/events/" + url.PathEscape(args[0])})
			if err != nil {
				return explainAPI(client.Base, err)
			}
			var e entry
			if err := answer.Decode(&e); err != nil {
				return err
			}
			return c.print(cmd.OutOrStdout(), json.RawMessage(answer.Body), e.print)
		},
	}
	api.register(following, show)
	cmd.AddCommand(following, show)
	return cmd
}

// tail follows the feed.
type tail struct {
	client     *restclient.Client
	out, notes io.Writer
	json       bool

	after  string
	types  []string
	follow bool
	limit  int

	position string // of the last event that was read; where to go on
	printed  int
	headed   bool
}

func (t *tail) run(ctx context.Context) error {
	if err := t.begin(ctx); err != nil {
		return err
	}
	pause := tailFirstPause
	for {
		n, err := t.page(ctx)
		switch {
		case ctx.Err() != nil:
			_, err := fmt.Fprintf(t.notes, "to go on from here: --after %s\n", t.position)
			return err
		case err != nil && (!t.follow || !transient(err)):
			return explainAPI(t.client.Base, err)
		case err != nil:
			fmt.Fprintf(t.notes, "%v; asking again for what comes after %s\n", explainAPI(t.client.Base, err), t.position)
			if wait(ctx, pause) {
				pause = min(2*pause, tailLastPause)
			}
		case t.limit > 0 && t.printed >= t.limit, n == 0 && !t.follow:
			return nil
		default:
			pause = tailFirstPause
		}
	}
}

// begin finds the position to start behind.
func (t *tail) begin(ctx context.Context) error {
	t.position = t.after
	if t.after != "now" {
		if n, err := strconv.ParseInt(t.after, 10, 64); err != nil || n < 0 {
			return usageError{fmt.Errorf("--after takes a position or now, not %q", t.after)}
		}
		return nil
	}
	answer, err := t.client.Do(ctx, restclient.Request{Method: http.MethodGet, Path: "/v1/events?limit=1"})
	if err != nil {
		return explainAPI(t.client.Base, err)
	}
	t.position = strconv.FormatInt(answer.Position, 10)
	return nil
}

// page asks once, prints what comes, and moves the position. A page without
// events moves it, too: past the ones of other types.
func (t *tail) page(ctx context.Context) (n int, err error) {
	limit := tailPage
	if t.limit > 0 {
		limit = min(limit, t.limit-t.printed)
	}
	q := url.Values{"after": {t.position}, "limit": {strconv.Itoa(limit)}}
	if len(t.types) > 0 {
		q.Set("types", strings.Join(t.types, ","))
	}
	header := http.Header{}
	if t.follow {
		header.Set("Prefer", "wait="+strconv.Itoa(int(tailWait.Seconds())))
	}
	answer, err := t.client.Do(ctx, restclient.Request{Method: http.MethodGet, Path: "/v1/events?" + q.Encode(), Header: header})
	if err != nil {
		return 0, err
	}
	var batch []json.RawMessage
	if err := answer.Decode(&batch); err != nil {
		return 0, err
	}
	next, err := nextAfter(answer.Header.Get("Link"))
	if err != nil {
		return 0, err
	}
	for _, document := range batch {
		if err := t.print(document); err != nil {
			return 0, fmt.Errorf("write the event: %w", err)
		}
	}
	t.position = next
	t.printed += len(batch)
	return len(batch), nil
}

// nextAfter is the position in a feed's link to what comes next.
func nextAfter(link string) (string, error) {
	target, _, ok := strings.Cut(strings.TrimPrefix(link, "<"), ">")
	if u, err := url.Parse(target); ok && err == nil && u.Query().Get("after") != "" {
		return u.Query().Get("after"), nil
	}
	return "", fmt.Errorf("the answer does not say where to go on (Link: %q): is this a Strata service?", link)
}

const tailColumns = "%10s  %-20s  %-36s  %-52s  %s\n"

func (t *tail) print(document json.RawMessage) error {
	if t.json {
		_, err := fmt.Fprintf(t.out, "%s\n", document)
		return err
	}
	event, err := cloudevents.Decode(document)
	if err != nil {
		return err
	}
	if !t.headed {
		t.headed = true
		fmt.Fprintf(t.out, tailColumns, "POSITION", "RECORDED", "TYPE", "SUBJECT", "WHO")
	}
	_, err = fmt.Fprintf(t.out, tailColumns, strconv.FormatInt(event.Position, 10), event.RecordedAt.UTC().Format(time.RFC3339), event.Name, event.Subject, event.AuthID)
	return err
}

// entry is what is shown of an event; -o json has all of it.
type entry struct {
	ID, Type, StreamID                      string
	SchemaVersion                           int
	Position, OrganizationSequence, Version string
	RecordedAt                              time.Time
	ActorKind, ActorID                      string
	ActorRoles                              []string
	Reason                                  string
	Signature                               json.RawMessage
	Changes                                 []struct {
		Field    string
		Old, New json.RawMessage
	}
	Data json.RawMessage
}

func (e entry) print(w io.Writer) error {
	line := func(name, format string, args ...any) { fmt.Fprintf(w, name+"\t"+format+"\n", args...) }
	line("event", "%s", e.ID)
	line("type", "%s, schema %d", e.Type, e.SchemaVersion)
	line("position", "%s in the log, %s in the organization, %s in its stream", e.Position, e.OrganizationSequence, e.Version)
	line("stream", "%s", e.StreamID)
	line("recorded", "%s", e.RecordedAt.UTC().Format(time.RFC3339Nano))
	line("by", "%s %s %s", e.ActorKind, e.ActorID, strings.Join(e.ActorRoles, ", "))
	if e.Reason != "" {
		line("reason", "%s", e.Reason)
	}
	if len(e.Signature) > 0 {
		line("signed", "%s", e.Signature)
	}
	for _, change := range e.Changes {
		line("changed", "%s: %s → %s", change.Field, orNothing(change.Old), orNothing(change.New))
	}
	data, err := json.MarshalIndent(e.Data, "\t", "  ")
	if err != nil {
		return fmt.Errorf("the event's data: %w", err)
	}
	line("data", "%s", data)
	return nil
}

func orNothing(value json.RawMessage) string {
	if len(value) == 0 {
		return "nothing"
	}
	return string(value)
}

// wait is a pause; false if ctx ended it.
func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

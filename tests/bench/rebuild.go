package main

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"strata.dev/strata/adapters/postgres"
	"strata.dev/strata/app/eventcodec"
	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/app/projection"
	"strata.dev/strata/domain/calendar"
	"strata.dev/strata/domain/indicator"
	"strata.dev/strata/domain/quantity"
	"strata.dev/strata/migrations"
)

// years of targets and measurements that each indicator of the generated log has.
const years = 35

// indicators writes streams of real indicators.
type indicators struct {
	log                               *postgres.Log
	organization, strategy, objective uuid.UUID
	metadata                          []byte
}

func newIndicators(log *postgres.Log) *indicators {
	organization := uuid.New()
	return &indicators{log, organization, uuid.New(), uuid.New(), newEvent(organization, "", 1).metadata}
}

func (in *indicators) definition(id uuid.UUID) any {
	return indicator.Defined{IndicatorID: id.String(), StrategyID: in.strategy.String(), ObjectiveID: in.objective.String(), Definition: indicator.Definition{
		Identifier: "_" + id.String(), Name: "Share of applications decided within thirty days", Unit: "percent",
		Type: indicator.Quantitative, Direction: indicator.Increase, Frequency: calendar.Year,
	}}
}

func yearOf(year int) calendar.Period {
	return calendar.Period{Start: calendar.Date(fmt.Sprintf("%d-01-01", year)), End: calendar.Date(fmt.Sprintf("%d-12-31", year))}
}

func target(year int) any {
	value := fmt.Sprintf("%d.5", year-1950)
	return indicator.TargetSet{Period: yearOf(year), Reading: indicator.Reading{Value: quantity.Number(value), OriginalText: value}, Reason: "as published in the annual plan of the year"}
}

func measured(year int) any {
	value := fmt.Sprintf("%d.25", year-1952)
	return indicator.MeasurementRecorded{
		MeasurementID: uuid.NewString(), KeyVersion: 1, Period: yearOf(year),
		Reading: indicator.Reading{Value: quantity.Number(value), OriginalText: value}, Note: "from the yearly report, table 3, as corrected by the statistics office",
	}
}

// append records events of one indicator as one command.
func (in *indicators) append(ctx context.Context, id uuid.UUID, expected int64, events ...any) (eventlog.Receipt, error) {
	c := eventlog.Command{ID: uuid.New(), Hash: make([]byte, 32), OrganizationID: in.organization, StreamID: "indicator-" + id.String(), ExpectedVersion: expected}
	for _, e := range events {
		typ, schema, data, err := eventcodec.Encode(e)
		if err != nil {
			return eventlog.Receipt{}, fmt.Errorf("encode %T: %w", e, err)
		}
		c.Events = append(c.Events, eventlog.NewEvent{ID: uuid.Must(uuid.NewV7()), Type: typ, SchemaVersion: schema, Data: data, Metadata: in.metadata})
	}
	return in.log.Append(ctx, c)
}

// fill appends indicators with a target and a measurement for every year, as an
// import writes them, until the log has about n events.
func (in *indicators) fill(ctx context.Context, n int) (head int64, err error) {
	for head < int64(n) {
		id := uuid.New()
		events := []any{in.definition(id)}
		for year := range years {
			events = append(events, target(1990+year), measured(1990+year))
		}
		r, err := in.append(ctx, id, 0, events...)
		if err != nil {
			return 0, fmt.Errorf("fill the log: %w", err)
		}
		head = r.Position
	}
	return head, nil
}

// benchRebuild rebuilds both read models from a real log, beside COPY of as many rows.
func (b *bench) benchRebuild(ctx context.Context) error {
	const events = 200_000
	urls, err := b.servers.database(ctx, migrations.Log, "bench_rebuild")
	if err != nil {
		return err
	}
	log, err := postgres.Open(ctx, urls["strata_log"], postgres.Options{Logger: quiet})
	if err != nil {
		return err
	}
	defer log.Close()
	head, err := newIndicators(log).fill(ctx, events)
	if err != nil {
		return err
	}
	models, err := b.readModels(ctx, "bench_rebuild")
	if err != nil {
		return err
	}
	defer models.close()
	plans, audit := models.plans, models.audit
	rebuild := func(p projection.Projection) func(context.Context) (sample, error) {
		return func(ctx context.Context) (sample, error) {
			start := time.Now()
			if err := p.Rebuild(ctx, log, func(projection.Progress) {}); err != nil {
				return sample{}, err
			}
			return sample{perSecond: float64(head) / time.Since(start).Seconds()}, nil
		}
	}
	got, err := interleave(ctx, b.reps, []rival{
		{"copy", func(ctx context.Context) (sample, error) { return copyRows(ctx, models.plansURLs[""], int(head)) }},
		{"plans", rebuild(plans)},
		{"audit", rebuild(audit)},
	})
	if err != nil {
		return err
	}
	t := b.table(fmt.Sprintf("Rebuild from %d events, to the switch", head), "", "events/s", "× COPY")
	limit := got["copy"].perSecond
	t.row("COPY of as many rows into one table with two indexes", rate(limit), "")
	t.row("plans (tree, series, scorecard)", rate(got["plans"].perSecond), ratio(got["plans"].perSecond, limit))
	t.row("audit (every event, whole)", rate(got["audit"].perSecond), ratio(got["audit"].perSecond, limit))
	b.target("rebuild of plans, events/s", got["plans"].perSecond, 40_000)
	b.target("rebuild of audit, events/s", got["audit"].perSecond, 40_000)
	return nil
}

// copyRows is the limit: rows of a measurement's size, COPY into a fresh table.
func copyRows(ctx context.Context, url string, n int) (sample, error) {
	c, err := pgx.Connect(ctx, url)
	if err != nil {
		return sample{}, err
	}
	defer c.Close(ctx)
	if _, err := c.Exec(ctx, `DROP TABLE IF EXISTS public.copied; CREATE TABLE public.copied (
		indicator_id uuid, period_start date, period_end date, value text, original text, note text, recorded_at timestamptz, version bigint,
		PRIMARY KEY (indicator_id, period_start)); CREATE INDEX ON public.copied (recorded_at)`); err != nil {
		return sample{}, err
	}
	now, ids := time.Now(), make([]uuid.UUID, n/years+1)
	for i := range ids {
		ids[i] = uuid.New()
	}
	start := time.Now()
	_, err = c.CopyFrom(ctx, pgx.Identifier{"public", "copied"}, []string{"indicator_id", "period_start", "period_end", "value", "original", "note", "recorded_at", "version"},
		pgx.CopyFromSlice(n, func(i int) ([]any, error) {
			day := time.Date(1990+i%years, 1, 1, 0, 0, 0, 0, time.UTC)
			return []any{ids[i/years], day, day.AddDate(1, 0, -1), "40.25", "40.25", "from the yearly report, table 3, as corrected by the statistics office", now, int64(i)}, nil
		}))
	return sample{perSecond: float64(n) / time.Since(start).Seconds()}, err
}

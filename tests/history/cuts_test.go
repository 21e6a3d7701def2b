package history_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"strata.dev/strata/app/eventcodec"
	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/domain/fact"
	"strata.dev/strata/domain/indicator"
	"strata.dev/strata/domain/organization"
	"strata.dev/strata/domain/strategy"
	"strata.dev/strata/ports/rest/restclient"
	"strata.dev/strata/tests/history"
	"strata.dev/strata/tests/system"
)

const (
	cuts      = 1_000 // random questions as of random positions
	listCuts  = 10    // positions as of which lists are asked for, each made anew from the log
	recorders = 12    // positions at which what was answered live is written down
)

var cutsSeed = flag.Uint64("cuts-seed", 0, "for the random cuts of the history; 0 = any")

// For random positions of the history and random things in it, what is answered as
// of the position is what the log up to it folds to, by the domain's own Apply;
// and what was answered when the history was made is answered as of then.
func TestRandomCutsOfTheHistory(t *testing.T) {
	changes := part.read(t)
	w := newWorld(t, false)
	seed := *cutsSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("-cuts-seed %d asks the same of a history of the same length", seed)
	pick := rand.New(rand.NewPCG(seed, 1))
	then := w.live(changes, pick)
	w.catchUp("/v1/events?limit=1")
	w.catchUp("/v1/strategies/" + w.strategy)
	began := time.Now()
	w.sameAsThen(then)
	live := time.Since(began)
	asked := w.ask(pick)
	t.Logf("%d answers written down are answered as of then in %s; %d random cuts in %s", len(then), live.Round(time.Millisecond), asked,
		(time.Since(began) - live).Round(time.Millisecond))
}

// written is an answer as it was given.
type written struct {
	path     string
	position int64
	body     []byte
}

// live replays the history and writes answers down as it goes.
func (w *world) live(changes []history.Change, pick *rand.Rand) (then []written) {
	w.t.Helper()
	every := max(1, len(changes)/recorders)
	w.after = func(n int) {
		if n%every != every-1 {
			return
		}
		w.catchUp("/v1/strategies/" + w.strategy)
		paths := []string{"/v1/strategies", "/v1/strategies/" + w.strategy, "/v1/strategies/" + w.strategy + "/scorecard?limit=200", "/v1/organization/members"}
		for _, id := range w.indicator {
			if paths = append(paths, "/v1/indicators/"+id, "/v1/indicators/"+id+"/series?limit=20"); pick.IntN(3) == 0 {
				break
			}
		}
		for _, path := range paths {
			a := system.MustGet(w.t, w.as("vera"), path, w.head, new(any))
			then = append(then, written{path, a.Position, a.Body})
		}
	}
	w.replay(changes)
	return then
}

func (w *world) sameAsThen(then []written) {
	w.t.Helper()
	for _, was := range then {
		mark := "?"
		if strings.Contains(was.path, "?") {
			mark = "&"
		}
		a := system.MustGet(w.t, w.as("vera"), was.path+mark+fmt.Sprintf("asOfPosition=%d", was.position), 0, new(any))
		if plain(w.t, a.Body) != plain(w.t, was.body) {
			w.t.Errorf("%s at %d was answered\n%s\nand is now, as of it,\n%s", was.path, was.position, was.body, a.Body)
		}
	}
}

// plain is an answer without its cursor: that of the past names the moment, too.
func plain(t *testing.T, body []byte) string {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal(body, &v); err != nil {
		t.Fatal(err)
	}
	delete(v, "nextCursor")
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// fold is the log folded up to a position, by the domain.
type fold struct {
	organization organization.State
	members      []string
	strategies   map[string]strategy.State
	drafted      []string
	indicators   map[string]indicator.State
	versions     map[string]int64
}

// recordedEvent is a row of the log.
type recordedEvent struct {
	position       int64
	stream, typ    string
	schema         int
	at             time.Time
	data, metadata []byte
}

func (f *fold) apply(t *testing.T, e recordedEvent) {
	t.Helper()
	body, err := eventcodec.Decode(e.typ, e.schema, e.data)
	if err != nil {
		t.Fatal(err)
	}
	m, err := eventlog.DecodeMetadata(e.metadata)
	if err != nil {
		t.Fatal(err)
	}
	by := fact.Actor{ID: m.Actor.ID, Kind: fact.Kind(m.Actor.Kind), At: e.at}
	f.versions[e.stream]++
	kind, id, _ := strings.Cut(e.stream, "-")
	switch b := body.(type) {
	case organization.Event:
		if enrolled, ok := b.(organization.MemberEnrolled); ok {
			f.members = append(f.members, enrolled.MemberID)
		}
		f.organization = f.organization.Apply(by, b)
	case strategy.Event:
		if !f.strategies[id].Exists() {
			f.drafted = append(f.drafted, id)
		}
		f.strategies[id] = f.strategies[id].Apply(by, b)
	case indicator.Event:
		f.indicators[id] = f.indicators[id].Apply(by, b)
	default:
		_ = kind // others are not asked for here
	}
}

// question is what is asked as of a position, and what the answer must say.
type question struct {
	path  string
	at    int64
	check func(body []byte) error
}

// ask asks random questions, and those for lists as of a few positions.
func (w *world) ask(pick *rand.Rand) int {
	w.t.Helper()
	events := w.recordedEvents()
	at := make([]int, cuts)
	for i := range at {
		at[i] = pick.IntN(len(events))
	}
	slices.Sort(at)
	f := &fold{strategies: map[string]strategy.State{}, indicators: map[string]indicator.State{}, versions: map[string]int64{}}
	var questions []question
	next := 0
	for n, e := range events {
		f.apply(w.t, e)
		for ; next < len(at) && at[next] == n; next++ {
			if next%(cuts/listCuts) == 0 {
				questions = append(questions, f.strategyList(e.position), f.memberList(e.position))
			}
			questions = append(questions, f.random(pick, e.position))
		}
	}
	var g errgroup.Group
	g.SetLimit(4)
	for _, q := range questions {
		g.Go(func() error {
			mark := "?"
			if strings.Contains(q.path, "?") {
				mark = "&"
			}
			path := fmt.Sprintf("%s%sasOfPosition=%d", q.path, mark, q.at)
			a, err := w.as("vera").Do(w.t.Context(), restclient.Request{Method: http.MethodGet, Path: path, Header: http.Header{"Prefer": {"wait=10"}}})
			body := a.Body
			if code, refused := refusal(err); refused && strings.HasPrefix(code, "not-found") {
				body, err = nil, nil
			}
			if err != nil {
				return fmt.Errorf("%s: %w", path, err)
			}
			if err := q.check(body); err != nil {
				return fmt.Errorf("%s: %w: %.2000s", path, err, body)
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		w.t.Error(err)
	}
	return len(questions)
}

// random asks for a thing that is there by then, or, rarely, is not yet.
func (f *fold) random(pick *rand.Rand, at int64) question {
	ids := slices.Sorted(maps.Keys(f.indicators))
	if len(ids) == 0 || pick.IntN(10) == 0 {
		return f.strategyAt(pick, at)
	}
	id := ids[pick.IntN(len(ids))]
	if pick.IntN(2) == 0 {
		return f.seriesAt(id, at)
	}
	s, version := f.indicators[id], f.versions["indicator-"+id]
	return question{"/v1/indicators/" + id, at, func(body []byte) error {
		var got struct {
			Definition            struct{ Name string }
			StrategyID            string
			Health, Version       string
			Targets, Measurements int
			Retired               bool
		}
		if err := json.Unmarshal(body, &got); err != nil {
			return err
		}
		if got.Definition.Name != s.Definition.Name || got.StrategyID != s.StrategyID || got.Health != string(s.Status) || got.Retired != s.Retired ||
			got.Targets != len(s.Targets()) || got.Measurements != len(s.Measurements()) || got.Version != fmt.Sprint(version) {
			return fmt.Errorf("the log says %s: %d values, version %d", s.Status, len(s.Measurements()), version)
		}
		return nil
	}}
}

// seriesAt asks for the first values of a series.
func (f *fold) seriesAt(id string, at int64) question {
	values := map[string]string{}
	for _, m := range f.indicators[id].Measurements() {
		values[indicator.Key(m.Period, m.Dims)] = m.ID + " " + string(m.Reading.Value) + " " + m.Reading.OriginalText
	}
	return question{"/v1/indicators/" + id + "/series?kind=measurement&count=exact&limit=100", at, func(body []byte) error {
		var got struct {
			Total int
			Items []struct {
				indicator.Measurement
				indicator.Reading
				MeasurementID string
			}
		}
		if err := json.Unmarshal(body, &got); err != nil {
			return err
		}
		if got.Total != len(values) || len(got.Items) != min(100, len(values)) {
			return fmt.Errorf("the log says %d values", len(values))
		}
		for _, i := range got.Items {
			key := indicator.Key(i.Period, i.Dims)
			if have := i.MeasurementID + " " + string(i.Value) + " " + i.OriginalText; have != values[key] {
				return fmt.Errorf("%s is %s, the log says %s", key, have, values[key])
			}
		}
		return nil
	}}
}

func (f *fold) strategyAt(pick *rand.Rand, at int64) question {
	if len(f.drafted) == 0 {
		return f.memberList(at)
	}
	id := f.drafted[pick.IntN(len(f.drafted))]
	s, version := f.strategies[id], f.versions["strategy-"+id]
	indicators := 0
	for _, i := range f.indicators {
		if i.StrategyID == id && !i.Retired {
			indicators++
		}
	}
	return question{"/v1/strategies/" + id, at, func(body []byte) error {
		var got struct {
			Name, State, Version string
			Goals, Objectives    int
			Tree                 []struct {
				Objectives []struct{ Indicators []struct{ ID string } }
			}
		}
		if err := json.Unmarshal(body, &got); err != nil {
			return err
		}
		shown := 0
		for _, g := range got.Tree {
			for _, o := range g.Objectives {
				shown += len(o.Indicators)
			}
		}
		plan := s.Working.Plan
		if got.Name != plan.Frame.Name || got.State != string(s.Phase) || got.Version != fmt.Sprint(version) || got.Goals != len(plan.Goals()) ||
			got.Objectives != len(plan.Objectives("")) || shown != indicators {
			return fmt.Errorf("the log says %s with %d goals and %d indicators, version %d", s.Phase, len(plan.Goals()), indicators, version)
		}
		return nil
	}}
}

// recordedEvents is the organization's log, read past the service.
func (w *world) recordedEvents() (all []recordedEvent) {
	w.t.Helper()
	conn, err := pgx.Connect(w.t.Context(), w.system.Setting("STRATA_LOG_URL"))
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = conn.Close(w.t.Context()) }()
	rows, err := conn.Query(w.t.Context(), `SELECT position, stream_id, type, schema_version, recorded_at, data, metadata FROM events
		WHERE organization_id = $1 ORDER BY position`, w.system.Organization.ID)
	if err != nil {
		w.t.Fatal(err)
	}
	all, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (e recordedEvent, err error) {
		return e, row.Scan(&e.position, &e.stream, &e.typ, &e.schema, &e.at, &e.data, &e.metadata)
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return all
}

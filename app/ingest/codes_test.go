package ingest_test

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"strata.dev/strata/app/command"
	"strata.dev/strata/app/ingest"
	"strata.dev/strata/domain/calendar"
	"strata.dev/strata/domain/fault"
	"strata.dev/strata/domain/indicator"
	"strata.dev/strata/domain/source"
)

// Every code is reached by something that a source can do: of measurements…
func TestCodesOfMeasurements(t *testing.T) {
	w := newWorld(t)
	w.must(w.commands.Indicators.Execute(t.Context(), w.as("author"), w.indicators[2], indicator.RetireIndicator{Reason: "replaced"}))
	year := func(y string) calendar.Period {
		return calendar.Period{Start: calendar.Date(y + "-01-01"), End: calendar.Date(y + "-12-31")}
	}
	w.must(w.commands.Indicators.Execute(t.Context(), w.as("owner"), w.indicators[0],
		indicator.RecordMeasurement{MeasurementID: uuid.NewString(), Period: year("2010"), Value: indicator.Stated{Number: "10"}}))
	w.take(w.message("sequence", w.item(0, 2011, `1`, `"sequence":7`)))

	n := 0
	month := strings.Replace(w.item(0, 2020, `1`), "2020-12-31", "2020-01-31", 1)
	for name, c := range map[string]struct{ item, code string }{
		"nobody's reference":          {item("x", 2020, `"value":1`), source.UnknownIndicator},
		"nobody's id":                 {item(uuid.NewString(), 2020, `"value":1`), source.UnknownIndicator},
		"a retired indicator":         {w.item(2, 2020, `1`), source.IndicatorRetired},
		"one that it may not write":   {w.item(3, 2020, `1`), source.NotAllowed},
		"another unit":                {w.item(0, 2020, `1`, `"unit":"thousand"`), source.UnitMismatch},
		"text":                        {w.item(0, 2020, `"redesigned income questions"`), source.NotANumber},
		"grouping":                    {w.item(0, 2020, `"1,000"`), source.NotANumber},
		"too many digits":             {w.item(0, 2020, `"`+strings.Repeat("9", 41)+`"`), source.NotANumber},
		"a month of a yearly one":     {month, source.PeriodOffGrid},
		"next century":                {w.item(0, 2199, `1`), source.PeriodInFuture},
		"another dimension":           {w.item(0, 2020, `1`, `"dims":{"age":"0-4"}`), source.UnknownDimension},
		"another value of one":        {w.item(0, 2020, `1`, `"dims":{"sex":"all"}`), source.UnknownDimension},
		"a sequence again":            {w.item(0, 2020, `1`, `"sequence":7`), source.SequenceBack},
		"a value that a person wrote": {w.item(0, 2010, `11`), source.ProtectedValue},
		"no period":                   {`{"indicatorRef":"un.8.1.1","value":1}`, source.Malformed},
		"half a period":               {`{"indicatorRef":"un.8.1.1","value":1,"period":{"start":"2020-01-01"}}`, source.Malformed},
		"a period with more":          {`{"indicatorRef":"un.8.1.1","value":1,"period":{"start":"2020-01-01","end":"2020-12-31","at":"x"}}`, source.Malformed},
		"a period backwards":          {`{"indicatorRef":"un.8.1.1","value":1,"period":{"start":"2020-12-31","end":"2020-01-01"}}`, source.Malformed},
		"no value":                    {`{"indicatorRef":"un.8.1.1","period":{"start":"2020-01-01","end":"2020-12-31"}}`, source.Malformed},
		"a value that is none":        {w.item(0, 2020, `null`), source.Malformed},
		"a value that is a list":      {w.item(0, 2020, `[1]`), source.Malformed},
		"an empty value":              {w.item(0, 2020, `""`), source.Malformed},
		"another member":              {w.item(0, 2020, `1`, `"colour":"red"`), source.Malformed},
		"a member in capitals":        {w.item(0, 2020, `1`, `"VALUE":2`), source.Malformed},
		"dims that are text":          {w.item(0, 2020, `1`, `"dims":"sex"`), source.Malformed},
		"a dim that is a number":      {w.item(0, 2020, `1`, `"dims":{"sex":1}`), source.Malformed},
		"no instant":                  {w.item(0, 2020, `1`, `"observedAt":"yesterday"`), source.Malformed},
		"a sequence of nothing":       {w.item(0, 2020, `1`, `"sequence":0`), source.Malformed},
		"a broken sequence":           {w.item(0, 2020, `1`, `"sequence":1.5`), source.Malformed},
		"a note without end":          {w.item(0, 2020, `1`, fmt.Sprintf(`"note":%q`, strings.Repeat("n", 100_001))), source.Malformed},
		"no object":                   {`7`, source.Malformed},
	} {
		t.Run(name, func(t *testing.T) {
			n++
			a, err := w.intake.Take(t.Context(), w.message(fmt.Sprint("of-", n), list(c.item)))
			if err != nil || !a.Settled {
				t.Fatal(err)
			}
			if len(a.Items) != 1 || a.Items[0].Code != c.code || a.Items[0].Status != ingest.Rejected || a.Items[0].Detail == "" || a.EvidenceID == "" {
				t.Errorf("%+v, want %s", a, c.code)
			}
		})
	}
	t.Run("the same key twice", func(t *testing.T) {
		a := w.take(w.message("twice", list(w.item(0, 2015, `1`), w.item(1, 2015, `1`), item("un.8.1.1", 2015, `"value":2`), w.item(0, 2015, `1`))))
		if statuses(a) != "duplicate_key_in_batch recorded duplicate_key_in_batch duplicate_key_in_batch" {
			t.Errorf("%+v", a)
		}
	})
	t.Run("a sequence that goes back within", func(t *testing.T) {
		a := w.take(w.message("within", list(w.item(1, 2016, `1`, `"sequence":9`), w.item(1, 2017, `1`, `"sequence":8`), w.item(1, 2018, `1`, `"sequence":9`))))
		if statuses(a) != "recorded sequence_back recorded" {
			t.Errorf("%+v", a)
		}
	})
	if _, ok := w.live(0)[y2020]; ok {
		t.Errorf("something was recorded: %v", w.live(0))
	}
	// What a person wrote is no refusal if the source says the same, nor if it may override.
	if a := w.take(w.message("same", w.item(0, 2010, `10.0`))); statuses(a) != "unchanged" {
		t.Errorf("%+v", a)
	}
	w.terms(source.ReinstateSource{AllowedIndicators: []source.Allowed{{IndicatorID: w.indicators[0].String(), Override: true}}})
	if a := w.take(w.message("override", w.item(0, 2010, `11`))); statuses(a) != "corrected" {
		t.Errorf("%+v", a)
	}
}

// terms changes what the source may do.
func (w *world) terms(c source.ReinstateSource) {
	w.t.Helper()
	c.Reason = "other terms"
	w.must(w.commands.Sources.Execute(w.t.Context(), w.as("steward"), w.source, source.SuspendSource{Reason: "other terms"}, c))
}

// …and of messages as a whole.
func TestCodesOfMessages(t *testing.T) {
	w := newWorld(t)
	good := w.item(0, 2020, `1`)
	_, other, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	changed := func(change func(*ingest.Message)) ingest.Message {
		m := w.message("m", good)
		change(&m)
		return m
	}
	for name, c := range map[string]struct {
		m       ingest.Message
		refused *fault.Fault
		code    string // recorded with the bytes; "" = it is nobody's
	}{
		"nobody's source":           {changed(func(m *ingest.Message) { m.SourceID = uuid.New() }), ingest.ErrUnauthenticated.WithRule(source.UnknownSource), ""},
		"another organization":      {changed(func(m *ingest.Message) { m.OrganizationID = uuid.New() }), ingest.ErrUnauthenticated.WithRule(source.UnknownSource), ""},
		"no signature":              {changed(func(m *ingest.Message) { m.Signature = "" }), ingest.ErrUnauthenticated.WithRule(source.BadSignature), ""},
		"another's signature":       {changed(func(m *ingest.Message) { m.Signature = ingest.Sign(other, m.SourceID.String(), m.MessageID, m.Body) }), ingest.ErrUnauthenticated.WithRule(source.BadSignature), ""},
		"another body":              {changed(func(m *ingest.Message) { m.Body = []byte(w.item(0, 2020, `2`)) }), ingest.ErrUnauthenticated.WithRule(source.BadSignature), ""},
		"another id":                {changed(func(m *ingest.Message) { m.MessageID = "n" }), ingest.ErrUnauthenticated.WithRule(source.BadSignature), ""},
		"no id":                     {w.message("", good), ingest.ErrMalformed, ""},
		"an id with a line feed":    {w.message("a\nb", good), ingest.ErrMalformed, ""},
		"an id without end":         {w.message(strings.Repeat("x", 256), good), ingest.ErrMalformed, ""},
		"larger than allowed":       {w.message("large", strings.Repeat(" ", ingest.MaxBody)+good), ingest.ErrTooLarge, ""},
		"more than allowed":         {w.message("many", list(strings.Split(strings.Repeat(good+"\n", ingest.MaxItems+1), "\n")[:ingest.MaxItems+1]...)), ingest.ErrTooLarge, source.MessageTooLarge},
		"nothing":                   {w.message("empty", ""), ingest.ErrMalformed, source.Malformed},
		"no JSON":                   {w.message("xml", "<a/>"), ingest.ErrMalformed, source.Malformed},
		"a member twice":            {w.message("twice", `{"indicatorRef":"un.8.1.1","value":1,"value":2,"period":{"start":"2020-01-01","end":"2020-12-31"}}`), ingest.ErrMalformed, source.Malformed},
		"bad UTF-8":                 {w.message("utf8", "{\"indicatorRef\":\"\xff\"}"), ingest.ErrMalformed, source.Malformed},
		"NUL":                       {w.message("nul", `{"indicatorRef":"\u0000"}`), ingest.ErrMalformed, source.Malformed},
		"a lone surrogate":          {w.message("surrogate", `{"indicatorRef":"\ud800"}`), ingest.ErrMalformed, source.Malformed},
		"two texts":                 {w.message("two", good+good), ingest.ErrMalformed, source.Malformed},
		"a number beyond all":       {w.message("beyond", w.item(0, 2020, `1e999`)), ingest.ErrMalformed, source.Malformed},
		"nothing in the list":       {w.message("none", list()), ingest.ErrMalformed, source.Malformed},
		"a list that is none":       {w.message("nolist", `{"measurements":{}}`), ingest.ErrMalformed, source.Malformed},
		"something beside the list": {w.message("beside", `{"measurements":[`+good+`],"value":1}`), ingest.ErrMalformed, source.Malformed},
		"a list at the top":         {w.message("top", `[`+good+`]`), ingest.ErrMalformed, source.Malformed},
	} {
		t.Run(name, func(t *testing.T) {
			head, kept := w.head(), w.inbox.Len(w.source)
			a, err := w.intake.Take(t.Context(), c.m)
			if !errors.Is(err, c.refused) || a.Settled != (c.code != "") || a.Code != c.code {
				t.Fatalf("%+v, %v; want %v", a, err, c.refused)
			}
			if c.code == "" {
				if w.head() != head || w.inbox.Len(w.source) != kept {
					t.Errorf("something of it was kept")
				}
				return
			}
			all, _ := w.rejections()
			last := all[len(all)-1]
			if last.Code != c.code || last.Item != 0 || last.SourceMessageID != c.m.MessageID || (last.EvidenceID == "") != (len(c.m.Body) == 0) || w.inbox.Len(w.source) != kept+1 {
				t.Errorf("%+v", last)
			}
			again, err := w.intake.Take(t.Context(), c.m)
			if !errors.Is(err, c.refused) || !again.Replayed || again.EvidenceID != a.EvidenceID {
				t.Errorf("again: %+v, %v", again, err)
			}
		})
	}
	if len(w.live(0)) != 0 {
		t.Errorf("something was recorded: %v", w.live(0))
	}
}

// A source that is suspended, too fast or on another channel is turned away:
// what it sent may come again, and the record says once a minute that it was.
func TestTurnedAway(t *testing.T) {
	w := newWorldOf(t, 2, 600)
	m := w.message("m", w.item(0, 2020, `1`))
	away := func(m ingest.Message, want *fault.Fault, code string) {
		t.Helper()
		all, _ := w.rejections()
		before := len(all)
		for range 3 {
			if a, err := w.intake.Take(t.Context(), m); !errors.Is(err, want) || a.Settled {
				t.Fatalf("%+v, %v; want %v", a, err, want)
			}
		}
		if all, _ = w.rejections(); len(all) != before+1 || all[before].Code != code || all[before].EvidenceID != "" {
			t.Fatalf("%+v", all[before:])
		}
		w.clock = w.clock.Add(2 * time.Minute)
		if _, err := w.intake.Take(t.Context(), m); !errors.Is(err, want) && !errors.Is(want, ingest.ErrRate) {
			t.Fatal(err)
		}
	}
	earlier := w.message("earlier", w.item(0, 2019, `1`))
	w.take(earlier)
	queued := m
	queued.Kind, queued.Channel = ingest.AMQP, "strata.ingest."+w.source.String()
	if a, err := w.intake.Take(t.Context(), queued); !errors.Is(err, ingest.ErrNotAllowed) || a.Settled {
		t.Errorf("another channel: %+v, %v", a, err)
	}
	w.must(w.commands.Sources.Execute(t.Context(), w.as("steward"), w.source, source.SuspendSource{Reason: "wrong values"}))
	away(m, ingest.ErrSuspended, source.SourceSuspended)
	if again := w.take(earlier); !again.Replayed {
		t.Errorf("an answer that was given is not given again: %+v", again)
	}
	w.must(w.commands.Sources.Execute(t.Context(), w.as("steward"), w.source, source.ReinstateSource{Reason: "mended", MaxRatePerMin: 3}))
	if a := w.take(m); statuses(a) != "recorded" || a.Replayed {
		t.Errorf("%+v", a)
	}
	for n := range 2 {
		w.take(w.message(fmt.Sprint("m", n), w.item(0, 2020, `1`)))
	}
	away(w.message("fast", w.item(0, 2021, `1`)), ingest.ErrRate, source.RateExceeded)
	if a := w.take(w.message("fast", w.item(0, 2021, `1`))); statuses(a) != "recorded" && statuses(a) != "unchanged" {
		t.Errorf("%+v", a)
	}
}

// A message in a queue of ours is never lost: what cannot be believed is kept as
// evidence, and takes no id away from the source.
func TestStrangersInTheQueue(t *testing.T) {
	w := newWorld(t)
	public := w.source
	w.source = uuid.New()
	w.registerAMQP()
	defer func() { w.source = public }()
	queued := func(id, body string) ingest.Message {
		m := w.message(id, body)
		m.Kind, m.Channel = ingest.AMQP, "strata.ingest."+w.source.String()
		return m
	}
	good := w.item(1, 2020, `1`)
	unsigned := queued("m", good)
	unsigned.Signature = "x"
	for name, c := range map[string]struct {
		m    ingest.Message
		code string
	}{
		"not signed": {unsigned, source.BadSignature},
		"no id":      {queued("", good), source.Malformed},
		"nothing":    {queued("", ""), source.Malformed},
		"too large":  {queued("large", strings.Repeat(" ", ingest.MaxBody)+good), source.MessageTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			before := w.head()
			a, err := w.intake.Take(t.Context(), c.m)
			if err == nil || !a.Settled || a.Code != c.code || (a.EvidenceID == "") != (len(c.m.Body) == 0) {
				t.Fatalf("%+v, %v", a, err)
			}
			after := w.head()
			if _, err := w.intake.Take(t.Context(), c.m); err == nil || after == before || w.head() != after {
				t.Errorf("%v; %d events, then %d", err, after-before, w.head()-after)
			}
		})
	}
	if w.inbox.Len(w.source) != 0 {
		t.Error("a stranger has settled a message")
	}
	if a := w.take(queued("m", good)); statuses(a) != "recorded" {
		t.Errorf("%+v", a)
	}
}

// From its queue a source that is too fast is slowed down, and nothing of it is refused.
func TestTheQueueOfAFastSourceWaits(t *testing.T) {
	w := newWorldOf(t, 2, 600)
	w.source = uuid.New()
	w.registerAMQP()
	w.terms(source.ReinstateSource{MaxRatePerMin: 1})
	queued := func(id string) ingest.Message {
		m := w.message(id, w.item(0, 2020, `1`))
		m.Kind, m.Channel = ingest.AMQP, "strata.ingest."+w.source.String()
		return m
	}
	w.take(queued("m-1"))
	head := w.head()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if a, err := w.intake.Take(ctx, queued("m-2")); a.Settled || !errors.Is(err, ingest.ErrRate) || w.head() != head {
		t.Errorf("%+v, %v, %d more events", a, err, w.head()-head)
	}
	w.terms(source.ReinstateSource{MaxRatePerMin: 60000})
	if a := w.take(queued("m-2")); statuses(a) != "unchanged" {
		t.Errorf("%+v", a)
	}
}

// Suspended by somebody whom this process has not heard of yet: the message is
// not settled, and waits.
func TestSuspendedMeanwhile(t *testing.T) {
	w := newWorld(t)
	w.take(w.message("m-1", w.item(0, 2020, `1`)))
	elsewhere := command.New(command.Options{Log: w.log, Imports: w.store})
	w.must(elsewhere.Sources.Execute(t.Context(), w.as("steward"), w.source, source.SuspendSource{Reason: "wrong values"}))
	// Refused for another reason first, it is decided on what the log says now.
	a, err := w.intake.Take(t.Context(), w.message("m-2", list(w.item(0, 2020, `1`), w.item(1, 2199, `1`))))
	if a.Settled || !errors.Is(err, ingest.ErrSuspended) {
		t.Fatalf("%+v, %v", a, err)
	}
	w.must(elsewhere.Sources.Execute(t.Context(), w.as("steward"), w.source, source.ReinstateSource{Reason: "mended"}))
	w.restart()
	if a := w.take(w.message("m-2", list(w.item(0, 2020, `1`), w.item(1, 2199, `1`)))); statuses(a) != "unchanged period_in_future" || a.Replayed {
		t.Errorf("%+v", a)
	}
}

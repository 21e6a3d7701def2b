package ingest_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"strata.dev/strata/app/command"
	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/app/ingest"
	"strata.dev/strata/domain/indicator"
	"strata.dev/strata/domain/source"
)

const y2020, y2021 = "2020-01-01/2020-12-31", "2021-01-01/2021-12-31"

func statuses(a ingest.Answer) string {
	var all []string
	for _, i := range a.Items {
		s := string(i.Status)
		if i.Code != "" {
			s = i.Code
		}
		all = append(all, s)
	}
	return strings.Join(all, " ")
}

// The three effects: a new value, another value, the same value; each with who
// said so and by which message.
func TestMeasurementsOfASource(t *testing.T) {
	w := newWorld(t)
	first := w.take(w.message("m-1", list(
		item("un.8.1.1", 2020, `"value":5.90`, `"unit":"percent"`, `"observedAt":"2021-02-03T04:05:06Z"`, `"externalRef":"row 7"`, `"sequence":"7"`),
		w.item(1, 2020, `"3.1"`, `"dims":{"sex":"female"}`, `"note":"provisional"`),
		w.item(1, 2021, `12345678901234567890.123456789`),
		item(w.indicators[2].String(), 2020, `"descriptor":"suppressed"`))))
	if statuses(first) != "recorded recorded recorded recorded" || first.Recorded != 4 || first.Replayed || first.Position != w.head() {
		t.Fatalf("%+v", first)
	}
	if diff := cmp.Diff(map[string]string{y2020: "5.90"}, w.live(0)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[string]string{y2020 + `|"sex"="female"`: "3.1", y2021: "12345678901234567890.123456789"}, w.live(1)); diff != "" {
		t.Error(diff)
	}
	bodies, metadata := w.recorded("indicator-" + w.indicators[0].String())
	m, e := metadata[len(metadata)-1], bodies[len(bodies)-1].(indicator.MeasurementRecorded)
	wantOrigin := eventlog.Origin{Kind: "api", SourceID: w.source.String(), MessageID: "m-1", Channel: "http", PayloadSHA256: first.SHA256, Sequence: 7}
	if m.Actor.Kind != eventlog.SourceSystem || m.Actor.ID != w.source.String() || m.Origin != wantOrigin {
		t.Errorf("%+v", m)
	}
	if e.ExternalRef != "row 7" || e.ObservedAt == nil || e.MeasurementID != first.Items[0].MeasurementID {
		t.Errorf("%+v", e)
	}

	before := w.head()
	second := w.take(w.message("m-2", list(
		w.item(0, 2020, `5.9`),
		w.item(1, 2020, `3.2`, `"dims":{"sex":"female"}`),
		item(w.indicators[2].String(), 2020, `"value":"1e1"`))))
	if statuses(second) != "unchanged corrected corrected" || second.Unchanged != 1 || second.Corrected != 2 || w.head() != before+2 {
		t.Fatalf("%+v, %d events", second, w.head()-before)
	}
	if second.Items[0].MeasurementID != first.Items[0].MeasurementID || second.Items[0].EventID != "" {
		t.Errorf("%+v", second.Items[0])
	}
	bodies, metadata = w.recorded("indicator-" + w.indicators[2].String())
	c := bodies[len(bodies)-1].(indicator.MeasurementCorrected)
	if c.Reason != indicator.SourceRestated || c.New.OriginalText != "1e1" || metadata[len(metadata)-1].Reason != indicator.SourceRestated {
		t.Errorf("%+v", c)
	}
	if all, _ := w.rejections(); len(all) != 0 || w.inbox.Len(w.source) != 2 {
		t.Errorf("%v, %d", all, w.inbox.Len(w.source))
	}
}

func TestTheSameMessageGetsTheSameAnswer(t *testing.T) {
	w := newWorld(t)
	m := w.message("m-1", list(w.item(0, 2020, `1`), w.item(1, 2020, `"n/a"`), w.item(3, 2020, `1`)))
	first := w.take(m)
	if statuses(first) != "recorded not_a_number not_allowed" {
		t.Fatalf("%+v", first)
	}
	head := w.head()
	w.take(w.message("m-2", w.item(0, 2020, `2`)))
	w.restart()
	again := w.take(m)
	first.Replayed = true
	if diff := cmp.Diff(first, again); diff != "" || w.head() != head+1 {
		t.Errorf("%d more events (-first +again):\n%s", w.head()-head, diff)
	}
	if w.live(0)[y2020] != "2" {
		t.Errorf("an old message undid a newer one: %v", w.live(0))
	}

	// The same id with another body is refused, and kept; the first answer stays.
	a, err := w.intake.Take(t.Context(), w.message("m-1", w.item(0, 2020, `3`)))
	if !errors.Is(err, ingest.ErrConflict) || !a.Settled || a.Code != source.MessageConflict {
		t.Fatalf("%+v, %v", a, err)
	}
	head = w.head()
	b, err := w.intake.Take(t.Context(), w.message("m-1", w.item(0, 2020, `3`)))
	if !errors.Is(err, ingest.ErrConflict) || w.head() != head || b.EvidenceID != a.EvidenceID {
		t.Errorf("%+v, %v, %d more events", b, err, w.head()-head)
	}
	if again := w.take(m); cmp.Diff(first, again) != "" || w.live(0)[y2020] != "2" {
		t.Errorf("%+v", again)
	}
}

// What is refused is kept, byte for byte, and the source's stream says why: by
// the process that refused it, not by the source.
func TestRefusedBytesAreEvidence(t *testing.T) {
	w := newWorld(t)
	m := w.message("m-1", list(w.item(0, 2020, `1`), w.item(0, 2021, `"redesigned income questions"`), item("nobody", 2020, `"value":1`)))
	a := w.take(m)
	all, metadata := w.rejections()
	if len(all) != 2 {
		t.Fatalf("%+v", all)
	}
	want := source.IngestRejected{
		MessageID: all[0].MessageID, PayloadSHA256: a.SHA256, Size: len(m.Body), Code: source.NotANumber, SourceMessageID: "m-1",
		Detail: a.Items[1].Detail, EvidenceID: a.EvidenceID, IndicatorRef: w.indicators[0].String(), Item: 2,
	}
	if diff := cmp.Diff(want, all[0]); diff != "" {
		t.Error(diff)
	}
	if all[1].Code != source.UnknownIndicator || all[1].Item != 3 || all[1].IndicatorRef != "nobody" {
		t.Errorf("%+v", all[1])
	}
	if by := metadata[0]; by.Actor.Kind != eventlog.SystemProcess || by.Actor.ID != ingest.Process || by.Origin.MessageID != "m-1" || metadata[0].CommandID != metadata[1].CommandID {
		t.Errorf("%+v", by)
	}
	bytes, media, err := w.commands.Evidence.Content(t.Context(), command.ProcessPrincipal(w.org, "test"), parseID(t, a.EvidenceID))
	if err != nil || string(bytes) != string(m.Body) || media != "application/octet-stream" {
		t.Errorf("%q, %s, %v", bytes, media, err)
	}
}

package plansdb

import (
	"cmp"
	"encoding/json"
	"slices"

	"strata.dev/strata/app/query"
	"strata.dev/strata/domain/calendar"
)

// Kinds of points.
const (
	targetKind      = "target"
	measurementKind = "measurement"
)

// seriesKey is the order of a series.
type seriesKey struct{ Start, End, Dims, Kind, ID string }

func (k seriesKey) compare(o seriesKey) int {
	return cmp.Or(cmp.Compare(k.Start, o.Start), cmp.Compare(k.End, o.End), cmp.Compare(k.Dims, o.Dims),
		cmp.Compare(k.Kind, o.Kind), cmp.Compare(k.ID, o.ID))
}

// seriesPage is what a page of a series is about: the filter, and its ends.
type seriesPage struct {
	filter query.SeriesFilter
	dims   string // dimsKey of filter.Dims
	limit  int
	cut    int64 // points that came later are on no page; 0 on the first page
	after  seriesKey
}

func newSeriesPage(f query.SeriesFilter, asOf query.Moment) (*seriesPage, error) {
	limit, err := f.Size()
	if err != nil {
		return nil, err
	}
	for member, date := range map[string]string{"from": f.From, "to": f.To} {
		if date != "" && !calendar.Date(date).Valid() {
			return nil, query.ErrInvalid.Detailf("%s is not a day.", member).At("#/"+member, "format", "must be YYYY-MM-DD")
		}
	}
	switch f.Kind {
	case "", targetKind, measurementKind:
	default:
		return nil, query.ErrInvalid.Detailf("There is no such kind.").At("#/kind", "enum", "must be target or measurement")
	}
	p := &seriesPage{filter: f, dims: dimsKey(f.Dims), limit: limit}
	if f.Cursor == "" {
		return p, nil
	}
	var key string
	if p.cut, key, err = query.DecodeCursor(f, asOf, f.Cursor); err != nil {
		return nil, err
	}
	if err := json.Unmarshal([]byte(key), &p.after); err != nil || p.cut <= 0 {
		return nil, query.ErrInvalidCursor.Because(err)
	}
	return p, nil
}

// takes says whether a point is in the list at all, on whatever page.
func (p *seriesPage) takes(k seriesKey, first int64, void bool) bool {
	f := p.filter
	return first <= p.cut && (!void || f.Voided) && (f.Kind == "" || f.Kind == k.Kind) && (len(f.Dims) == 0 || k.Dims == p.dims) &&
		(f.From == "" || k.End >= f.From) && (f.To == "" || k.Start <= f.To)
}

// seriesPoint is a point and its place.
type seriesPoint struct {
	key   seriesKey
	point query.SeriesPoint
}

// fill puts the page's points, and one more if there is one, into an answer.
// They come in any order.
func (p *seriesPage) fill(answer *query.Series, points []seriesPoint, asOf query.Moment) error {
	slices.SortFunc(points, func(a, b seriesPoint) int { return a.key.compare(b.key) })
	more := len(points) > p.limit
	points = points[:min(len(points), p.limit)]
	answer.Items = make([]query.SeriesPoint, len(points))
	for i, q := range points {
		answer.Items[i] = q.point
	}
	if !more {
		return nil
	}
	key, err := json.Marshal(points[len(points)-1].key)
	if err != nil {
		return err
	}
	answer.NextCursor, err = query.EncodeCursor(p.filter, asOf, p.cut, string(key))
	return err
}

func (row *indicatorRow) series(position int64) query.Series {
	return query.Series{
		IndicatorID: row.id, Name: row.definition.Name, Unit: row.definition.Unit, Breaks: append([]query.Break{}, row.breaks...),
		Items: []query.SeriesPoint{}, Version: row.version, Position: position,
	}
}

func (t *targetRow) key() seriesKey {
	return seriesKey{string(t.start), string(t.end), t.dimsKey, targetKind, ""}
}

func (m *measurementRow) key() seriesKey {
	return seriesKey{string(m.start), string(m.end), m.dimsKey, measurementKind, m.id}
}

func (t *targetRow) point() seriesPoint {
	return seriesPoint{
		key: t.key(),
		point: query.SeriesPoint{
			Kind: targetKind, Point: query.Point{Period: calendar.Period{Start: t.start, End: t.end}, Dims: t.dims, Reading: t.reading},
			Note: t.note, Source: t.origin, Corrections: int(t.changes), Former: t.former, Epoch: int(t.epoch),
			RecordedAt: t.setAt.UTC(), RecordedBy: t.setBy,
		},
	}
}

func (m *measurementRow) point() seriesPoint {
	p := seriesPoint{
		key: m.key(),
		point: query.SeriesPoint{
			Kind: measurementKind, Point: query.Point{Period: calendar.Period{Start: m.start, End: m.end}, Dims: m.dims, Reading: m.reading},
			MeasurementID: m.id, Note: m.note, ObservedAt: m.observedAt, ExternalRef: m.externalRef, Source: m.origin,
			Corrections: int(m.corrections), Former: m.former, Epoch: int(m.epoch), RecordedAt: m.recordedAt.UTC(), RecordedBy: m.recordedBy,
		},
	}
	if m.void {
		p.point.Void = &query.Void{By: m.voidedBy, Reason: m.voidReason}
		if m.voidedAt != nil {
			p.point.Void.At = m.voidedAt.UTC()
		}
	}
	return p
}

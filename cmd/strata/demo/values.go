package demo

import (
	"context"
	"fmt"
)

// aim sets what the Agenda wants to be reached, where it names a number.
func (l *loading) aim(ctx context.Context, i Indicator) error {
	a := aims[i.Number]
	if a.value == "" {
		return nil
	}
	start, end := i.Measured.adopted()
	return l.post(ctx, "sam", "aim "+i.Number, "/v1/indicators/"+l.indicators[i.Number]+"/commands/set-target", map[string]any{
		"period": map[string]string{"start": start, "end": end}, "value": a.value, "reason": a.why,
		"note": "Set for the time of adoption, so that every value since is measured against it.",
	}, nil)
}

// batchSize is how many values go into one request: as many as it takes
// without the progress standing still.
const batchSize = 500

// batches are the values to record, as items of POST /v1/measurements. The
// indicators' ids are filled in when they are known.
func (l *loading) batches() (all [][]item) {
	var batch []item
	for _, i := range l.agenda.Indicators {
		if i.Measured == nil {
			continue
		}
		for _, r := range i.Measured.Rows {
			if batch = append(batch, item{l.indicators[i.Number], r.measurement()}); len(batch) == batchSize {
				all, batch = append(all, batch), nil
			}
		}
	}
	if len(batch) > 0 {
		all = append(all, batch)
	}
	return all
}

type item struct {
	IndicatorID string         `json:"indicatorId"`
	Record      map[string]any `json:"record"`
}

func (r Row) measurement() map[string]any {
	m := map[string]any{"period": map[string]string{"start": r.Start, "end": r.End}, "externalRef": "ONSdigital/sdg-data@b68b9d92341d"}
	if len(r.Dims) > 0 {
		m["dims"] = r.Dims
	}
	switch {
	case r.Value != "":
		m["value"] = r.Value
		if r.Status != "" {
			m["note"] = r.Status
		}
	case r.Status != "":
		m["descriptor"] = r.Status
	default:
		m["descriptor"] = "Not available"
	}
	return m
}

// measure records the values.
func (l *loading) measure(ctx context.Context) error {
	for n, batch := range l.batches() {
		var answer struct {
			Refused int
			Items   []struct {
				Index   int
				Problem *struct{ Title, Detail, Rule string }
			}
		}
		if err := l.post(ctx, "ines", fmt.Sprintf("values %d", n), "/v1/measurements", map[string]any{"items": batch}, &answer); err != nil {
			return err
		}
		for _, i := range answer.Items {
			if p := i.Problem; p != nil {
				return fmt.Errorf("%d of %d values were refused, the first is %v: %s %s [%s]", answer.Refused, len(batch), batch[i.Index], p.Title, p.Detail, p.Rule)
			}
		}
		l.step("values")
	}
	return nil
}

// approval is how the draft comes into force, after its submission.
var approval = []struct{ who, command, meaning string }{
	{"priya", "approve", "business"},
	{"casey", "approve", "compliance"},
	{"casey", "activate", "activation"},
}

// approve submits the plan and takes it into force. Who signs has read what was submitted.
func (l *loading) approve(ctx context.Context) error {
	path := "/v1/strategies/" + l.result.Strategy
	err := l.post(ctx, "sam", "submit", path+"/commands/submit", map[string]string{"summary": "The Agenda as it was adopted, and what was measured until 2023."}, nil)
	if err != nil {
		return err
	}
	var read struct{ Working struct{ ContentHash string } }
	for _, s := range approval {
		if read.Working.ContentHash == "" {
			if err := l.people[s.who].get(ctx, path, l.position, &read); err != nil {
				return err
			}
		}
		err := l.post(ctx, s.who, s.command+" "+s.who, path+"/commands/"+s.command,
			map[string]string{"contentHash": read.Working.ContentHash, "meaning": s.meaning}, nil)
		if err != nil {
			return err
		}
		l.step("approval")
	}
	return l.people["vera"].get(ctx, path, l.position, &read)
}

package command_test

import (
	"strconv"
	"testing"

	"github.com/google/uuid"

	"strata.dev/strata/domain/indicator"
)

// BenchmarkCommand is what one usual command costs beside the log: who asks,
// decide, encode, fold.
func BenchmarkCommand(b *testing.B) {
	w := newWorld(b)
	id, _, objective := w.draft()
	b.ReportAllocs()
	const periods = 50 // of one indicator
	var score uuid.UUID
	for i := 0; b.Loop(); i++ {
		if i%periods == 0 {
			score = uuid.New()
			w.must(w.commands.Indicators.Execute(b.Context(), w.as("author"), score, yearly(objective, id)))
		}
		period := target(strconv.Itoa(1900+i%periods), "1").Period
		w.must(w.commands.Indicators.Execute(b.Context(), w.as("owner"), score, indicator.RecordMeasurement{
			MeasurementID: uuid.NewString(), Period: period, Value: indicator.Stated{Number: "5.90"},
		}))
	}
}

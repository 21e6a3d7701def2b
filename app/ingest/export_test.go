package ingest

// Reading is what a parsed measurement says, for tests.
type Reading struct{ Ref, Number, Descriptor, Code string }

// Parse reads a body.
func Parse(body []byte) ([]Reading, error) {
	all, err := parse(body)
	var readings []Reading
	for _, r := range all {
		readings = append(readings, Reading{r.ref, r.value.Number, r.value.Descriptor, r.code})
	}
	return readings, err
}

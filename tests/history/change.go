package history

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"os"
	"time"
)

// Change is one accepted change of the published table of one indicator.
type Change struct {
	Commit     string    `json:"commit"`
	AcceptedAt time.Time `json:"acceptedAt"`
	Author     string    `json:"author"`
	AcceptedBy string    `json:"acceptedBy"` // "" = nobody did; the author's name = they did it themselves
	Indicator  string    `json:"indicator"`  // "8.5.2"
	Kind       string    `json:"kind"`
	Dims       []string  `json:"dims"` // columns that identify a row, the year among them
	RowsAfter  int       `json:"rowsAfter"`

	Removed []Row      `json:"removed"`
	Changed []Restated `json:"changed"`
	Added   []Row      `json:"added"`
}

// Row is one line of a published table: its key columns and the published text.
type Row struct {
	Key  map[string]string `json:"k"`
	Text string            `json:"v"`
}

// Restated is a row whose published text changed.
type Restated struct {
	Key map[string]string `json:"k"`
	Old string            `json:"old"`
	New string            `json:"new"`
}

// Operations is how many rows the change touches.
func (c Change) Operations() int { return len(c.Removed) + len(c.Changed) + len(c.Added) }

// ReadChanges reads gzipped JSON lines, oldest change first.
func ReadChanges(path string) ([]Change, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	var all []Change
	lines := bufio.NewScanner(z)
	lines.Buffer(nil, 4<<20)
	for lines.Scan() {
		var c Change
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			return nil, fmt.Errorf("%s: change %d: %w", path, len(all)+1, err)
		}
		all = append(all, c)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("%s: after change %d: %w", path, len(all), err)
	}
	return all, nil
}

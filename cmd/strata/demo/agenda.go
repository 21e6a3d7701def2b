package demo

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"encoding/json"
	"fmt"
)

// Agenda is the plan, and what was measured.
type Agenda struct {
	Goals      []Goal      `json:"goals"`
	Targets    []Target    `json:"targets"`
	Indicators []Indicator `json:"indicators"`
}

// Goal is one of the 17.
type Goal struct {
	Number string `json:"number"` // "17"
	Name   string `json:"name"`
	Title  string `json:"title"`
}

// Target is what Strata calls an objective.
type Target struct {
	Number string `json:"number"` // "17.2"
	Title  string `json:"title"`
}

// Indicator is how a target is measured.
type Indicator struct {
	Number   string    `json:"number"` // "17.2.1"
	Title    string    `json:"title"`
	Measured *Measured `json:"measured,omitempty"` // nil: no British data here
}

// Measured is what the United Kingdom published for an indicator.
type Measured struct {
	Name       string            `json:"name"` // of what is measured there, which may differ from the title
	Source     string            `json:"source"`
	Unit       string            `json:"unit"`
	Frequency  string            `json:"frequency"`
	YearStart  int               `json:"yearStart,omitempty"`
	Dimensions []string          `json:"dimensions,omitempty"`
	Plain      map[string]string `json:"plain,omitempty"` // what the series without dimensions is, in the table's words
	Rows       []Row             `json:"rows"`
}

// Row is one published value.
type Row struct {
	Start  string            `json:"s"`
	End    string            `json:"e"`
	Dims   map[string]string `json:"d,omitempty"`
	Value  string            `json:"v,omitempty"` // as published; "" where there is none
	Status string            `json:"o,omitempty"` // observation status, if it is not the normal one
}

//go:embed agenda.json.gz
var embedded []byte

// Embedded reads the agenda that comes with the program.
func Embedded() (Agenda, error) {
	a, err := Unpack(embedded)
	if err != nil {
		return Agenda{}, fmt.Errorf("the embedded agenda: %w", err)
	}
	return a, nil
}

// Unpack reads what Pack wrote.
func Unpack(packed []byte) (a Agenda, err error) {
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return a, err
	}
	return a, json.NewDecoder(z).Decode(&a)
}

// Pack writes an agenda as it is embedded.
func Pack(a Agenda) ([]byte, error) {
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if err := json.NewEncoder(z).Encode(a); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

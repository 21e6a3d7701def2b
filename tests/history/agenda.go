package history

import (
	"bytes"
	"cmp"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"strata.dev/strata/cmd/strata/demo"
)

// BuildAgenda makes the demo's agenda of the published files in dir: the texts
// of the United Nations' framework (global), and the United Kingdom's tables and
// their metadata (uk/current, uk/meta).
func BuildAgenda(dir string) (demo.Agenda, error) {
	var a demo.Agenda
	texts := map[string]map[string]string{}
	for _, kind := range []string{"goals", "targets", "indicators"} {
		body, err := os.ReadFile(filepath.Join(dir, "global", "global_"+kind+".yml"))
		if err != nil {
			return a, err
		}
		all := map[string]string{}
		if err := yaml.Unmarshal(body, &all); err != nil {
			return a, fmt.Errorf("%s: %w", kind, err)
		}
		texts[kind] = all
	}
	for _, number := range numbers(texts["goals"]) {
		key := strings.ReplaceAll(number, ".", "-")
		a.Goals = append(a.Goals, demo.Goal{Number: number, Name: texts["goals"][key+"-short"], Title: texts["goals"][key+"-title"]})
	}
	for _, number := range numbers(texts["targets"]) {
		a.Targets = append(a.Targets, demo.Target{Number: number, Title: texts["targets"][strings.ReplaceAll(number, ".", "-")+"-title"]})
	}
	for _, number := range numbers(texts["indicators"]) {
		key := strings.ReplaceAll(number, ".", "-")
		m, err := measured(dir, key)
		if err != nil {
			return a, fmt.Errorf("indicator %s: %w", number, err)
		}
		a.Indicators = append(a.Indicators, demo.Indicator{Number: number, Title: texts["indicators"][key+"-title"], Measured: m})
	}
	return a, nil
}

// numbers are the numbers of elements, in the order of the framework: digits
// before letters, 2 before 10.
func numbers(texts map[string]string) (all []string) {
	for key := range texts {
		if number, ok := strings.CutSuffix(key, "-title"); ok {
			all = append(all, strings.ReplaceAll(number, "-", "."))
		}
	}
	slices.SortFunc(all, func(a, b string) int { return slices.Compare(ordinals(a), ordinals(b)) })
	return all
}

func ordinals(number string) (all []int) {
	for part := range strings.SplitSeq(number, ".") {
		n := 0
		if _, err := fmt.Sscan(part, &n); err != nil {
			n = 1_000 + int(part[0])
		}
		all = append(all, n)
	}
	return all
}

// bookkeeping are the columns that describe a value and do not identify it.
var bookkeeping = []string{"Year", "Value", "Observation status", "Unit multiplier", "GeoCode"}

var normal = regexp.MustCompile(`^(?i:normal value|undefined|)$`)

// measured reads the table of an indicator and its metadata; nil if there is none.
func measured(dir, key string) (*demo.Measured, error) {
	body, err := os.ReadFile(filepath.Join(dir, "uk", "current", "indicator_"+key+".csv"))
	if os.IsNotExist(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	in := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(body, []byte("\ufeff"))))
	lines, err := in.ReadAll()
	if err != nil {
		return nil, err
	}
	about, err := metadata(filepath.Join(dir, "uk", "meta", key+".md"))
	if err != nil {
		return nil, err
	}
	t := table{header: lines[0]}
	for _, line := range lines[1:] {
		t.add(line)
	}
	m := &demo.Measured{Name: about["indicator_available"], Source: about["source_organisation_1"], Dimensions: t.dimensions(), Rows: t.rows()}
	m.Frequency, m.YearStart = frequency(m.Rows)
	m.Plain = maps.Clone(headline(m.Rows)) // rows lose it below
	m.Unit = cmp.Or(t.unit(m.Plain), about["computation_units"])
	return m, t.plain(m)
}

// plain makes the headline the series without dimensions: it takes what the
// headline has out of the dimensions of every row that shares it. That tells all
// rows apart as before where every row of the table has a value in that column.
func (t *table) plain(m *demo.Measured) error {
	for name, text := range m.Plain {
		if slices.ContainsFunc(t.lines, func(line map[string]string) bool { return line[name] == "" }) {
			return fmt.Errorf("the headline is %s = %q, and some rows have no %[1]s", name, text)
		}
		for _, r := range m.Rows {
			if r.Dims[name] == text {
				delete(r.Dims, name)
			}
		}
	}
	return nil
}

// metadata reads the front matter of a page.
func metadata(path string) (map[string]string, error) {
	body, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	front := strings.TrimPrefix(strings.TrimSpace(string(body)), "---")
	front, _, _ = strings.Cut(front, "\n---")
	var fields map[string]any
	if err := yaml.Unmarshal([]byte(front), &fields); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	texts := map[string]string{}
	for name, v := range fields {
		if s, ok := v.(string); ok {
			texts[name] = strings.TrimSpace(s)
		}
	}
	return texts, nil
}

// table is a published table, by column.
type table struct {
	header []string
	lines  []map[string]string
}

func (t *table) add(line []string) {
	row := map[string]string{}
	for i, text := range line {
		row[t.header[i]] = strings.TrimSpace(text)
	}
	t.lines = append(t.lines, row)
}

// dimensions are the columns that tell rows apart.
func (t *table) dimensions() (names []string) {
	for _, name := range t.header {
		if slices.Contains(bookkeeping, name) {
			continue
		}
		if slices.ContainsFunc(t.lines, func(row map[string]string) bool { return row[name] != t.lines[0][name] }) {
			names = append(names, name)
		}
	}
	return names
}

// rows are the values. Of a key that is there twice the last one counts, as on
// the publisher's site.
func (t *table) rows() []demo.Row {
	var all []demo.Row
	at := map[string]int{}
	names := t.dimensions()
	for _, line := range t.lines {
		period, ok := periodOf(line["Year"])
		if line["Year"] == "17 May to 11 June 2023" {
			period, ok = Period{"2023-05-17", "2023-06-11"}, true
		}
		if !ok {
			continue
		}
		r := demo.Row{Start: period.Start, End: period.End, Dims: map[string]string{}, Value: line["Value"]}
		for _, name := range names {
			if line[name] != "" {
				r.Dims[name] = line[name]
			}
		}
		if status := line["Observation status"]; !normal.MatchString(status) {
			r.Status = status
		}
		key := Place{period, r.Dims}.Key()
		if i, twice := at[key]; twice {
			all[i] = r
			continue
		}
		at[key] = len(all)
		all = append(all, r)
	}
	slices.SortStableFunc(all, func(a, b demo.Row) int { return cmp.Or(cmp.Compare(a.End, b.End), cmp.Compare(a.Start, b.Start)) })
	return all
}

// unit is what the headline is measured in.
func (t *table) unit(headline map[string]string) string {
	for _, line := range t.lines {
		fits := true
		for name, text := range headline {
			fits = fits && line[name] == text
		}
		if !fits {
			continue
		}
		unit := cmp.Or(line["Unit measure"], line["Units"])
		if unit == "Units" {
			unit = line["Units"]
		}
		switch multiplier := line["Unit multiplier"]; {
		case multiplier == "", multiplier == "Unit", multiplier == "Units", strings.Contains(strings.ToLower(unit), strings.ToLower(multiplier)):
			return unit
		default:
			return multiplier + ", " + unit
		}
	}
	return ""
}

// frequency is the grid that the periods lie on.
func frequency(rows []demo.Row) (string, int) {
	grids := map[string]int{}
	for _, r := range rows {
		switch {
		case r.Start[5:] == "01-01" && r.End == r.Start[:4]+"-12-31":
			grids["year"]++
		case r.Start[5:] == "04-01" && r.End[5:] == "03-31" && ordinals(r.End[:4])[0] == ordinals(r.Start[:4])[0]+1:
			grids["financial"]++
		case months(r.Start[:4], ordinals(strings.TrimPrefix(r.Start[5:7], "0"))[0], 3) == Period{r.Start, r.End}:
			grids["quarter"]++
		default:
			grids["other"]++
		}
	}
	switch len(rows) {
	case grids["year"]:
		return "year", 0
	case grids["financial"]:
		return "year", 4
	case grids["quarter"]:
		return "quarter", 0
	}
	return "irregular", 0
}

// headline is the series with the fewest dimensions, of these the longest, of
// these the one that comes first.
func headline(rows []demo.Row) map[string]string {
	type series struct {
		dims          map[string]string
		first, length int
	}
	all := map[string]*series{}
	for i, r := range rows {
		key, err := json.Marshal(r.Dims)
		if err != nil {
			panic(fmt.Sprintf("history: texts cannot be written: %v", err))
		}
		if all[string(key)] == nil {
			all[string(key)] = &series{dims: r.Dims, first: i}
		}
		all[string(key)].length++
	}
	best := slices.MinFunc(slices.Collect(maps.Values(all)), func(a, b *series) int {
		return cmp.Or(cmp.Compare(len(a.dims), len(b.dims)), cmp.Compare(b.length, a.length), cmp.Compare(a.first, b.first))
	})
	return best.dims
}

package stratml_test

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"strata.dev/strata/adapters/stratml"
	document "strata.dev/strata/app/stratml"
)

// T11: the 2030 Agenda as one strategy.
func (w world) agenda(t *testing.T) {
	got := w.imports(t, agendaDocument(t), nil)
	if got.Recorded.Goals != 17 || got.Recorded.Objectives != 169 || got.Recorded.Indicators != 252 {
		t.Errorf("recorded %+v, want 17 goals, 169 targets as objectives, 252 indicators", got.Recorded)
	}
	if len(got.DeviationCounts) != 0 || len(got.Omitted) != 0 {
		t.Errorf("deviations %v, omitted %v", got.DeviationCounts, got.Omitted)
	}
	exported := w.export(t, "/v1/strategies/"+got.StrategyID+"/stratml")
	valid(t, exported.Body, 2)
	if n := strings.Count(string(exported.Body), "<PerformanceIndicator "); n != 252 {
		t.Errorf("%d indicators exported", n)
	}
}

// agendaDocument is the framework of the United Nations as a document.
func agendaDocument(t *testing.T) []byte {
	t.Helper()
	goals, targets, indicators := titles(t, "goals"), titles(t, "targets"), titles(t, "indicators")
	doc := &document.Document{Part: document.Part2, Type: document.StrategicPlan, Name: "2030 Agenda for Sustainable Development"}
	for _, g := range sorted(goals) {
		goal := document.Goal{Name: goals[g], Identifier: "goal-" + g, Sequence: g}
		for _, o := range sorted(targets) {
			if !strings.HasPrefix(o, g+"-") {
				continue
			}
			objective := document.Objective{Name: dotted(o), Description: targets[o], Identifier: "target-" + o, Sequence: dotted(o)}
			for _, i := range sorted(indicators) {
				if strings.HasPrefix(i, o+"-") {
					objective.Indicators = append(objective.Indicators, document.Indicator{
						Dimension: indicators[i], Unit: document.UnspecifiedUnit, Identifier: "indicator-" + i, Sequence: dotted(i),
					})
				}
			}
			goal.Objectives = append(goal.Objectives, objective)
		}
		doc.Goals = append(doc.Goals, goal)
	}
	b, err := stratml.Writer{}.Write(doc, document.Part2)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func dotted(id string) string { return strings.ReplaceAll(id, "-", ".") }

// titles reads one of the translation files: "1-a-2-title: text", where the text
// may be quoted and go on in indented lines.
func titles(t *testing.T, of string) map[string]string {
	t.Helper()
	lines := strings.Split(string(shared(t, "sdg/global/global_"+of+".yml")), "\n")
	all, key := map[string]string{}, ""
	for _, line := range lines {
		name, text, found := strings.Cut(line, ": ")
		switch {
		case strings.HasPrefix(line, " ") && key != "":
			all[key] += " " + strings.TrimSpace(line)
		case found && strings.HasSuffix(name, "-title"):
			key = strings.TrimSuffix(name, "-title")
			all[key] = strings.TrimSpace(text)
		default:
			key = ""
		}
	}
	for k, v := range all {
		all[k] = strings.Trim(v, `'"`)
	}
	return all
}

// sorted orders "2-1" before "10-1", and numbers before letters.
func sorted(m map[string]string) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b string) int {
		x, y := strings.Split(a, "-"), strings.Split(b, "-")
		for i := range min(len(x), len(y)) {
			n, errN := strconv.Atoi(x[i])
			m, errM := strconv.Atoi(y[i])
			switch {
			case errN == nil && errM == nil && n != m:
				return n - m
			case errN == nil && errM != nil:
				return -1
			case errN != nil && errM == nil:
				return 1
			case x[i] != y[i]:
				return strings.Compare(x[i], y[i])
			}
		}
		return cmp.Compare(len(x), len(y))
	})
	return keys
}

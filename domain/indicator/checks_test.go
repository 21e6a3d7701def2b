package indicator_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"strata.dev/strata/domain/calendar"
	"strata.dev/strata/domain/fault"
	"strata.dev/strata/domain/indicator"
)

func TestWhatIsWrongIsSaidWhere(t *testing.T) {
	for want, change := range map[string]func(*indicator.Definition){
		"#/dimensions/0/name minLength": func(d *indicator.Definition) { d.Dimensions = []indicator.Dimension{{}} },
		"#/dimensions/0/values/1 minLength": func(d *indicator.Definition) {
			d.Dimensions = []indicator.Dimension{{Name: "a", Values: []string{"b", ""}}}
		},
		"#/dimensions/0/values maxItems": func(d *indicator.Definition) {
			d.Dimensions = []indicator.Dimension{{Name: "a", Values: make([]string, 2001)}}
		},
		"#/dimensions maxItems":            func(d *indicator.Definition) { d.Dimensions = make([]indicator.Dimension, 51) },
		"#/done/0 pattern":                 func(d *indicator.Definition) { d.Done = []string{"\x00"} },
		"#/done maxItems":                  func(d *indicator.Definition) { d.Done = make([]string, 201) },
		"#/externalRefs/0/sourceId format": func(d *indicator.Definition) { d.ExternalRefs = []indicator.ExternalRef{{SourceID: "a", Ref: "b"}} },
		"#/relationships/0/kind enum":      func(d *indicator.Definition) { d.Relationships = []indicator.Relationship{{Kind: "Cousin_Of"}} },
		"#/relationships/0/referents/0 format": func(d *indicator.Definition) {
			d.Relationships = []indicator.Relationship{{Referents: []string{"\xff"}}}
		},
		"#/relationships/0/referents maxItems": func(d *indicator.Definition) {
			d.Relationships = []indicator.Relationship{{Referents: make([]string, 201)}}
		},
		"#/tolerance/offTrack pattern": func(d *indicator.Definition) { d.Tolerance.OffTrack = "10%" },
		"#/otherInformation maxLength": func(d *indicator.Definition) { d.OtherInformation = strings.Repeat("x", 100_001) },
		"#/identifier maxLength":       func(d *indicator.Definition) { d.Identifier = strings.Repeat("x", 4_001) },
		"#/headline maxProperties": func(d *indicator.Definition) {
			d.Headline = indicator.Dims{}
			for n := range 51 {
				d.Headline[fmt.Sprint(n)] = "x"
			}
		},
		"# maxLength": func(d *indicator.Definition) {
			for range 101 {
				d.Done = append(d.Done, strings.Repeat("x", 4_000))
			}
		},
	} {
		d := scores
		change(&d)
		_, err := indicator.Decide(indicator.State{}, ann, indicator.DefineIndicator{IndicatorID: subject, StrategyID: plan, ObjectiveID: objective, Definition: d})
		var f *fault.Fault
		if !errors.As(err, &f) || len(f.Fields) != 1 || f.Fields[0].Pointer+" "+f.Fields[0].Keyword != want {
			t.Errorf("got %v with %+v, want %s", err, f, want)
		}
	}
}

func TestDigestCoversTheWholeDefinition(t *testing.T) {
	seen := map[string]string{}
	for name, change := range map[string]func(*indicator.Definition){
		"nothing":           func(*indicator.Definition) {},
		"identifier":        func(d *indicator.Definition) { d.Identifier = "x" },
		"sequence":          func(d *indicator.Definition) { d.Sequence = "x" },
		"name":              func(d *indicator.Definition) { d.Name = "x" },
		"unit":              func(d *indicator.Definition) { d.Unit = "x" },
		"type":              func(d *indicator.Definition) { d.Type = indicator.Qualitative },
		"value chain stage": func(d *indicator.Definition) { d.ValueChainStage = "x" },
		"direction":         func(d *indicator.Definition) { d.Direction = indicator.AtMost },
		"frequency":         func(d *indicator.Definition) { d.Frequency = calendar.Month },
		"year start":        func(d *indicator.Definition) { d.YearStart = 7 },
		"dimensions":        func(d *indicator.Definition) { d.Dimensions = []indicator.Dimension{{Name: "x"}} },
		"values of one": func(d *indicator.Definition) {
			d.Dimensions = []indicator.Dimension{{Name: "x", Values: []string{"y"}}}
		},
		"headline":            func(d *indicator.Definition) { d.Headline = indicator.Dims{"x": "y"} },
		"baseline":            func(d *indicator.Definition) { d.Baseline = "1" },
		"done":                func(d *indicator.Definition) { d.Done = []string{"x"} },
		"tolerance at risk":   func(d *indicator.Definition) { d.Tolerance.AtRisk = "0.01" },
		"tolerance off track": func(d *indicator.Definition) { d.Tolerance.OffTrack = "0.2" },
		"owner":               func(d *indicator.Definition) { d.OwnerID = olga.ID },
		"external refs":       func(d *indicator.Definition) { d.ExternalRefs = []indicator.ExternalRef{{SourceID: plan, Ref: "x"}} },
		"relationships":       func(d *indicator.Definition) { d.Relationships = []indicator.Relationship{{Name: "x"}} },
		"other information":   func(d *indicator.Definition) { d.OtherInformation = "x" },
	} {
		d := scores
		change(&d)
		covered := digest(state(defined(d)))
		if other, same := seen[covered]; same {
			t.Errorf("%s and %s have the same digest", name, other)
		}
		seen[covered] = name
	}
}

func TestStateAnswersByKey(t *testing.T) {
	s := state(defined(scores), target(2021, "6"), target(2022, "7"), recorded(m1, 2022, "6"), recorded(m2, 2021, "5"), voided(m2, 2021, "5"))
	if m, ok := s.Live(year(2022), nil); !ok || m.ID != m1 {
		t.Errorf("2022: %+v, %v", m, ok)
	}
	if m, ok := s.Live(year(2021), nil); ok {
		t.Errorf("a voided value lives: %+v", m)
	}
	if all := s.Targets(); len(all) != 2 || all[0].Period != year(2021) || all[1].Value != "7" {
		t.Errorf("targets %+v", all)
	}
}

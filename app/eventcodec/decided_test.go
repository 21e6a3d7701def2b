package eventcodec_test

import (
	"encoding/base64"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"pgregory.net/rapid"

	"strata.dev/strata/app/eventcodec"
	"strata.dev/strata/domain/authz"
	"strata.dev/strata/domain/evidence"
	"strata.dev/strata/domain/fact"
	"strata.dev/strata/domain/fault"
	"strata.dev/strata/domain/finding"
	"strata.dev/strata/domain/indicator"
	"strata.dev/strata/domain/organization"
	"strata.dev/strata/domain/severity"
	"strata.dev/strata/domain/source"
	"strata.dev/strata/domain/strategy"
)

// What commands are filled with: of each kind of value some that fit, and some
// that fit nowhere.
var (
	ids = []string{
		"0198c0de-0000-7000-8000-000000000001", "0198c0de-0000-7000-8000-000000000002", "0198c0de-0000-7000-8000-000000000003",
		"0198c0de-0000-7000-8000-000000000004", "0198c0de-0000-7000-8000-000000000005", "0198c0de-0000-7000-8000-000000000006",
	}
	hashes = []string{strings.Repeat("0a", 32), strings.Repeat("1b", 32), strings.Repeat("2c", 32), strings.Repeat("3d", 32)}
	words  = []string{
		"name", "Courts <&> \u2028 😀", "name", "unit", "direction", "\x00", "\xff", "", "", "", "5.90", "-1e-3", "7", "8", "1e999999999",
		"2022-01-01", "2022-12-31", "year", "irregular", "quantitative", "qualitative", "increase", "milestone", "undefined",
		"person", "service", authz.Author, authz.Viewer, "Organization", "Peer_To", "business", "activation",
	}
)

// fitting is what members of these names are filled with instead.
var fitting = map[string][]string{
	"Role": authz.Grantable(), "Kind": {"person", "service", "Person", "Organization", "Peer_To", "", "ghost", "exception", "major_nc", "document", "message"},
	"Number": {"5.90", "-1e-3", "7", "8", "", "1e999999999", "n/a"}, "Start": {"2021-01-01", "2022-01-01", "", "x"}, "End": {"2022-12-31", "2025-12-31", "", "2022-02-30"},
	"Type": {"quantitative", "qualitative", "strategy", "evidence", "x"}, "Direction": {"increase", "at_most", "milestone", "undefined", "x"}, "Frequency": {"year", "irregular", "x"},
	"Severity": {"low", "critical", "", "x"}, "Reason": {"insufficient", "ineffective", "acceptance_revoked", "What this rests on was never so.", "", "\x00"},
	"DueDate": {"2026-03-20", "2026-12-31", "", "x"}, "ExpiresOn": {"2026-03-20", "2026-12-31", "2030-01-01"}, "Response": {"agree", "x"},
	"Meaning": {"business", "compliance", "activation", "attestation", "risk-acceptance", "closure", ""}, "Resolution": {"remediated", "dismissed"},
	"Relation": {"supports", "redacts", "attests", "x"}, "MediaType": {"text/plain", "x"},
	"Field": {"name", "unit", "direction", "baseline", "done", "headline", "dimensions", "externalRefs", "vision", "stakeholders", "values", "periodStart", "x"},
}

// filled draws commands of one type, member by member.
func filled[C any]() *rapid.Generator[C] {
	instants := rapid.SampledFrom([]time.Time{
		{}, time.Unix(0, 0), time.Date(2200, 3, 1, 12, 0, 0, 123456789, time.FixedZone("x", 3600)), time.Date(123456, 1, 1, 0, 0, 0, 0, time.UTC),
	})
	word, id, hash := rapid.SampledFrom(words), rapid.SampledFrom(append(ids, "x")), rapid.SampledFrom(append(hashes, "x"))
	config := rapid.MakeConfig{
		Kinds:  map[reflect.Kind]*rapid.Generator[any]{reflect.String: word.AsAny()},
		Types:  map[reflect.Type]*rapid.Generator[any]{reflect.TypeFor[time.Time](): instants.AsAny()},
		Fields: map[reflect.Type]map[string]*rapid.Generator[any]{},
	}
	var walk func(reflect.Type)
	walk = func(t reflect.Type) {
		switch t.Kind() {
		case reflect.Slice, reflect.Pointer:
			walk(t.Elem())
			return
		case reflect.Struct:
		default:
			return
		}
		if _, seen := config.Fields[t]; seen || t == reflect.TypeFor[time.Time]() {
			return
		}
		fields := map[string]*rapid.Generator[any]{}
		config.Fields[t] = fields
		for _, f := range reflect.VisibleFields(t) {
			some, known := fitting[f.Name]
			switch {
			case f.Type.Kind() == reflect.String && known:
				to := f.Type
				fields[f.Name] = rapid.Map(rapid.SampledFrom(some), func(v string) any { return reflect.ValueOf(v).Convert(to).Interface() })
			case f.Type.Kind() == reflect.String && strings.HasSuffix(f.Name, "ID"):
				fields[f.Name] = id.AsAny()
			case f.Type.Kind() == reflect.String && (strings.HasSuffix(f.Name, "Hash") || strings.HasSuffix(f.Name, "Digest")):
				fields[f.Name] = hash.AsAny()
			case f.Name == "OwnerRoles" || f.Name == "StewardRoles":
				fields[f.Name] = rapid.Just(authz.Grantable()).AsAny()
			case strings.HasSuffix(f.Name, "IDs"):
				fields[f.Name] = rapid.SliceOfN(id, 0, 2).AsAny()
			case f.Type == reflect.TypeFor[[]string]():
				fields[f.Name] = rapid.SliceOfN(word, 0, 2).AsAny()
			default:
				walk(f.Type)
			}
		}
	}
	walk(reflect.TypeFor[C]())
	few(config, rapid.MakeCustom[strategy.Role](config), 1)
	few(config, rapid.MakeCustom[strategy.Stakeholder](config), 1)
	few(config, rapid.MakeCustom[strategy.Organization](config), 1)
	few(config, rapid.MakeCustom[strategy.Value](config), 1)
	few(config, rapid.MakeCustom[strategy.Relationship](config), 1)
	few(config, rapid.MakeCustom[strategy.Edit](config), 2)
	few(config, rapid.MakeCustom[indicator.Dimension](config), 1)
	few(config, rapid.MakeCustom[indicator.ExternalRef](config), 1)
	few(config, rapid.MakeCustom[indicator.Relationship](config), 1)
	few(config, rapid.MakeCustom[indicator.Edit](config), 2)
	config.Types[reflect.TypeFor[indicator.Dims]()] = rapid.Map(rapid.MapOfN(word, word, 0, 1), func(m map[string]string) any { return indicator.Dims(m) })
	return rapid.MakeCustom[C](config)
}

// few keeps lists short: what is wrong with one item is wrong with twenty.
func few[T any](c rapid.MakeConfig, item *rapid.Generator[T], n int) {
	c.Types[reflect.TypeFor[[]T]()] = rapid.SliceOfN(item, 0, n).AsAny()
}

func either[C any](gens ...*rapid.Generator[C]) *rapid.Generator[C] { return rapid.OneOf(gens...) }

func as[T, C any]() *rapid.Generator[C] {
	return rapid.Map(filled[T](), func(c T) C { return any(c).(C) })
}

// TestWhateverIsAskedIsRefusedOrWritten: no command, however filled, makes a
// decider panic; what it decides validates, is read back as the same, and folds.
func TestWhateverIsAskedIsRefusedOrWritten(t *testing.T) {
	type (
		o = organization.Command
		s = strategy.Command
		i = indicator.Command
	)
	t.Run("organization", func(t *testing.T) {
		anything(t, organization.Decide, organization.State.Apply, []o{organization.RegisterOrganization{
			OrganizationID: ids[0], Name: "n",
			Administrator:     organization.FirstMember{MemberID: ids[0], SubjectID: ids[0], Issuer: "i", ExternalIDHash: hashes[0], GrantID: ids[0]},
			ComplianceOfficer: organization.FirstMember{MemberID: ids[1], SubjectID: ids[1], Issuer: "i", ExternalIDHash: hashes[1], GrantID: ids[1]},
		}}, either(as[organization.RegisterOrganization, o](), as[organization.EnrolMember, o](), as[organization.GrantRole, o](),
			as[organization.RevokeRole, o](), as[organization.OffboardMember, o](), as[organization.SetGovernancePolicy, o](),
			as[organization.PlaceLegalHold, o](), as[organization.ReleaseLegalHold, o](),
			as[organization.ErasePersonalData, o]()))
	})
	t.Run("strategy", func(t *testing.T) {
		anything(t, strategy.Decide, strategy.State.Apply, []s{
			strategy.DraftStrategy{StrategyID: ids[0], Frame: strategy.Frame{Name: "n"}},
			strategy.AddGoal{GoalID: ids[0], Name: "g"},
			strategy.AddObjective{ObjectiveID: ids[1], GoalID: ids[0]},
		}, either(as[strategy.DraftStrategy, s](), as[strategy.AmendFrame, s](), as[strategy.AddGoal, s](), as[strategy.AmendGoal, s](),
			as[strategy.RetireGoal, s](), as[strategy.AddObjective, s](), as[strategy.AmendObjective, s](), as[strategy.MoveObjective, s](),
			as[strategy.RetireObjective, s](), as[strategy.SubmitStrategy, s](), as[strategy.RequestChanges, s](), as[strategy.ApproveStrategy, s](),
			as[strategy.ActivateStrategy, s](), as[strategy.OpenRevision, s](), as[strategy.WithdrawRevision, s](), as[strategy.PutStrategyOnHold, s](),
			as[strategy.ResumeStrategy, s](), as[strategy.CloseStrategy, s](), as[strategy.AttestPeriod, s]()))
	})
	t.Run("indicator", func(t *testing.T) {
		anything(t, indicator.Decide, indicator.State.Apply, []i{indicator.DefineIndicator{
			IndicatorID: ids[0], StrategyID: ids[0], ObjectiveID: ids[0],
			Definition: indicator.Definition{Name: "n", Unit: "u", Type: indicator.Quantitative, Direction: indicator.Increase, Frequency: "irregular"},
		}}, either(as[indicator.DefineIndicator, i](), as[indicator.RedefineIndicator, i](), as[indicator.RelinkIndicator, i](), as[indicator.SetTarget, i](), as[indicator.RecordMeasurement, i](),
			as[indicator.CorrectMeasurement, i](), as[indicator.VoidMeasurement, i](), as[indicator.RetireIndicator, i]()))
	})
	type (
		f = finding.Command
		e = evidence.Command
		c = source.Command
	)
	t.Run("finding", func(t *testing.T) {
		anything(t, finding.Decide, finding.State.Apply, []f{finding.RaiseFinding{
			FindingID: ids[0], Kind: finding.Observation, Severity: severity.High, Title: "t", Condition: "c", Criteria: "c",
			Subjects: []finding.Subject{{Type: "strategy", ID: ids[0]}}, Origin: finding.FromAudit,
		}, finding.AssignFinding{OwnerID: ids[5], OwnerRoles: authz.Grantable()}}, either(as[finding.RaiseFinding, f](), as[finding.AssignFinding, f](),
			as[finding.ReclassifyFinding, f](), as[finding.PlanRemediation, f](), as[finding.SubmitRemediation, f](), as[finding.AcceptRisk, f](),
			as[finding.ReturnFinding, f](), as[finding.CloseFinding, f]()))
	})
	t.Run("evidence", func(t *testing.T) {
		anything(t, evidence.Decide, evidence.State.Apply, []e{evidence.RegisterEvidence{
			EvidenceID: ids[0], Kind: evidence.Document, SHA256: hashes[0], Size: 1, MediaType: "text/plain", StorageRef: "r",
		}}, either(as[evidence.RegisterEvidence, e](), as[evidence.LinkEvidence, e](), as[evidence.LinkEvidence, e]()))
	})
	t.Run("source", func(t *testing.T) {
		key := base64.StdEncoding.EncodeToString(make([]byte, 32))
		anything(t, source.Decide, source.State.Apply, []c{source.RegisterSource{
			SourceID: ids[0], Name: "n", System: "s", Channel: source.HTTP, StewardID: ids[1], PublicKey: key, MaxRatePerMin: 1, StewardRoles: authz.Grantable(),
		}}, either(as[source.RegisterSource, c](), as[source.SuspendSource, c](), as[source.SuspendSource, c](), as[source.ReinstateSource, c](),
			as[source.ReinstateSource, c](), as[source.RejectIngest, c](), as[source.AcceptImport, c]()))
	})
}

func anything[S, C, E any](t *testing.T, decide func(S, fact.Actor, C) ([]E, error), apply func(S, fact.Actor, E) S, begin []C, commands *rapid.Generator[C]) {
	valid := map[string]*jsonschema.Schema{}
	for _, typ := range eventcodec.Types() {
		valid[typ] = compiled(t, typ, true)
	}
	accepted := 0
	rapid.Check(t, func(t *rapid.T) {
		by := fact.Actor{
			ID: "0198c0de-0000-7000-8000-000000000009", Kind: fact.Person, Roles: append(authz.Grantable(), authz.Operator),
			At: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), AuthAt: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC),
		}
		var state S
		for step := range len(begin) + 60 {
			var c C
			if step < len(begin) {
				c = begin[step]
			} else {
				c = commands.Draw(t, "command")
			}
			events, err := decide(state, by, c)
			if err != nil {
				var f *fault.Fault
				if !errors.As(err, &f) || f.Rule == "" || f.Detail == "" || step < len(begin) {
					t.Fatalf("%+v is refused by %v", c, err)
				}
				continue
			}
			if step >= len(begin) {
				accepted++
			}
			for _, e := range events {
				typ, schema, body, err := eventcodec.Encode(e)
				if err != nil {
					t.Fatalf("%+v: %v", e, err)
				}
				validate(t, valid[typ], body)
				again, err := eventcodec.Decode(typ, schema, body)
				if err != nil {
					t.Fatal(err)
				}
				// An empty list and no list are the same on the wire.
				if diff := cmp.Diff(any(e), again, cmpopts.EquateEmpty()); diff != "" {
					t.Fatalf("%s is read back differently:\n%s", typ, diff)
				}
				state = apply(state, by, again.(E))
			}
		}
	})
	if accepted < 25 {
		t.Errorf("only %d drawn commands were accepted: the test shows little", accepted)
	}
}

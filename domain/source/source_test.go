package source_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"strata.dev/strata/domain/authz"
	"strata.dev/strata/domain/fact"
	"strata.dev/strata/domain/fault"
	"strata.dev/strata/domain/refusal"
	"strata.dev/strata/domain/source"
)

const (
	first  = "0198c0de-0000-7000-8000-000000000001"
	second = "0198c0de-0000-7000-8000-000000000002"
	third  = "0198c0de-0000-7000-8000-000000000003"
	plan   = "0198c0de-0000-7000-8000-00000000000a"
)

var (
	at     = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	author = fact.Actor{ID: "0198c0de-0000-7000-8000-0000000000aa", Kind: fact.Person, Roles: []string{authz.Author}, At: at}
)

func accept(id, content string) source.AcceptImport {
	return source.AcceptImport{
		ImportID: id, StrategyID: plan, DocumentSHA256: strings.Repeat("0a", 32), ContentHash: strings.Repeat(content, 32),
		Format: source.Part2, DocumentType: "Performance_Plan", Plan: source.New, Day: "2026-03-01", Layout: 1,
	}
}

// folded is the state after commands that are all taken.
func folded(t *testing.T, commands ...source.Command) (s source.State) {
	t.Helper()
	for _, c := range commands {
		events, err := source.Decide(s, author, c)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range events {
			s = s.Apply(author, e)
		}
	}
	return s
}

func TestAcceptedImportsAreRemembered(t *testing.T) {
	s := folded(t, accept(first, "1b"), source.RejectIngest{MessageID: second, PayloadSHA256: strings.Repeat("0a", 32), Code: "ill-formed"}, accept(third, "2c"))
	want := source.Import{
		ID: third, StrategyID: plan, Plan: source.New, DocumentSHA256: strings.Repeat("0a", 32), ContentHash: strings.Repeat("2c", 32),
		AcceptedBy: author.ID, AcceptedAt: at, Version: 3,
	}
	got, ok := s.Import(third)
	if diff := cmp.Diff(want, got); !ok || diff != "" {
		t.Errorf("found %v (-want +got):\n%s", ok, diff)
	}
	if _, ok := s.Import(second); ok {
		t.Error("a refused document is an import")
	}
	if before, ok := s.Import(first); !ok || before.Version != 1 {
		t.Errorf("the first is %+v, %v", before, ok)
	}
}

func TestDecide(t *testing.T) {
	s := folded(t, accept(first, "1b"))
	again := accept(second, "1b")
	again.Again, again.Reason = true, "the first was withdrawn"
	noReason := again
	noReason.Reason = ""
	tooMany := accept(second, "2c")
	tooMany.Matched = make([]source.Match, source.MaxMatched+1)
	strange := accept(second, "2c")
	strange.Matched = []source.Match{{Kind: "goal", ElementID: "x"}}
	badFormat := accept(second, "2c")
	badFormat.Format = "part3"
	for name, c := range map[string]struct {
		by      fact.Actor
		command source.Command
		refused *fault.Fault
	}{
		"another content":              {author, accept(second, "2c"), nil},
		"the same content":             {author, accept(second, "1b"), source.ErrIdentical},
		"the same content, again":      {author, again, nil},
		"again, for no reason":         {author, noReason, refusal.Invalid},
		"an import id twice":           {author, accept(first, "2c"), source.ErrImportID},
		"more matches than fit":        {author, tooMany, refusal.Invalid},
		"a match with nothing":         {author, strange, refusal.Invalid},
		"another standard":             {author, badFormat, refusal.Invalid},
		"a viewer":                     {fact.Actor{ID: "v", Kind: fact.Person, Roles: []string{authz.Viewer}}, accept(second, "2c"), authz.ErrRole},
		"a machine":                    {fact.Actor{ID: "p", Kind: fact.Process}, accept(second, "2c"), authz.ErrRole},
		"a refusal":                    {author, source.RejectIngest{MessageID: second, PayloadSHA256: strings.Repeat("0a", 32), Code: "dtd-forbidden", Line: 1, Column: 1}, nil},
		"a refusal without a code":     {author, source.RejectIngest{MessageID: second, PayloadSHA256: strings.Repeat("0a", 32)}, refusal.Invalid},
		"a refusal left by a stranger": {fact.Actor{ID: "v", Kind: fact.Person}, source.RejectIngest{MessageID: second, PayloadSHA256: strings.Repeat("0a", 32), Code: "x"}, authz.ErrRole},
	} {
		t.Run(name, func(t *testing.T) {
			events, err := source.Decide(s, c.by, c.command)
			if c.refused == nil {
				if err != nil || len(events) != 1 {
					t.Errorf("got %v, %v", events, err)
				}
				return
			}
			if !errors.Is(err, c.refused) || events != nil {
				t.Errorf("got %v, %v; want %v", events, err, c.refused)
			}
		})
	}
	f, _ := errors.AsType[*fault.Fault](func() error { _, err := source.Decide(s, author, accept(second, "1b")); return err }())
	if f == nil || f.Extra["importId"] != first || f.Extra["strategyId"] != plan {
		t.Errorf("identical to what: %v", f)
	}
}

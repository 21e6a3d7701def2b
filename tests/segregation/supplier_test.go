package segregation

import "fmt"

// supplier is a registered source as its events add up.
type supplier struct {
	id      string
	active  bool
	allowed map[string]bool // indicator → override
	since   moment          // of status and terms
	before  *supplier       // what another process may still go by
}

type supplierTerms struct {
	AllowedIndicators []struct {
		IndicatorID string
		Override    bool
	}
}

func (t supplierTerms) allowed() map[string]bool {
	all := map[string]bool{}
	for _, a := range t.AllowedIndicators {
		all[a.IndicatorID] = a.Override
	}
	return all
}

// supplied judges and adds an event of a source.
func (l *ledger) supplied(e entry) error {
	s := l.sources[e.id]
	switch e.typ {
	case "source.registered":
		b, err := body[supplierTerms](e)
		if s != nil {
			return fmt.Errorf("a source is registered once")
		}
		l.sources[e.id] = &supplier{id: e.id, active: true, allowed: b.allowed(), since: e.moment}
		return err
	case "source.status-changed":
		b, err := body[struct {
			To    string
			Terms *supplierTerms
		}](e)
		if err != nil {
			return err
		}
		next := &supplier{id: e.id, active: b.To == "active", allowed: s.allowed, since: e.moment, before: s}
		if b.Terms != nil {
			if s.active {
				return fmt.Errorf("terms change while the source is active")
			}
			next.allowed = b.Terms.allowed()
		}
		l.sources[e.id] = next
	case "source.ingest-rejected":
		if e.meta.Actor.Kind == "source" && e.meta.Actor.ID != e.id {
			return fmt.Errorf("S14: %s refuses what came from another source", e.meta.Actor.ID)
		}
	}
	return nil
}

// delivered judges S14: a source writes only its own indicators while active,
// and where a person wrote last only if its steward said so; a service account
// never there.
func (l *ledger) delivered(e entry, m *measure, was value) error {
	if e.meta.Actor.Kind != "source" {
		return nil
	}
	s := l.sources[e.meta.Actor.ID]
	if s == nil {
		if who := l.members[e.meta.Actor.ID]; who == nil || !who.service || was.byKind == "person" {
			return fmt.Errorf("S14: %s is no source, over a value of a %s", e.meta.Actor.ID, was.byKind)
		}
		return nil
	}
	for {
		override, allowed := s.allowed[m.id]
		switch {
		case s.active && allowed && (override || was.byKind != "person"):
			return nil
		case s.before == nil || e.known(s.since):
			return fmt.Errorf("S14: the source is active %t, allowed here %t, with override %t, over a value of a %s",
				s.active, allowed, override, was.byKind)
		}
		s = s.before
	}
}

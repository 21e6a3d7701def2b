package plansdb

import "testing"

// BenchmarkPast asks about random moments of long histories.
func BenchmarkPast(b *testing.B) {
	l := prepareLong(b)
	for _, id := range []string{"indicator-" + l.indicator.String(), "strategy-" + l.strategy.String()} {
		if err := l.reader.takeSnapshots(b.Context(), l.w.ID, id); err != nil {
			b.Fatal(err)
		}
	}
	pick := seeded(44)
	for name, ask := range l.questions() {
		for how, reader := range map[string]*Reader{"with snapshots": l.reader, "from the beginning": l.folding} {
			b.Run(name+" "+how, func(b *testing.B) {
				for b.Loop() {
					r := as(l.w)
					r.AsOf.Position = l.from(name) + int64(pick(int(l.head-l.from(name))))
					if _, err := ask(reader, r); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

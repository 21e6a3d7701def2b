package postgres_test

import (
	"log/slog"
	"testing"

	"strata.dev/strata/adapters/postgres"
	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/app/eventlog/eventlogtest"
	"strata.dev/strata/tests/testenv"
)

func open(t testing.TB, url string, opts postgres.Options) *postgres.Log {
	t.Helper()
	log, err := postgres.Open(t.Context(), url, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(log.Close)
	return log
}

func TestConformance(t *testing.T) {
	eventlogtest.Run(t, func(t *testing.T) eventlog.Log {
		return open(t, testenv.Log(t).App, postgres.Options{ReadPoolSize: 4})
	})
}

// Two lanes and groups of three: what shares a group by default is spread over several here.
func TestConformanceOfSmallGroups(t *testing.T) {
	eventlogtest.Run(t, func(t *testing.T) eventlog.Log {
		return open(t, testenv.Log(t).App, postgres.Options{Writers: 2, MaxGroup: 3, ReadPoolSize: 4})
	})
}

// quiet is for tests that break connections by the hundred.
var quiet = slog.New(slog.DiscardHandler)

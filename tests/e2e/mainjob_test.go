package e2e_test

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/google/uuid"

	"strata.dev/strata/ports/rest/restclient"
	"strata.dev/strata/tests/system"
	"strata.dev/strata/tests/testenv"
)

func TestMain(m *testing.M) { os.Exit(system.Main(m)) }

// arrival bounds how long the events of a whole plan may be under way.
const arrival = 20 * time.Second

// imported is the answer to an import.
type imported struct {
	StrategyID string
	Position   int64 `json:",string"`
	SHA256     string
	Recorded   struct{ Goals, Objectives, Indicators, Targets, Measurements int }
	Omitted    []struct{ Code string }
}

// A plan goes in over HTTP; its events come out of RabbitMQ, and two read
// databases give back what the document says.
func TestMainJob(t *testing.T) {
	s, service := system.Start(t, system.Options{Postgres: testenv.StartPostgres(t), Queues: []string{"tests.e2e"}})
	consumer := s.Consume(t, "tests.e2e")
	t.Run("a consumer in Python", func(t *testing.T) { pythonConsumer(t, s, service) })
	var last imported
	for _, d := range documents {
		t.Run(d.name, func(t *testing.T) {
			body, plan := d.read(t)
			began := time.Now()
			answer, repeat := importPlan(t, s, service, d, body)
			recorded := time.Since(began)
			consumer.Await(t, answer.Position, arrival)
			delivered := time.Since(began)
			repeat()
			last = answer
			sameTree(t, s, service, plan, answer)
			sameScorecard(t, s, service, plan, answer)
			points := sameSeries(t, s, service, plan, answer)
			t.Logf("%+v imported in %s, the last event delivered after %s; %d points of %d series compared",
				d.want, recorded.Round(time.Millisecond), delivered.Round(time.Millisecond), points, d.want.Indicators)
		})
	}
	t.Run("who has what", func(t *testing.T) { nothingIsMissing(t, s, service, consumer) })
	t.Run("port taken", func(t *testing.T) { portTaken(t, s, service) })
	t.Run("rebuild", func(t *testing.T) {
		stop := readAlways(t, s, service, last)
		s.Rebuild(t)
		t.Logf("%d scorecards read meanwhile, all of them whole", stop())
	})
	if code := service.Stop(); code != 0 {
		t.Errorf("the service ended with code %d", code)
	}
}

// importPlan imports the document. repeat does it again, which changes nothing.
func importPlan(t *testing.T, s *system.System, service *system.Service, d document, body []byte) (got imported, repeat func()) {
	t.Helper()
	request := restclient.Request{Method: http.MethodPost, Path: "/v1/strategies/stratml", Key: uuid.NewString(), ContentType: "application/xml", Body: body}
	sam := s.Client(service.Base, "sam")
	answer, err := sam.Do(t.Context(), request)
	if err != nil {
		t.Fatal(err)
	}
	if err := answer.Decode(&got); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(body)
	if got.SHA256 != hex.EncodeToString(sum[:]) {
		t.Errorf("the answer is about a document with the digest %s", got.SHA256)
	}
	if want := (struct{ Goals, Objectives, Indicators, Targets, Measurements int }{
		d.want.Goals, d.want.Objectives, d.want.Indicators, d.want.Targets, d.want.Measurements,
	}); got.Recorded != want {
		t.Errorf("recorded %+v, the document holds %+v", got.Recorded, want)
	}
	omitted := map[string]int{}
	for _, o := range got.Omitted {
		omitted[o.Code]++
	}
	if !maps.Equal(omitted, d.omitted) {
		t.Errorf("omitted %v, want %v", omitted, d.omitted)
	}
	return got, func() {
		head := s.Head(t)
		again, err := sam.Do(t.Context(), request)
		if err != nil {
			t.Fatal(err)
		}
		if !again.Replayed || again.Position != answer.Position || s.Head(t) != head {
			t.Errorf("the repetition: replayed %v, position %d after %d, log at %d after %d", again.Replayed, again.Position, answer.Position, s.Head(t), head)
		}
	}
}

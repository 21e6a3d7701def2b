package story

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"strata.dev/strata/tests/system"
	"strata.dev/strata/tests/testenv"
)

// patience bounds every wait for what the service does by itself.
const patience = 60 * time.Second

// agency is an outside system: it has a key, and reaches nothing but RabbitMQ.
type agency struct {
	private  ed25519.PrivateKey
	public   string // base64, to be registered
	sourceID string // as registered
	url      string
}

func newAgency(t *testing.T, url string) *agency {
	t.Helper()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &agency{private: private, public: base64.StdEncoding.EncodeToString(public), url: url}
}

// row is a line of what the agency published for a quarter.
type row struct {
	Quarter   string `json:"fiscal_qtr"`
	GoalID    string `json:"related_goal_id"`
	Goal      string `json:"related_goal"`
	Objective string `json:"target"`
	Indicator string `json:"indicator"`
	Target    string `json:"value_target"`
	Value     string `json:"value_current"`
	Published string `json:"progress_pct_target_status"`
}

// published are the rows of a goal whose indicator begins with one of the words.
func published(t *testing.T, goalID string, words ...string) (rows []row) {
	t.Helper()
	root, err := system.Root()
	if err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(filepath.Join(root, "tests", "testdata", "apg", "target.json"))
	if err != nil {
		t.Fatal(err)
	}
	var all []row
	if err := json.Unmarshal(raw, &all); err != nil {
		t.Fatal(err)
	}
	for _, r := range all {
		for _, w := range words {
			if r.GoalID == goalID && strings.HasPrefix(r.Indicator, w) && r.Value != "" {
				rows = append(rows, r)
			}
		}
	}
	return rows
}

// quarter is the period of a quarter of the United States' fiscal year 2022.
func (r row) quarter() map[string]string {
	return map[string]map[string]string{
		"1": {"start": "2021-10-01", "end": "2021-12-31"}, "2": {"start": "2022-01-01", "end": "2022-03-31"},
		"3": {"start": "2022-04-01", "end": "2022-06-30"}, "4": {"start": "2022-07-01", "end": "2022-09-30"},
	}[r.Quarter]
}

// message is what the agency sends: the values of a quarter under its own names.
func message(t *testing.T, rows []row, quarter string) []byte {
	t.Helper()
	var items []map[string]any
	for _, r := range rows {
		if r.Quarter == quarter {
			items = append(items, map[string]any{"indicatorRef": reference(r), "period": r.quarter(), "value": r.Value})
		}
	}
	body, err := json.Marshal(map[string]any{"measurements": items})
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// reference is the agency's own name for an indicator.
func reference(r row) string { return r.GoalID + "/" + strings.Fields(r.Indicator)[0] }

// push signs a message and publishes it to the agency's queue, as docs/story.md
// says: it returns when the broker has it.
func (a *agency) push(t *testing.T, messageID string, body []byte) (sha string) {
	t.Helper()
	sum := sha256.Sum256(body)
	sha = hex.EncodeToString(sum[:])
	signature := ed25519.Sign(a.private, []byte("strata-ingest.v1\n"+a.sourceID+"\n"+messageID+"\n"+sha))
	queue := "strata.ingest." + a.sourceID
	// The queue is the service's to declare, once it knows of the source.
	testenv.Eventually(t, patience, "the queue "+queue, func() error {
		return a.channel(func(ch *amqp.Channel) error {
			if _, err := ch.QueueDeclarePassive(queue, true, false, false, false, nil); err != nil {
				return err
			}
			if err := ch.Confirm(false); err != nil {
				return err
			}
			sent, err := ch.PublishWithDeferredConfirmWithContext(t.Context(), "", queue, true, false, amqp.Publishing{
				MessageId: messageID, ContentType: "application/json", DeliveryMode: amqp.Persistent, Body: body,
				Headers: amqp.Table{"strata-signature": base64.StdEncoding.EncodeToString(signature)},
			})
			if err != nil {
				return err
			}
			if confirmed, err := sent.WaitContext(t.Context()); err != nil || !confirmed {
				return errors.Join(errors.New("not confirmed"), err)
			}
			return nil
		})
	})
	return sha
}

func (a *agency) channel(do func(*amqp.Channel) error) error {
	conn, err := amqp.Dial(a.url)
	if err != nil {
		return err
	}
	defer conn.Close()
	ch, err := conn.Channel()
	if err != nil {
		return err
	}
	return do(ch)
}

package contract

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"gopkg.in/yaml.v3"

	"strata.dev/strata/adapters/rabbitmq"
	"strata.dev/strata/app/cloudevents"
	"strata.dev/strata/app/eventlog"
)

// asyncapi is what the tests need of the document.
type asyncapi struct {
	Channels   map[string]struct{ Address string }
	Components struct {
		ChannelBindings map[string]struct {
			AMQP struct {
				Is       string
				Exchange struct{ Name, Type string }
			}
		} `yaml:"channelBindings"`
		Messages map[string]struct {
			Name     string
			Examples []struct{ Headers, Payload node }
		}
		Schemas map[string]struct{ Properties map[string]node }
	}
}

// document reads api/asyncapi.yaml, and compiles its schemas with those it points to.
func document(t *testing.T) (asyncapi, func(pointer string) *jsonschema.Schema) {
	t.Helper()
	path, err := filepath.Abs("../../api/asyncapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var doc asyncapi
	var whole any
	for _, v := range []any{&doc, &whole} {
		if err := yaml.Unmarshal(text, v); err != nil {
			t.Fatal(err)
		}
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("file://"+path, plain(t, whole)); err != nil {
		t.Fatal(err)
	}
	return doc, func(pointer string) *jsonschema.Schema {
		s, err := c.Compile("file://" + path + "#" + pointer)
		if err != nil {
			t.Fatalf("%s: %v", pointer, err)
		}
		return s
	}
}

// plain is a value of YAML as JSON has it.
func plain(t *testing.T, v any) any {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	out, err := jsonschema.UnmarshalJSON(strings.NewReader(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestAsyncAPIHasEveryEvent(t *testing.T) {
	doc, _ := document(t)
	var addresses, messages []string
	for _, c := range doc.Channels {
		addresses = append(addresses, c.Address)
	}
	for _, m := range doc.Components.Messages {
		messages = append(messages, m.Name)
	}
	slices.Sort(addresses)
	slices.Sort(messages)
	want := known()
	slices.Sort(want)
	if !slices.Equal(addresses, want) || !slices.Equal(messages, want) {
		t.Errorf("channels %v\nmessages %v\nand the codec has\n%v: go generate ./api/...", addresses, messages, want)
	}
	if b := doc.Components.ChannelBindings["exchange"].AMQP; b.Exchange.Name != rabbitmq.Exchange || b.Exchange.Type != "topic" || b.Is != "routingKey" {
		t.Errorf("the channels are %+v, and the relay announces on the topic exchange %s", b, rabbitmq.Exchange)
	}
}

func TestAsyncAPIExamplesAreValid(t *testing.T) {
	doc, schema := document(t)
	for id, m := range doc.Components.Messages {
		at := "/components/messages/" + id
		if len(m.Examples) == 0 {
			t.Errorf("%s has no example", id)
			continue
		}
		example := m.Examples[0]
		if err := schema(at + "/payload").Validate(plain(t, example.Payload)); err != nil {
			t.Errorf("%s: %v", id, err)
		}
		if err := schema("/components/schemas/Headers").Validate(plain(t, example.Headers)); err != nil {
			t.Errorf("%s: headers: %v", id, err)
		}
		// The schema can say no: the same document is not one of another type, nor with broken data.
		broken := plain(t, example.Payload).(node)
		broken["type"] = "dev.strata.strategy.invented.v1"
		if schema(at+"/payload").Validate(broken) == nil {
			t.Errorf("%s takes an event of another type", id)
		}
		broken = plain(t, example.Payload).(node)
		broken["data"] = "none"
		if schema(at+"/payload").Validate(broken) == nil {
			t.Errorf("%s takes data that are none", id)
		}
	}
}

// What the relay sends has the headers and the envelope of the document, and no
// other: also with everything that an event may have.
func TestAsyncAPISaysWhatTheRelaySends(t *testing.T) {
	doc, schema := document(t)
	metadata, err := eventlog.Metadata{
		Actor: eventlog.Actor{Kind: eventlog.SystemProcess, ID: "relay"}, CorrelationID: "chain", CausationID: uuid.NewString(),
		TraceParent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", TraceState: "a=b",
	}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	encoder, err := cloudevents.New(cloudevents.Options{})
	if err != nil {
		t.Fatal(err)
	}
	sent, err := rabbitmq.Messages{Encoder: encoder}.Message(eventlog.Event{
		Position: 1, OrganizationSequence: 1, Version: 1, SchemaVersion: 1, Type: "strategy.goal-added", StreamID: "strategy-" + uuid.NewString(),
		ID: uuid.New(), OrganizationID: uuid.New(), RecordedAt: time.Now().UTC(), Metadata: metadata,
		Data: files(t, bodies)["strategy.goal-added.v1"],
	})
	if err != nil {
		t.Fatal(err)
	}
	headers := node{}
	for name, value := range sent.Metadata {
		if strings.HasPrefix(name, "amqp.") {
			continue // becomes a property
		}
		headers[name] = value
		if doc.Components.Schemas["Headers"].Properties[name] == nil {
			t.Errorf("the relay sends a header %s, which the document does not have", name)
		}
	}
	if err := schema("/components/schemas/Headers").Validate(plain(t, headers)); err != nil {
		t.Errorf("headers: %v", err)
	}
	body, err := jsonschema.UnmarshalJSON(strings.NewReader(string(sent.Payload)))
	if err != nil {
		t.Fatal(err)
	}
	for name := range body.(node) {
		if doc.Components.Schemas["Envelope"].Properties[name] == nil {
			t.Errorf("the relay sends %s, which the document does not have", name)
		}
	}
	if err := schema("/components/messages/strategyGoalAddedV1/payload").Validate(body); err != nil {
		t.Errorf("body: %v", err)
	}
}

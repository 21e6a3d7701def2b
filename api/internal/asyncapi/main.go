// Command asyncapi writes api/asyncapi.yaml: one channel per event type, with
// the schema from api/schemas and, as an example, the golden body of
// app/eventcodec in the envelope that the relay's own encoder puts around it.
// What it says of an event cannot differ from what is sent: an event type
// without schema or golden body is an error, and so is a golden body that the
// encoder refuses.
package main

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"text/template"
	"time"

	"github.com/google/uuid"

	"strata.dev/strata/app/cloudevents"
	"strata.dev/strata/app/eventcodec"
	"strata.dev/strata/app/eventlog"
)

//go:generate go run -buildvcs=false . ../..

//go:embed asyncapi.yaml.tmpl
var page string

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: asyncapi API-FOLDER")
		os.Exit(2)
	}
	if err := write(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "asyncapi:", err)
		os.Exit(1)
	}
}

// message is one event type in one schema version.
type message struct {
	Key       string // routing key
	ID        string // the same as an identifier
	Operation string // that sends it
	Type      string // on the wire
	Summary   string
	Tag       string // aggregate
	Subject   string // of the example
	Example   string // a whole document
}

func write(api string) error {
	var messages []message
	for _, typ := range eventcodec.Types() {
		for version := 1; version <= eventcodec.Schema(typ); version++ {
			m, err := describe(api, typ, version)
			if err != nil {
				return fmt.Errorf("%s.v%d: %w", typ, version, err)
			}
			messages = append(messages, m)
		}
	}
	tmpl, err := template.New("asyncapi").Delims("<<", ">>").Parse(page)
	if err != nil {
		return err
	}
	var out bytes.Buffer
	if err := tmpl.Execute(&out, messages); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(api, "asyncapi.yaml"), out.Bytes(), 0o644)
}

func describe(api, typ string, version int) (message, error) {
	key := fmt.Sprintf("%s.v%d", typ, version)
	text, err := os.ReadFile(filepath.Join(api, "schemas", key+".json"))
	if err != nil {
		return message{}, err
	}
	var schema struct{ Description string }
	if err := json.Unmarshal(text, &schema); err != nil {
		return message{}, err
	}
	body, err := os.ReadFile(filepath.Join(api, "../app/eventcodec/testdata", key+".json"))
	if err != nil {
		return message{}, err
	}
	document, err := example(typ, version, bytes.TrimSpace(body))
	if err != nil {
		return message{}, err
	}
	sent, err := cloudevents.Decode(document)
	if err != nil {
		return message{}, err
	}
	var indented bytes.Buffer
	if err := json.Indent(&indented, document, "            ", "  "); err != nil {
		return message{}, err
	}
	aggregate, _, _ := strings.Cut(typ, ".")
	return message{
		Key: key, ID: identifier(key), Operation: identifier("send." + key), Subject: sent.Subject, Type: cloudevents.TypePrefix + key,
		Summary: schema.Description, Tag: aggregate, Example: indented.String(),
	}, nil
}

// example is the golden body as it would be announced.
func example(typ string, version int, body []byte) ([]byte, error) {
	aggregate, _, _ := strings.Cut(typ, ".")
	metadata, err := eventlog.Metadata{
		Actor:         eventlog.Actor{Kind: eventlog.Person, ID: "0198c0de-0000-7000-8000-000000000009"},
		CorrelationID: "0198c0de-0000-7000-8000-00000000000d",
	}.Encode()
	if err != nil {
		return nil, err
	}
	encoder, err := cloudevents.New(cloudevents.Options{})
	if err != nil {
		return nil, err
	}
	return encoder.Append(nil, &eventlog.Event{
		Position: 42, OrganizationSequence: 17, Version: 3, SchemaVersion: version, Type: typ,
		OrganizationID: uuid.MustParse("0198c0de-0000-7000-8000-00000000000a"),
		StreamID:       aggregate + "-0198c0de-0000-7000-8000-00000000000b",
		ID:             uuid.MustParse("0198c0de-0000-7000-8000-00000000000e"),
		RecordedAt:     time.Date(2026, 11, 21, 18, 30, 0, 123456000, time.UTC),
		Data:           body, Metadata: metadata,
	})
}

// identifier is a routing key in camel case: strategyGoalAddedV1.
func identifier(key string) string {
	words := strings.FieldsFunc(key, func(r rune) bool { return r == '.' || r == '-' })
	for i, w := range words[1:] {
		words[i+1] = strings.ToUpper(w[:1]) + w[1:]
	}
	return strings.Join(words, "")
}

package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"strata.dev/strata/ports/rest/restclient"
)

// importing takes documents of other formats in, through the public API.
func (c *cli) importing() *cobra.Command {
	cmd := group("import", "Bring plans in, through the API")
	var api apiFlags
	var i stratmlImport
	stratml := &cobra.Command{
		Use: "stratml FILE", Short: "Import a StratML document (ISO 17469) as a draft",
		Long: `Imports a StratML document, Part 1 or Part 2, as the draft of a new strategy, or with --strategy as the next revision of
one. - reads standard input. The command may be repeated: an import that was interrupted goes on where it stopped, and one that
was finished answers as it did. --again imports the same document a second time.`,
		Args: exactly(1, "one file, or - for standard input"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if i.again != (i.reason != "") {
				return usageError{errors.New("--again and --reason go together: who reads the record will want to know why")}
			}
			client, err := c.client(cmd, api)
			if err != nil {
				return err
			}
			document, err := readDocument(args[0], cmd.InOrStdin())
			if err != nil {
				return err
			}
			i.client, i.report = client, c.reporter(cmd.ErrOrStderr(), "elements")
			body, err := i.run(cmd.Context(), document)
			if err != nil {
				return explainAPI(client.Base, err)
			}
			var done imported
			if err := json.Unmarshal(body, &done); err != nil {
				return fmt.Errorf("the import's result: %w", err)
			}
			return c.print(cmd.OutOrStdout(), body, done.print)
		},
	}
	stratml.Flags().StringVar(&i.strategy, "strategy", "", "id of the strategy whose next revision it is")
	stratml.Flags().StringVar(&i.documentType, "document-type", "", "type to assume where the document does not say its own: Strategic_Plan, Performance_Plan, Performance_Report")
	stratml.Flags().BoolVar(&i.again, "again", false, "import it although the same content has been imported")
	stratml.Flags().StringVar(&i.reason, "reason", "", "why it is imported again; recorded")
	stratml.Flags().StringVar(&i.key, "key", "", "idempotency key; by default made of the document")
	api.register(stratml)
	cmd.AddCommand(stratml)
	return cmd
}

// exporting hands plans out in formats of others, through the public API.
func (c *cli) exporting() *cobra.Command {
	cmd := group("export", "Hand plans out, through the API")
	var api apiFlags
	var file, revision string
	var part int
	stratml := &cobra.Command{
		Use: "stratml STRATEGY", Short: "Write a strategy as a StratML document (ISO 17469)", Args: exactly(1, "the strategy's id"),
		RunE: func(cmd *cobra.Command, args []string) error {
			client, err := c.client(cmd, api)
			if err != nil {
				return err
			}
			q := url.Values{"part": {strconv.Itoa(part)}}
			if revision != "" {
				q.Set("revision", revision)
			}
			answer, err := client.Do(cmd.Context(), restclient.Request{
				Method: http.MethodGet, Path: "/v1/strategies/" + url.PathEscape(args[0]) + "/stratml?" + q.Encode(), Header: http.Header{"Accept": {"application/xml"}},
			})
			if err != nil {
				return explainAPI(client.Base, err)
			}
			if file == "" {
				_, err = cmd.OutOrStdout().Write(answer.Body)
				return err
			}
			if err := os.WriteFile(file, answer.Body, 0o644); err != nil {
				return fmt.Errorf("write the document: %w", err)
			}
			return nil
		},
	}
	stratml.Flags().StringVar(&revision, "revision", "", "working or in-force; by default the one that people see")
	stratml.Flags().IntVar(&part, "part", 2, "part of the standard: 1 (the plan) or 2 (with indicators and measurements)")
	stratml.Flags().StringVar(&file, "file", "", "write to this file instead of standard output")
	api.register(stratml)
	cmd.AddCommand(stratml)
	return cmd
}

func readDocument(name string, stdin io.Reader) ([]byte, error) {
	if name == "-" {
		return io.ReadAll(stdin)
	}
	body, err := os.ReadFile(name)
	if err != nil {
		return nil, usageError{err}
	}
	return body, nil
}

// stratmlImport is one import, repeatable under its key.
type stratmlImport struct {
	client *restclient.Client
	report func(progress)

	strategy, documentType, reason, key string
	again                               bool
}

// followAttempts is how often in a row the service may be away while it imports.
const followAttempts = 60

// operation is a long import that the service goes on with by itself.
type operation struct {
	Status   string
	Progress struct{ Done, Total int64 }
	Result   json.RawMessage
	Problem  *restclient.Problem
}

// run sends the document and waits until it is imported. It returns the result as JSON.
func (i *stratmlImport) run(ctx context.Context, document []byte) (json.RawMessage, error) {
	path, q := "/v1/strategies/stratml", url.Values{}
	if i.strategy != "" {
		path = "/v1/strategies/" + url.PathEscape(i.strategy) + "/stratml"
	}
	if i.documentType != "" {
		q.Set("documentType", i.documentType)
	}
	if i.again {
		q.Set("again", "true")
		q.Set("reason", i.reason)
	}
	if len(q) > 0 {
		path += "?" + q.Encode()
	}
	request := restclient.Request{
		Method: http.MethodPost, Path: path, Key: i.idempotencyKey(path, document), ContentType: "application/xml", Body: document,
		Header: http.Header{"Prefer": {"respond-async"}},
	}
	if i.strategy != "" {
		request.IfMatch = "*"
	}
	answer, err := i.client.Do(ctx, request)
	if err != nil {
		return nil, err
	}
	if answer.Status == http.StatusAccepted {
		return i.follow(ctx, answer)
	}
	return answer.Body, nil
}

// idempotencyKey is the same for the same document and target, so that the
// command can be repeated; unless it is asked to import once more.
func (i *stratmlImport) idempotencyKey(path string, document []byte) string {
	if i.key != "" {
		return i.key
	}
	h := sha256.New()
	fmt.Fprintf(h, "%s\n", path)
	h.Write(document)
	key := "stratml-" + hex.EncodeToString(h.Sum(nil)[:16])
	if i.again {
		key += "-" + uuid.NewString()
	}
	return key
}

// follow asks for the operation until it has ended. A service that is away for a
// moment goes on with the import when it is back.
func (i *stratmlImport) follow(ctx context.Context, accepted restclient.Answer) (json.RawMessage, error) {
	location, err := url.Parse(accepted.Header.Get("Location"))
	if err != nil || location.Path == "" {
		return nil, errors.New("the import was accepted, but the answer does not say where to ask for it")
	}
	began, last, failures := time.Now(), operation{}, 0
	for {
		answer, err := i.client.Do(ctx, restclient.Request{Method: http.MethodGet, Path: location.RequestURI()})
		if err != nil {
			if failures++; failures < followAttempts && ctx.Err() == nil && transient(err) && wait(ctx, tailFirstPause) {
				continue
			}
			return nil, fmt.Errorf("%w; the import goes on without us: repeat the command to see how it ends", err)
		}
		failures = 0
		var now operation
		if err := answer.Decode(&now); err != nil {
			return nil, err
		}
		if now.Progress != last.Progress || now.Status != last.Status {
			i.report(now.progress(time.Since(began)))
		}
		last = now
		switch now.Status {
		case "succeeded":
			return now.Result, nil
		case "failed":
			if now.Problem == nil {
				return nil, errors.New("the import failed without saying why")
			}
			return nil, fmt.Errorf("import: %w", now.Problem)
		}
		if !wait(ctx, pollPause(answer.Header)) {
			return nil, ctx.Err()
		}
	}
}

func (o operation) progress(took time.Duration) progress {
	p := progress{Task: "import", Phase: o.Status, Done: o.Progress.Done, Total: o.Progress.Total}
	if rate := float64(p.Done) / took.Seconds(); rate > 0 {
		p.PerSecond = int64(rate)
		p.ETASeconds = float64(max(0, p.Total-p.Done)) / rate
	}
	return p
}

// pollPause is what the service asks for, within reason.
func pollPause(h http.Header) time.Duration {
	if s, err := strconv.Atoi(h.Get("Retry-After")); err == nil {
		return min(time.Duration(s)*time.Second, tailLastPause)
	}
	return tailFirstPause
}

// imported is what is shown of an import's result.
type imported struct {
	StrategyID, ImportID, Version, Position string
	Recorded                                map[string]int
	DeviationCounts                         map[string]int
	Deviations                              []struct {
		Code, Path, Text string
		Line             int
	}
}

// shownDeviations bounds the table; -o json has them all.
const shownDeviations = 20

func (i imported) print(w io.Writer) error {
	fmt.Fprintf(w, "strategy\t%s, a draft in version %s, at position %s\nimport\t%s\n", i.StrategyID, i.Version, i.Position, i.ImportID)
	fmt.Fprintf(w, "recorded\t%s\n", counts(i.Recorded))
	if len(i.DeviationCounts) > 0 {
		fmt.Fprintf(w, "deviations\t%s\n", counts(i.DeviationCounts))
	}
	for n, d := range i.Deviations {
		if n == shownDeviations {
			fmt.Fprintf(w, "\t… %d more: -o json\n", len(i.Deviations)-n)
			break
		}
		fmt.Fprintf(w, "\tline %d, %s: %s %s\n", d.Line, d.Path, d.Code, d.Text)
	}
	return nil
}

// counts are the numbers that are not zero, by name: "17 goals, 3 targets".
func counts(m map[string]int) string {
	var parts []string
	for name, n := range m {
		if n == 0 {
			continue
		}
		parts = append(parts, fmt.Sprintf("%d %s", n, name))
	}
	slices.Sort(parts)
	return strings.Join(parts, ", ")
}

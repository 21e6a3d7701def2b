package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"strata.dev/strata/adapters/oidc"
	"strata.dev/strata/migrations"
	"strata.dev/strata/ports/rest/restclient"
)

// allGroups are the consumer groups of an instance that does everything.
const allGroups = "relay,plans,audit,processes"

// contender is a Strata process with what its load needs.
type contender struct {
	*process
	indicators []string
	token      string
}

func (b *bench) contender(ctx context.Context, name, groups string) (*contender, error) {
	p, err := b.startStrata(ctx, name, groups)
	if err != nil {
		return nil, err
	}
	c := &contender{process: p}
	c.indicators, c.token, err = prepareIndicators(ctx, p, 128)
	return c, err
}

// record measures one value of a series that no other call of any run has.
func (c *contender) record(run string, w, n int) []byte {
	return rawRequest("/v1/indicators/"+c.indicators[w]+"/commands/record", c.token, uuid.NewString(), measurement(run, n, ""))
}

func measurement(run string, n int, more string) string {
	return fmt.Sprintf(`{%s"period":{"start":"2024-01-01","end":"2024-12-31"},"dims":{"series":"%s-%d"},"value":"%d.50","note":"from the yearly report, table 3"}`, more, run, n, n)
}

// benchHTTP measures whole commands over HTTP (token, validation, load, decide,
// append) beside an Echo handler that binds a body and runs the plain
// transaction. All run as processes of their own. Strata runs twice: as an
// instance that only answers requests, which is what the rival does, and as one
// that announces and projects everything on the same two cores meanwhile.
func (b *bench) benchHTTP(ctx context.Context) error {
	api, err := b.contender(ctx, "bench_http", "none")
	if err != nil {
		return err
	}
	defer func() { _ = api.stop() }() // measured already; its log is on stderr
	whole, err := b.contender(ctx, "bench_http_whole", allGroups)
	if err != nil {
		return err
	}
	defer func() { _ = whole.stop() }()
	urls, err := b.servers.database(ctx, migrations.Log, "bench_http_plain")
	if err != nil {
		return err
	}
	plain, base, err := startPlain(ctx, urls[""])
	if err != nil {
		return err
	}
	defer func() {
		_ = plain.Process.Signal(syscall.SIGTERM)
		_ = plain.Wait()
	}()
	t := b.table("HTTP: whole commands per second", "connections", "Echo + plain transaction", "Strata", "× plain", "Strata, announcing and projecting too", "× plain", "p99 plain", "p99 Strata")
	for _, connections := range []int{1, 8, 32, 128} {
		run := func(base string, request func(run string) func(w, n int) []byte) func(context.Context) (sample, error) {
			return func(ctx context.Context) (sample, error) {
				clients := make([]*rawClient, connections)
				for i := range clients {
					if clients[i], err = dialRaw(ctx, base); err != nil {
						return sample{}, err
					}
					defer clients[i].conn.Close()
				}
				next := request(uuid.NewString()[:8])
				return closedLoop(ctx, connections, b.warm, b.duration, func(_ context.Context, w, n int) error {
					return clients[w].do(next(w, n))
				})
			}
		}
		strata := func(c *contender) func(run string) func(w, n int) []byte {
			return func(run string) func(w, n int) []byte {
				return func(w, n int) []byte { return c.record(run, w, n) }
			}
		}
		got, err := interleave(ctx, b.reps, []rival{
			{"plain", run(base, func(run string) func(w, n int) []byte {
				streams := make([]string, connections)
				return func(w, n int) []byte {
					version := n%eventsPerStream + 1
					if version == 1 {
						streams[w] = "indicator-" + uuid.NewString()
					}
					return rawRequest("/streams/"+streams[w], "", uuid.NewString(), measurement(run, n, fmt.Sprintf(`"version":%d,`, version)))
				}
			})},
			{"strata", run(api.base, strata(api))},
			{"whole", func(ctx context.Context) (sample, error) {
				s, err := run(whole.base, strata(whole))(ctx)
				return s, errors.Join(err, whole.settle(ctx))
			}},
		})
		if err != nil {
			return err
		}
		plain, ours, all := got["plain"], got["strata"], got["whole"]
		t.row(fmt.Sprint(connections), rate(plain.perSecond), rate(ours.perSecond), ratio(ours.perSecond, plain.perSecond),
			rate(all.perSecond), ratio(all.perSecond, plain.perSecond), ms(plain.p99), ms(ours.p99))
		if connections == 128 {
			b.target("HTTP at 128 connections ≥ 2 × plain handler", ours.perSecond/plain.perSecond, 2)
		}
	}
	return nil
}

// prepareIndicators registers an organization, drafts a strategy and defines n
// indicators, and gives their ids and the token of somebody who may measure.
func prepareIndicators(ctx context.Context, p *process, n int) (ids []string, token string, err error) {
	client := func(c oidc.Claims) (*restclient.Client, error) {
		token, err := p.issuer.Issue(c)
		return &restclient.Client{Base: p.base, Token: token}, err
	}
	post := func(c *restclient.Client, path string, body any, v any) error {
		a, err := c.Do(ctx, restclient.Request{Method: http.MethodPost, Path: path, Key: uuid.NewString(), IfMatch: "*", Body: body})
		if err != nil || v == nil {
			return err
		}
		return a.Decode(v)
	}
	operator, err := client(oidc.Claims{Subject: "operator", Operator: true})
	if err != nil {
		return nil, "", err
	}
	identity := func(subject string) map[string]string {
		return map[string]string{"issuer": oidc.DevIssuer, "subject": subject}
	}
	var organization struct{ OrganizationID uuid.UUID }
	if err := post(operator, "/v1/organizations", map[string]any{"name": "Bench", "administrator": identity("ada"), "complianceOfficer": identity("casey")}, &organization); err != nil {
		return nil, "", err
	}
	admin, err := client(oidc.Claims{Organization: organization.OrganizationID, Subject: "ada"})
	if err != nil {
		return nil, "", err
	}
	for subject, role := range map[string]string{"sam": "strategy_author", "ines": "indicator_owner"} {
		var enrolled struct{ MemberID string }
		if err := post(admin, "/v1/organization/commands/enrol-member", map[string]string{"issuer": oidc.DevIssuer, "subject": subject, "kind": "person"}, &enrolled); err != nil {
			return nil, "", err
		}
		if err := post(admin, "/v1/organization/commands/grant-role", map[string]string{"memberId": enrolled.MemberID, "role": role}, nil); err != nil {
			return nil, "", err
		}
	}
	author, err := client(oidc.Claims{Organization: organization.OrganizationID, Subject: "sam"})
	if err != nil {
		return nil, "", err
	}
	var strategy struct{ StrategyID string }
	if err := post(author, "/v1/strategies", map[string]any{"documentType": "Performance_Plan", "frame": map[string]any{"name": "Bench"}}, &strategy); err != nil {
		return nil, "", err
	}
	var goal struct{ GoalID string }
	if err := post(author, "/v1/strategies/"+strategy.StrategyID+"/commands/add-goal", map[string]any{"name": "Goal", "description": "A goal"}, &goal); err != nil {
		return nil, "", err
	}
	var objective struct{ ObjectiveID string }
	if err := post(author, "/v1/strategies/"+strategy.StrategyID+"/commands/add-objective", map[string]any{"goalId": goal.GoalID, "name": "Objective"}, &objective); err != nil {
		return nil, "", err
	}
	for i := range n {
		var defined struct{ IndicatorID string }
		err := post(author, "/v1/indicators", map[string]any{"strategyId": strategy.StrategyID, "objectiveId": objective.ObjectiveID, "definition": map[string]any{
			"name": fmt.Sprintf("Indicator %d", i), "type": "quantitative", "direction": "increase", "frequency": "year", "unit": "percent",
			"dimensions": []any{map[string]any{"name": "series"}},
		}}, &defined)
		if err != nil {
			return nil, "", err
		}
		ids = append(ids, defined.IndicatorID)
	}
	token, err = p.issuer.Issue(oidc.Claims{Organization: organization.OrganizationID, Subject: "ines"})
	return ids, token, err
}

// rawClient is one keep-alive connection: the load generator shares the cores
// with what it measures, so it does as little as it can.
type rawClient struct {
	conn net.Conn
	in   *bufio.Reader
}

func dialRaw(ctx context.Context, base string) (*rawClient, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", strings.TrimPrefix(base, "http://"))
	if err != nil {
		return nil, err
	}
	return &rawClient{conn, bufio.NewReader(conn)}, nil
}

func rawRequest(path, token, key, body string) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "POST %s HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nContent-Length: %d\r\nIdempotency-Key: %s\r\nIf-Match: *\r\n", path, len(body), key)
	if token != "" {
		fmt.Fprintf(&b, "Authorization: Bearer %s\r\n", token)
	}
	b.WriteString("\r\n")
	b.WriteString(body)
	return b.Bytes()
}

func (c *rawClient) do(request []byte) error {
	if _, err := c.conn.Write(request); err != nil {
		return err
	}
	res, err := http.ReadResponse(c.in, nil)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode >= http.StatusBadRequest {
		body, err := io.ReadAll(io.LimitReader(res.Body, 1000))
		if err != nil {
			return err
		}
		return fmt.Errorf("status %d: %s", res.StatusCode, body)
	}
	_, err = io.Copy(io.Discard, res.Body)
	return err
}

const plainServerURL = "BENCH_PLAIN_SERVER_URL"

// startPlain starts this program again as the rival's server.
func startPlain(ctx context.Context, dsn string) (*exec.Cmd, string, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, "", err
	}
	ports, err := freePorts(ctx, 1)
	if err != nil {
		return nil, "", err
	}
	cmd := exec.CommandContext(ctx, self)
	cmd.Env, cmd.Stderr = append(os.Environ(), plainServerURL+"="+dsn, "BENCH_PLAIN_SERVER_PORT="+ports[0]), os.Stderr
	if err := cmd.Start(); err != nil {
		return nil, "", err
	}
	base := "http://127.0.0.1:" + ports[0]
	return cmd, base, waitReady(ctx, base+"/ready")
}

// servePlain is the rival: Echo, a bound body, the plain transaction, a small answer.
func servePlain(ctx context.Context, dsn, port string) error {
	connections, err := pool(ctx, dsn, 64)
	if err != nil {
		return err
	}
	defer connections.Close()
	if _, err := connections.Exec(ctx, plainSchema); err != nil {
		return err
	}
	organization := uuid.New()
	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	e.GET("/ready", func(c echo.Context) error { return c.NoContent(http.StatusOK) })
	e.POST("/streams/:id", func(c echo.Context) error {
		var body struct {
			Version int64             `json:"version"`
			Period  map[string]string `json:"period"`
			Dims    map[string]string `json:"dims"`
			Value   string            `json:"value"`
			Note    string            `json:"note"`
		}
		if err := c.Bind(&body); err != nil {
			return err
		}
		ev := newEvent(organization, c.Param("id"), body.Version)
		if err := plainAppend(c.Request().Context(), connections, ev); err != nil {
			return err
		}
		return c.JSON(http.StatusOK, map[string]any{"eventIds": []string{ev.id.String()}, "version": body.Version})
	})
	stop := context.AfterFunc(ctx, func() { _ = e.Close() }) // nobody waits for its answers any more
	defer stop()
	if err := e.Start("127.0.0.1:" + port); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

package rest_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"strata.dev/strata/adapters/oidc"
	"strata.dev/strata/adapters/oidc/issuertest"
	"strata.dev/strata/ports/rest"
	"strata.dev/strata/ports/rest/resttest"
	"strata.dev/strata/tests/testenv"
)

// trusting is a world that believes an OpenID Connect issuer beside the
// development issuer, behind a real server.
type trusting struct {
	*world
	issuer *issuertest.Issuer
	url    string
	org    string
	now    time.Time
}

func newTrusting(t *testing.T) *trusting {
	t.Helper()
	w := &trusting{world: newWorld(t), issuer: issuertest.New(t), now: time.Now()}
	config := w.issuer.Config()
	config.AuthorizedParties = []string{"console"}
	tokens, err := oidc.NewVerifier(config, w.world.issuer.Config())
	if err != nil {
		t.Fatal(err)
	}
	w.options.Tokens = tokens
	handler, err := rest.New(w.options)
	if err != nil {
		t.Fatal(err)
	}
	w.handler = resttest.Checked(t, handler)
	server := httptest.NewUnstartedServer(w.handler)
	server.Config = rest.NewServer(t.Context(), "", w.handler, w.options.Log)
	server.Start()
	t.Cleanup(server.Close)
	w.url, w.org = server.URL, uuid.NewString()
	return w
}

func (w *trusting) claims(pairs ...any) map[string]any {
	return changed(map[string]any{
		"iss": w.issuer.URL(), "aud": issuertest.Audience, "sub": "anna", "org": w.org, "azp": "console",
		"iat": w.now.Unix(), "exp": w.now.Add(5 * time.Minute).Unix(), "auth_time": w.now.Unix(),
	}, pairs...)
}

func jose(alg string, pairs ...any) map[string]any {
	return changed(map[string]any{"alg": alg, "typ": "at+jwt", "kid": strings.ToLower(alg)}, pairs...)
}

// changed sets members of m; nil removes one.
func changed(m map[string]any, pairs ...any) map[string]any {
	m = maps.Clone(m)
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] == nil {
			delete(m, pairs[i].(string))
			continue
		}
		m[pairs[i].(string)] = pairs[i+1]
	}
	return m
}

// get asks for the feed, with whatever Authorization headers.
func (w *trusting) get(authorization ...string) answer {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.t.Context(), http.MethodGet, w.url+"/v1/events", nil)
	if err != nil {
		w.t.Fatal(err)
	}
	r.Header["Authorization"] = authorization
	response, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return answer{w.t, response.StatusCode, response.Header, body}
}

// The bad tokens that every verifier meets sooner or later (RFC 8725, RFC 9068),
// over HTTP: each is refused the same way, which tells nothing.
func TestBadTokensOverHTTP(t *testing.T) {
	w := newTrusting(t)
	edwards, p256, rsa := w.issuer.Publish("eddsa", "EdDSA"), w.issuer.Publish("es256", "ES256"), w.issuer.Publish("rs256", "RS256")
	sign := func(header, claims any) string { return issuertest.Sign(t, edwards, header, claims) }
	good := sign(jose("EdDSA"), w.claims())
	for name, token := range map[string]string{
		"EdDSA": good,
		"ES256": issuertest.Sign(t, p256, jose("ES256"), w.claims()),
		"RS256": issuertest.Sign(t, rsa, jose("RS256"), w.claims("aud", []string{"x", issuertest.Audience})),
	} {
		// Nobody is enrolled under that name: known, and not allowed anything.
		if a := w.get("Bearer " + token); a.status == http.StatusUnauthorized {
			t.Fatalf("the good one of %s: %d %s", name, a.status, a.body)
		}
	}
	stranger := issuertest.NewKey(t, "EdDSA")
	strangersRSA := issuertest.NewKey(t, "RS256")
	parts := strings.Split(good, ".")
	public, err := json.Marshal(w.issuer.Published().Keys[0])
	if err != nil {
		t.Fatal(err)
	}
	mac := func(key []byte) string {
		text := issuertest.Encode(t, jose("HS256", "kid", "rs256")) + "." + parts[1]
		h := hmac.New(sha256.New, key)
		h.Write([]byte(text))
		return text + "." + base64.RawURLEncoding.EncodeToString(h.Sum(nil))
	}
	flipped := []byte(parts[2])
	flipped[3] ^= 1
	bad := map[string]string{
		"01 no signature, alg none":      issuertest.Encode(t, jose("none")) + "." + parts[1] + ".",
		"02 alg NoNe with a signature":   sign(jose("NoNe"), w.claims()),
		"03 HS256 keyed by a public key": mac(public),
		"04 HS256 keyed by nothing":      mac(nil),
		"05 RS256 said of an EdDSA key":  sign(jose("RS256", "kid", "eddsa"), w.claims()),
		"06 kid of another key":          sign(jose("EdDSA", "kid", "es256"), w.claims()),
		"07 kid nobody has":              sign(jose("EdDSA", "kid", "../../dev/null"), w.claims()),
		"08 no kid":                      sign(jose("EdDSA", "kid", nil), w.claims()),
		"09 a stranger's key":            issuertest.Sign(t, stranger, jose("EdDSA"), w.claims()),
		"10 jwk brings its own key":      issuertest.Sign(t, stranger, jose("EdDSA", "jwk", map[string]any{"kty": "OKP", "crv": "Ed25519", "kid": "eddsa"}), w.claims()),
		"11 jku points elsewhere":        issuertest.Sign(t, stranger, jose("EdDSA", "jku", "https://evil.test/keys"), w.claims()),
		"12 x5u and x5c":                 issuertest.Sign(t, strangersRSA, jose("RS256", "x5u", "https://evil.test/c", "x5c", []string{"AAAA"}), w.claims()),
		"13 crit asks for something":     sign(jose("EdDSA", "crit", []string{"exp"}), w.claims()),
		"14 typ of an ID token":          sign(jose("EdDSA", "typ", "JWT"), w.claims()),
		"15 signature changed":           parts[0] + "." + parts[1] + "." + string(flipped),
		"16 claims changed":              parts[0] + "." + issuertest.Encode(t, w.claims("org", uuid.NewString())) + "." + parts[2],
		"17 another issuer":              sign(jose("EdDSA"), w.claims("iss", w.issuer.URL()+"/")),
		"18 the development issuer's":    sign(jose("EdDSA"), w.claims("iss", oidc.DevIssuer, "aud", oidc.DevAudience)),
		"19 for another audience":        sign(jose("EdDSA"), w.claims("aud", issuertest.Audience+"-admin")),
		"20 expired":                     sign(jose("EdDSA"), w.claims("exp", w.now.Add(-time.Second).Unix(), "iat", w.now.Add(-time.Minute).Unix())),
		"21 never expires":               sign(jose("EdDSA"), w.claims("exp", nil)),
		"22 lives too long":              sign(jose("EdDSA"), w.claims("exp", w.now.Add(25*time.Hour).Unix())),
		"23 not valid yet":               sign(jose("EdDSA"), w.claims("nbf", w.now.Add(3*time.Minute).Unix())),
		"24 issued in the future":        sign(jose("EdDSA"), w.claims("iat", w.now.Add(3*time.Minute).Unix())),
		"25 one claim twice":             sign(jose("EdDSA"), strings.TrimSuffix(text(t, w.claims()), "}")+`,"org":"`+uuid.NewString()+`"}`),
		"26 a claim in other letters":    sign(jose("EdDSA"), w.claims("Org", uuid.NewString())),
		"27 no organization":             sign(jose("EdDSA"), w.claims("org", nil)),
		"28 operator and organization":   sign(jose("EdDSA"), w.claims("strata_operator", true)),
		"29 another client's":            sign(jose("EdDSA"), w.claims("azp", "game")),
		"30 encrypted":                   good + ".AAAA.AAAA",
		"31 too long":                    good + strings.Repeat("A", 9000),
	}
	var first answer
	for _, name := range slices.Sorted(maps.Keys(bad)) {
		t.Run(name, func(t *testing.T) {
			token := bad[name]
			a := w.get("Bearer " + token)
			if a.status != http.StatusUnauthorized || a.header.Get("Content-Type") != "application/problem+json" || a.str("code") != "unauthenticated" {
				t.Fatalf("%d %s", a.status, a.body)
			}
			if got := a.header.Get("Www-Authenticate"); got != `Bearer realm="strata", error="invalid_token"` {
				t.Errorf("WWW-Authenticate %q", got)
			}
			if a.header.Get("Cache-Control") != "no-store" {
				t.Errorf("Cache-Control %q", a.header.Get("Cache-Control"))
			}
			// The same answer to all, but for the ids of the request.
			if first.body == nil {
				first = a
			}
			if got, want := anonymous(t, a), anonymous(t, first); got != want {
				t.Errorf("it tells more than another refusal:\n%s\n%s", got, want)
			}
		})
	}
	// What was wrong is in the log, once each, without the token.
	log := w.logs.String()
	if n := strings.Count(log, `"code":"unauthenticated"`); n != len(bad) {
		t.Errorf("%d refusals in the log, want %d", n, len(bad))
	}
	for _, token := range bad {
		if strings.Contains(log, token) || strings.Contains(log, strings.Split(token, ".")[2]) && strings.Split(token, ".")[2] != "" {
			t.Errorf("a token is in the log")
		}
	}
	for _, reason := range []string{`kid and alg name no key`, `header member \"jku\" is not allowed`, `token is expired`, `case variant`} {
		if !strings.Contains(log, reason) {
			t.Errorf("the log does not say %q", reason)
		}
	}
}

func text(t testing.TB, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// anonymous is a refusal without what differs from request to request.
func anonymous(t *testing.T, a answer) string {
	t.Helper()
	members := a.json()
	for _, own := range []string{"instance", "traceId"} {
		delete(members, own)
	}
	return text(t, members)
}

// Whatever stands in Authorization: it is one bearer token, or it is refused.
func TestOneBearerTokenOrNone(t *testing.T) {
	w := newTrusting(t)
	good := issuertest.Sign(t, w.issuer.Publish("eddsa", "EdDSA"), jose("EdDSA"), w.claims())
	for _, authorization := range []string{"Bearer " + good, "bearer  " + good} {
		if a := w.get(authorization); a.status == http.StatusUnauthorized {
			t.Fatalf("%.10s: %d %s", authorization, a.status, a.body)
		}
	}
	for name, authorization := range map[string][]string{
		"none":              nil,
		"empty":             {""},
		"scheme alone":      {"Bearer"},
		"no scheme":         {good},
		"Basic":             {"Basic " + base64.StdEncoding.EncodeToString([]byte("anna:"+good))},
		"two headers":       {"Bearer " + good, "Bearer " + good},
		"two in one header": {"Bearer " + good + ", Bearer " + good},
		"something behind":  {"Bearer " + good + " x"},
		"DPoP":              {"DPoP " + good},
		"quoted":            {`Bearer "` + good + `"`},
	} {
		a := w.get(authorization...)
		if a.status != http.StatusUnauthorized || a.str("code") != "unauthenticated" || !strings.HasPrefix(a.header.Get("Www-Authenticate"), `Bearer realm="strata"`) {
			t.Errorf("%s: %d %s %v", name, a.status, a.body, a.header)
		}
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.url+"/v1/events?access_token="+good, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	if err := response.Body.Close(); err != nil || response.StatusCode != http.StatusUnauthorized {
		t.Errorf("a token in the query: %d, %v", response.StatusCode, err)
	}
}

// An issuer that cannot be asked is no reason to let anybody in, nor to say that
// the token is bad.
func TestTokensOfAnIssuerThatIsDown(t *testing.T) {
	w := newTrusting(t)
	token := issuertest.Sign(t, w.issuer.Publish("eddsa", "EdDSA"), jose("EdDSA"), w.claims())
	w.issuer.Answer(issuertest.Down, issuertest.Down)
	a := w.get("Bearer " + token)
	if a.status != http.StatusServiceUnavailable || a.str("code") != "issuer-unavailable" || a.header.Get("Retry-After") == "" ||
		strings.Contains(string(a.body), w.issuer.URL()) {
		t.Errorf("%d %s %v", a.status, a.body, a.header)
	}
	if a := w.get("Bearer x.y.z"); a.status != http.StatusUnauthorized {
		t.Errorf("a bad one: %d %s", a.status, a.body)
	}
	if a := w.get("Bearer " + w.operator()); a.status != http.StatusForbidden {
		t.Errorf("an operator of the other issuer: %d %s", a.status, a.body)
	}
	w.issuer.Answer(nil, nil)
	testenv.Eventually(t, 10*time.Second, "the issuer is asked again", func() error {
		if a := w.get("Bearer " + token); a.status == http.StatusServiceUnavailable {
			return errors.New(a.str("code"))
		}
		return nil
	})
}

// Signing takes a sign-in of the last five minutes (S11): the token says when,
// and one that does not say is good for everything else.
func TestSigningNeedsARecentSignIn(t *testing.T) {
	w := newTrusting(t)
	registered := w.do(request{path: "/v1/organizations", token: w.operator(), body: `{"name":"Examples",
		"administrator":{"issuer":"` + oidc.DevIssuer + `","subject":"admin"},
		"complianceOfficer":{"issuer":"` + w.issuer.URL() + `","subject":"anna"}}`}).want(http.StatusCreated, "")
	w.org = registered.str("organizationId")
	o := organization{id: uuid.MustParse(w.org), tokens: map[string]string{}}
	o.tokens["admin"] = w.world.token(oidc.Claims{Organization: o.id, Subject: "admin"})
	w.enrol(o, author)
	plan := w.draft(o)
	goal := w.do(request{path: plan + "/commands/add-goal", token: o.tokens[author], body: `{"name":"Goal"}`}).want(200, "").str("goalId")
	w.do(request{path: plan + "/commands/add-objective", token: o.tokens[author], body: `{"goalId":"` + goal + `","name":"Objective"}`}).want(200, "")
	w.do(request{path: plan + "/commands/submit", token: o.tokens[author], body: `{}`}).want(200, "")
	events := w.do(request{method: "GET", path: plan + "/events", token: o.tokens[author]}).want(200, "").json()["items"].([]any)
	hash := events[len(events)-1].(map[string]any)["data"].(map[string]any)["contentHash"].(string)

	key := w.issuer.Publish("eddsa", "EdDSA")
	approve := func(authTime any) answer {
		token := issuertest.Sign(t, key, jose("EdDSA"), w.claims("auth_time", authTime))
		return w.do(request{path: plan + "/commands/approve", token: token, body: `{"contentHash":"` + hash + `","meaning":"compliance"}`})
	}
	for name, authTime := range map[string]any{"six minutes ago": ago(6 * time.Minute).Unix(), "not said": nil, "years ago": 1} {
		if a := approve(authTime); a.status != http.StatusForbidden || a.str("rule") != "S11" {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	approve(ago(4*time.Minute).Unix()).want(http.StatusOK, "")
}

package countersign_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"

	"strata.dev/strata/adapters/countersign"
	"strata.dev/strata/adapters/oidc"
	"strata.dev/strata/app/command"
	"strata.dev/strata/domain/fault"
)

// fixture is a signer whose key and clock the test has.
type fixture struct {
	t      *testing.T
	signer *countersign.Signer
	key    ed25519.PrivateKey
	now    time.Time
	org    uuid.UUID
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{t: t, key: newKey(t), now: time.Now().UTC(), org: uuid.New()}
	f.signer = f.opened(f.key)
	return f
}

func newKey(t *testing.T) ed25519.PrivateKey {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func (f *fixture) opened(keys ...ed25519.PrivateKey) *countersign.Signer {
	f.t.Helper()
	path := filepath.Join(f.t.TempDir(), "keys.pem")
	var text []byte
	for _, key := range keys {
		der, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			f.t.Fatal(err)
		}
		text = append(text, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})...)
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		f.t.Fatal(err)
	}
	s, err := countersign.Open(countersign.Options{KeyFile: path, Now: func() time.Time { return f.now }})
	if err != nil {
		f.t.Fatal(err)
	}
	return s
}

func (f *fixture) request() command.Countersignature {
	hash := sha256.Sum256([]byte("POST /v1/indicators/1/commands/set-target {}"))
	return command.Countersignature{
		Principal: command.Principal{
			OrganizationID: f.org, Issuer: "https://issuer.test", Subject: "ann \"é\" <b>",
			AuthMethod: "oidc", AuthAt: f.now.Add(-2 * time.Minute),
		},
		Hash: hash[:], Meaning: "second-person",
	}
}

func (f *fixture) token() string {
	f.t.Helper()
	token, _, err := f.signer.Sign(f.t.Context(), f.request())
	if err != nil {
		f.t.Fatal(err)
	}
	return token
}

func TestWhatWasSignedComesBack(t *testing.T) {
	f := newFixture(t)
	token, signed, err := f.signer.Sign(t.Context(), f.request())
	if err != nil {
		t.Fatal(err)
	}
	want := f.request()
	want.ID, want.SignedAt = signed.ID, f.now.Truncate(time.Second)
	want.ExpiresAt = want.SignedAt.Add(24 * time.Hour)
	want.Principal.AuthAt = want.Principal.AuthAt.Truncate(time.Second)
	if diff := cmp.Diff(want, signed, cmpopts.IgnoreUnexported(command.Principal{})); diff != "" || uuid.Validate(signed.ID) != nil {
		t.Errorf("Sign gave (-want +got)\n%s", diff)
	}
	got, err := f.signer.Verify(t.Context(), token, f.org)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(signed, got, cmpopts.IgnoreUnexported(command.Principal{})); diff != "" {
		t.Errorf("Verify gave (-want +got)\n%s", diff)
	}
	// Also to an instance whose clock is a bit behind, and when it has expired:
	// the decision on the command says what that means.
	for _, at := range []time.Time{signed.SignedAt.Add(-50 * time.Second), signed.ExpiresAt.Add(time.Hour)} {
		f.now = at
		if again, err := f.signer.Verify(t.Context(), token, f.org); err != nil || !again.ExpiresAt.Equal(signed.ExpiresAt) {
			t.Errorf("at %s: %+v, %v", at, again, err)
		}
	}
	if _, again, err := f.signer.Sign(t.Context(), f.request()); err != nil || again.ID == signed.ID {
		t.Errorf("two signatures have the same id (%v)", err)
	}
}

func TestIncompleteRequestsAreNotSigned(t *testing.T) {
	f := newFixture(t)
	for name, change := range map[string]func(*command.Countersignature){
		"no organization":     func(c *command.Countersignature) { c.Principal.OrganizationID = uuid.Nil },
		"no subject":          func(c *command.Countersignature) { c.Principal.Subject = "" },
		"no issuer":           func(c *command.Countersignature) { c.Principal.Issuer = "" },
		"long subject":        func(c *command.Countersignature) { c.Principal.Subject = strings.Repeat("x", 256) },
		"no authentication":   func(c *command.Countersignature) { c.Principal.AuthAt = time.Time{} },
		"authenticated later": func(c *command.Countersignature) { c.Principal.AuthAt = f.now.Add(2 * time.Minute) },
		"no command":          func(c *command.Countersignature) { c.Hash = nil },
		"short hash":          func(c *command.Countersignature) { c.Hash = c.Hash[:31] },
		"no meaning":          func(c *command.Countersignature) { c.Meaning = "" },
		"long meaning":        func(c *command.Countersignature) { c.Meaning = strings.Repeat("m", 501) },
	} {
		c := f.request()
		change(&c)
		token, _, err := f.signer.Sign(t.Context(), c)
		if _, isFault := errors.AsType[*fault.Fault](err); err == nil || token != "" || isFault {
			t.Errorf("%s: %q, %v", name, token, err)
		}
	}
	// The largest that is taken still fits into a header.
	c := f.request()
	c.Principal.Subject, c.Principal.Issuer = strings.Repeat("\x01", 255), strings.Repeat("\x01", 255)
	c.Meaning = strings.Repeat("\x01", 500)
	token, _, err := f.signer.Sign(t.Context(), c)
	if err != nil || len(token) > 10<<10 {
		t.Fatalf("%d bytes, %v", len(token), err)
	}
	if _, err := f.signer.Verify(t.Context(), token, f.org); err != nil {
		t.Error(err)
	}
}

func encode(t *testing.T, v any) string {
	t.Helper()
	text, ok := v.(string)
	if !ok {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		text = string(b)
	}
	return base64.RawURLEncoding.EncodeToString([]byte(text))
}

// forged is a token with a good signature over any header and claims: what
// whoever holds the key, or a second user of it, could make.
func (f *fixture) forged(key ed25519.PrivateKey, header, claims any) string {
	text := encode(f.t, header) + "." + encode(f.t, claims)
	return text + "." + base64.RawURLEncoding.EncodeToString(ed25519.Sign(key, []byte(text)))
}

func decoded(t *testing.T, part string) map[string]any {
	t.Helper()
	b, err := base64.RawURLEncoding.DecodeString(part)
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]any
	if err := json.Unmarshal(b, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

func TestBadTokensAreRefused(t *testing.T) {
	f := newFixture(t)
	good := f.token()
	parts := strings.Split(good, ".")
	header := func(pairs ...any) map[string]any { return with(decoded(t, parts[0]), pairs...) }
	claims := func(pairs ...any) map[string]any { return with(decoded(t, parts[1]), pairs...) }
	claimsText := func(more string) string {
		b, err := base64.RawURLEncoding.DecodeString(parts[1])
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSuffix(string(b), "}") + more + "}"
	}
	signed := func(c any) string { return f.forged(f.key, header(), c) }
	issuer, err := oidc.Open(oidc.Options{KeyFile: filepath.Join(t.TempDir(), "key")})
	if err != nil {
		t.Fatal(err)
	}
	access, err := issuer.Issue(oidc.Claims{Organization: f.org, Subject: "ann"})
	if err != nil {
		t.Fatal(err)
	}
	flipped := []byte(parts[2])
	flipped[7] ^= 1
	for name, token := range map[string]string{
		"empty":                      "",
		"garbage":                    "garbage",
		"two parts":                  parts[0] + "." + parts[1],
		"four parts":                 good + ".x",
		"five parts":                 good + "..",
		"JSON serialization":         `{"payload":"` + parts[1] + `","protected":"` + parts[0] + `","signature":"` + parts[2] + `"}`,
		"header alone":               parts[0],
		"too long":                   good + strings.Repeat("A", 11000),
		"alg none":                   encode(t, header("alg", "none")) + "." + parts[1] + ".",
		"alg HS256":                  f.forged(f.key, header("alg", "HS256"), claims()),
		"typ at+jwt":                 f.forged(f.key, header("typ", "at+jwt"), claims()),
		"no typ":                     f.forged(f.key, header("typ", nil), claims()),
		"no kid":                     f.forged(f.key, header("kid", nil), claims()),
		"another kid":                f.forged(f.key, header("kid", "cs-other"), claims()),
		"jku":                        f.forged(f.key, header("jku", "https://evil.test"), claims()),
		"crit":                       f.forged(f.key, header("crit", []string{"exp"}), claims()),
		"header with a space":        f.forged(f.key, `{"alg": "EdDSA"}`, claims()),
		"another key":                f.forged(newKey(t), header(), claims()),
		"signature changed":          parts[0] + "." + parts[1] + "." + string(flipped),
		"signature cut":              parts[0] + "." + parts[1] + "." + parts[2][:40],
		"no signature":               parts[0] + "." + parts[1] + ".",
		"claims changed":             parts[0] + "." + encode(t, claims("sub", "eve")) + "." + parts[2],
		"claims are no object":       signed(`"x"`),
		"an unknown claim":           signed(claims("role", "administrator")),
		"a duplicate claim":          signed(claimsText(`,"sub":"eve"`)),
		"two texts":                  signed(claimsText("") + "{}"),
		"another organization":       signed(claims("org", uuid.NewString())),
		"no organization":            signed(claims("org", nil)),
		"nil organization":           signed(claims("org", uuid.Nil.String())),
		"nobody":                     signed(claims("sub", nil)),
		"nobody's issuer":            signed(claims("idp", nil)),
		"no hash":                    signed(claims("cmd", nil)),
		"short hash":                 signed(claims("cmd", "AAAA")),
		"padded hash":                signed(claims("cmd", fmt.Sprint(claims()["cmd"])+"=")),
		"no meaning":                 signed(claims("meaning", "")),
		"no id":                      signed(claims("jti", nil)),
		"no expiry":                  signed(claims("exp", nil)),
		"valid for too long":         signed(claims("exp", f.now.Add(25*time.Hour).Unix())),
		"valid for a day and second": signed(claims("exp", f.now.Add(24*time.Hour).Unix()+1)),
		"expires before it is made":  signed(claims("iat", f.now.Add(30*time.Second).Unix(), "exp", f.now.Add(20*time.Second).Unix())),
		"signed in the future":       signed(claims("iat", f.now.Add(2*time.Minute).Unix())),
		"no time of signing":         signed(claims("iat", nil)),
		"fractional time":            signed(claims("iat", 1.5)),
		"huge time":                  signed(claimsText(`,"iat":1e300`)),
		"no authentication":          signed(claims("auth_time", nil)),
		"authenticated after it":     signed(claims("auth_time", f.now.Add(3*time.Minute).Unix())),
		"an access token":            access,
	} {
		t.Run(name, func(t *testing.T) {
			c, err := f.signer.Verify(t.Context(), token, f.org)
			if !errors.Is(err, countersign.ErrRefused) {
				t.Fatalf("%+v, %v", c, err)
			}
			refused, _ := errors.AsType[*fault.Fault](err)
			if refused.Detail != "" || refused.Kind != fault.Invalid {
				t.Errorf("the caller would learn why: %+v", refused)
			}
		})
	}
	if _, err := f.signer.Verify(t.Context(), good, f.org); err != nil {
		t.Errorf("the good one: %v", err)
	}
	if _, err := f.signer.Verify(t.Context(), good, uuid.New()); !errors.Is(err, countersign.ErrRefused) {
		t.Errorf("to another organization: %v", err)
	}
}

// with changes members; nil removes one.
func with(m map[string]any, pairs ...any) map[string]any {
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] == nil {
			delete(m, pairs[i].(string))
			continue
		}
		m[pairs[i].(string)] = pairs[i+1]
	}
	return m
}

func TestKeysRotate(t *testing.T) {
	f := newFixture(t)
	next := newKey(t)
	old := f.token()
	both := f.opened(next, f.key)
	if _, err := both.Verify(t.Context(), old, f.org); err != nil {
		t.Errorf("what the old key signed: %v", err)
	}
	token, _, err := both.Sign(t.Context(), f.request())
	if err != nil {
		t.Fatal(err)
	}
	after := f.opened(next)
	if _, err := after.Verify(t.Context(), token, f.org); err != nil {
		t.Errorf("what the new key signed: %v", err)
	}
	if _, err := after.Verify(t.Context(), old, f.org); !errors.Is(err, countersign.ErrRefused) {
		t.Errorf("what a removed key signed: %v", err)
	}
}

func TestWithoutAKeyNothingIsSigned(t *testing.T) {
	f := newFixture(t)
	none, err := countersign.Open(countersign.Options{})
	if err != nil || none.Configured() || !f.signer.Configured() {
		t.Fatalf("configured %v, %v", none.Configured(), err)
	}
	if _, _, err := none.Sign(t.Context(), f.request()); !errors.Is(err, countersign.ErrUnavailable) {
		t.Errorf("Sign: %v", err)
	}
	if _, err := none.Verify(t.Context(), f.token(), f.org); !errors.Is(err, countersign.ErrUnavailable) {
		t.Errorf("Verify: %v", err)
	}
	missing := filepath.Join(t.TempDir(), "missing")
	if _, err := countersign.Open(countersign.Options{KeyFile: missing}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
	made, err := countersign.Open(countersign.Options{KeyFile: missing, Create: true})
	if err != nil || !made.Configured() {
		t.Errorf("one to be made: %v", err)
	}
}

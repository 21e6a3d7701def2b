package rest_test

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"strata.dev/strata/app/ingest"
	"strata.dev/strata/domain/authz"
)

// holder is the member id of who was granted a role first.
func (w *world) holder(o organization, role string) string {
	w.t.Helper()
	events, err := w.log.Read(w.t.Context(), 0, 100_000)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, e := range events {
		var granted struct{ MemberID, Role string }
		if e.OrganizationID != o.id || e.Type != "organization.role-granted" {
			continue
		}
		if err := json.Unmarshal(e.Data, &granted); err != nil {
			w.t.Fatal(err)
		}
		if granted.Role == role {
			return granted.MemberID
		}
	}
	w.t.Fatalf("nobody holds the role %s", role)
	return ""
}

// evidence registers bytes as the organization's auditor or author, whoever there
// is, and gives their id.
func (w *world) evidence(o organization, content string) string {
	w.t.Helper()
	token := o.tokens[authz.Auditor]
	if token == "" {
		token = o.tokens[author]
	}
	return w.do(upload("/v1/evidence?kind=document&mediaType=text/plain", token, content)).want(http.StatusCreated, "").str("evidenceId")
}

func upload(path, token, content string) request {
	return request{path: path, token: token, body: content, header: http.Header{"Content-Type": {"application/octet-stream"}}}
}

// sourceKey is what a source signs with.
type sourceKey struct{ private ed25519.PrivateKey }

func newSourceKey(t testing.TB) sourceKey {
	t.Helper()
	_, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	return sourceKey{private}
}

func (k sourceKey) public() string {
	public, _ := k.private.Public().(ed25519.PublicKey)
	return base64.StdEncoding.EncodeToString(public)
}

// source registers a source that may write to an indicator, and gives its id.
func (w *world) source(o organization, key sourceKey, indicatorPath string) string {
	w.t.Helper()
	return w.do(request{
		path: "/v1/sources", token: o.tokens[authz.DataSteward],
		body: `{"name":"Agency","system":"Hub","channel":"http","stewardId":"` + w.holder(o, authz.DataSteward) + `","publicKey":"` + key.public() + `",
			"allowedIndicators":[{"indicatorId":"` + strings.TrimPrefix(indicatorPath, "/v1/indicators/") + `"}],"maxRatePerMin":60000}`,
	}).want(http.StatusCreated, "").str("sourceId")
}

// message is the headers of a message as its source sends it.
func (k sourceKey) message(o organization, sourceID, messageID, body string) http.Header {
	return http.Header{
		"Content-Type": {"application/json"}, "Strata-Organization": {o.id.String()}, "Strata-Message-Id": {messageID},
		"Strata-Signature": {ingest.Sign(k.private, sourceID, messageID, []byte(body))},
	}
}

// bring sends a message of a source, which has no token, with exactly these headers.
func (w *world) bring(sourceID string, header http.Header, body string) answer {
	w.t.Helper()
	return w.bringFrom("192.0.2.1:1234", sourceID, header, body)
}

func (w *world) bringFrom(address, sourceID string, header http.Header, body string) answer {
	w.t.Helper()
	r := httptest.NewRequest(http.MethodPost, "/v1/sources/"+sourceID+"/measurements", strings.NewReader(body))
	r.Header, r.RemoteAddr = header, address
	recorded := httptest.NewRecorder()
	w.handler.ServeHTTP(recorded, r)
	return answer{w.t, recorded.Code, recorded.Header(), recorded.Body.Bytes()}
}

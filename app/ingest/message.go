package ingest

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"

	"github.com/google/uuid"
)

// Limits of a message.
const (
	MaxBody  = 1 << 20 // bytes
	MaxItems = 1_000   // measurements
	maxID    = 255     // characters of a message id
)

// The ways a message comes in, as in the metadata of events.
const (
	HTTP = "api"
	AMQP = "amqp"
)

// Message is what a source sent, not believed yet.
type Message struct {
	OrganizationID uuid.UUID
	SourceID       uuid.UUID
	MessageID      string // the source's own name for it: 1 to 255 of A–Z a–z 0–9 . _ : -
	Kind           string // HTTP or AMQP
	Channel        string // "http", or the name of the queue
	Body           []byte // exactly as it was signed
	Signature      string // see Sign

	RequestID, TraceParent, TraceState string // of the request that brought it
}

// SigningText is what a source signs: "strata-ingest.v1", source id, message id
// and the hexadecimal SHA-256 of the body, each but the last followed by a line feed.
func SigningText(sourceID, messageID string, body []byte) []byte {
	sum := sha256.Sum256(body)
	return []byte("strata-ingest.v1\n" + sourceID + "\n" + messageID + "\n" + hex.EncodeToString(sum[:]))
}

// Sign gives a message's signature in standard base64.
func Sign(key ed25519.PrivateKey, sourceID, messageID string, body []byte) string {
	return base64.StdEncoding.EncodeToString(ed25519.Sign(key, SigningText(sourceID, messageID, body)))
}

// signedBy says whether the signature is that of the public key (base64).
func (m Message) signedBy(publicKey string) bool {
	key, err := base64.StdEncoding.Strict().DecodeString(publicKey)
	if err != nil || len(key) != ed25519.PublicKeySize {
		return false
	}
	signature, err := base64.StdEncoding.Strict().DecodeString(m.Signature)
	if err != nil || len(signature) != ed25519.SignatureSize {
		return false
	}
	return ed25519.Verify(key, SigningText(m.SourceID.String(), m.MessageID, m.Body), signature)
}

// validID says whether a message id has the form that everyone can carry: in a
// header, in a signature's text, in a log.
func validID(id string) bool {
	if len(id) == 0 || len(id) > maxID {
		return false
	}
	for i := range len(id) {
		c := id[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '.' && c != '_' && c != ':' && c != '-' {
			return false
		}
	}
	return true
}

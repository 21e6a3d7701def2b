package organization

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
)

// IdentityHash is how an external identity is known here: SHA-256 over the
// organization's id, the issuer and the subject, each preceded by its length in
// eight bytes. The organization's id is part of it so that two organizations
// cannot find out from their logs that they employ the same person.
func IdentityHash(organizationID, issuer, subject string) string {
	h := sha256.New()
	for _, part := range []string{organizationID, issuer, subject} {
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(part))))
		h.Write([]byte(part))
	}
	return hex.EncodeToString(h.Sum(nil))
}

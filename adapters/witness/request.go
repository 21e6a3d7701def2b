package witness

import (
	"bytes"
	"encoding/base64"
	"errors"
	"strconv"

	"strata.dev/strata/app/ledger"
)

var errRequest = errors.New("not an add-checkpoint request")

// parseRequest reads what encodeRequest writes.
func parseRequest(body []byte) (old int64, proof []ledger.Hash, checkpoint []byte, err error) {
	line, rest, ok := bytes.Cut(body, []byte("\n"))
	text, isOld := bytes.CutPrefix(line, []byte("old "))
	if old, err = strconv.ParseInt(string(text), 10, 64); !ok || !isOld || err != nil || old < 0 || strconv.FormatInt(old, 10) != string(text) {
		return 0, nil, nil, errRequest
	}
	for {
		if line, rest, ok = bytes.Cut(rest, []byte("\n")); !ok {
			return 0, nil, nil, errRequest
		}
		if len(line) == 0 {
			return old, proof, rest, nil
		}
		hash, err := base64.StdEncoding.Strict().DecodeString(string(line))
		if err != nil || len(hash) != len(ledger.Hash{}) || len(proof) == maxProof {
			return 0, nil, nil, errRequest
		}
		proof = append(proof, ledger.Hash(hash))
	}
}

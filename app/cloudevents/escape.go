package cloudevents

import (
	"encoding/json"
	"fmt"

	"github.com/gowebpki/jcs"
)

// appendEscaped appends s as the inside of a canonical JSON string. Names in
// the log are plain; the long way is there so that no name can break a document.
func appendEscaped(dst []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' || c >= 0x7f {
			return appendUnusual(dst, s)
		}
	}
	return append(dst, s...)
}

func appendUnusual(dst []byte, s string) []byte {
	quoted, err := json.Marshal(s)
	if err == nil {
		quoted, err = jcs.Transform(append(append([]byte{'['}, quoted...), ']'))
	}
	if err != nil { // strings cannot fail: json replaces what is not UTF-8
		panic(fmt.Sprintf("cloudevents: string %q: %v", s, err))
	}
	return append(dst, quoted[2:len(quoted)-2]...)
}

func unescape(raw []byte) (s string, err error) {
	if err := json.Unmarshal(raw, &s); err != nil {
		return "", fmt.Errorf("%w: %w", errMetadata, err)
	}
	return s, nil
}

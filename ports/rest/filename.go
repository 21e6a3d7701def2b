package rest

import (
	"mime"
	"strings"
	"unicode/utf8"
)

// maxFileName bounds names of files, in bytes.
const maxFileName = 255

// fileName is what Content-Disposition says that an upload is called, without
// folders; "" if it does not say. Nothing of it is repeated in a refusal: names
// of files name persons.
func fileName(dispositions []string) (string, error) {
	if len(dispositions) == 0 {
		return "", nil
	}
	_, params, err := mime.ParseMediaType(dispositions[0])
	if err != nil || len(dispositions) > 1 {
		return "", errMalformed.Detailf("Content-Disposition cannot be read: give it as in RFC 6266.")
	}
	name := params["filename"]
	name = strings.TrimSpace(name[strings.LastIndexAny(name, `/\`)+1:])
	if len(name) > maxFileName || !utf8.ValidString(name) || strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return "", errMalformed.Detailf("Content-Disposition: a file name has at most %d bytes of text, in UTF-8.", maxFileName)
	}
	return name, nil
}

package rest

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"

	"strata.dev/strata/app/strictjson"
	"strata.dev/strata/domain/fault"
)

const (
	maxJSON   = 1 << 20
	maxUpload = 16 << 20
)

var (
	errTooLarge    = fault.New(fault.TooLarge, "too-large", "The request is larger than this operation takes.")
	errUnsupported = fault.New(fault.UnsupportedMedia, "unsupported-media-type", "The body is in a format that is not taken here.")
)

// checkMedia makes sure that the body is of the type the operation takes.
func checkMedia(h http.Header, want string) error {
	if encoding := h.Get("Content-Encoding"); encoding != "" && !strings.EqualFold(encoding, "identity") {
		return errUnsupported.Detailf("Compressed bodies are not taken.")
	}
	got := h.Get("Content-Type")
	if got == want {
		return nil
	}
	media, parameters, err := mime.ParseMediaType(got)
	if err != nil || media != want {
		return errUnsupported.Detailf("Send %s.", want)
	}
	if charset, ok := parameters["charset"]; ok && !strings.EqualFold(charset, "utf-8") && want == mediaJSON {
		return errUnsupported.Detailf("JSON is UTF-8.")
	}
	return nil
}

// limited bounds a body, refusing one that announces more before it is read.
func limited(w http.ResponseWriter, r *http.Request, limit int64) (io.ReadCloser, error) {
	if r.ContentLength > limit {
		return nil, errTooLarge.Detailf("It announces %d bytes, %d are allowed.", r.ContentLength, limit)
	}
	return http.MaxBytesReader(w, r.Body, limit), nil
}

// readFault says what a failed read of a body means to the caller.
func readFault(err error) error {
	if tooLong, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return errTooLarge.Detailf("%d bytes are allowed.", tooLong.Limit)
	}
	return errMalformed.Detailf("The body ended before its time.").Because(err)
}

// readJSON reads a body and brings it to canonical form; what two readers might
// understand differently is refused (see strictjson).
func readJSON(w http.ResponseWriter, r *http.Request, digests []string) ([]byte, error) {
	raw, err := readBody(w, r, digests)
	if err != nil {
		return nil, err
	}
	return strictjson.Canonical(raw)
}

// readBody reads a body as it comes.
func readBody(w http.ResponseWriter, r *http.Request, digests []string) ([]byte, error) {
	body, err := limited(w, r, maxJSON)
	if err != nil {
		return nil, err
	}
	raw := make([]byte, 0, min(max(r.ContentLength, 0)+1, maxJSON))
	raw, err = readAll(raw, body)
	if err != nil {
		return nil, readFault(err)
	}
	return raw, checkDigest(digests, raw)
}

// readAll is io.ReadAll into a buffer of the announced size.
func readAll(b []byte, r io.Reader) ([]byte, error) {
	for {
		if len(b) == cap(b) {
			b = append(b, 0)[:len(b)]
		}
		n, err := r.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		if err == io.EOF {
			return b, nil
		}
		if err != nil {
			return b, err
		}
	}
}

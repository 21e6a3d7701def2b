// Package unzstd unpacks what the archive packs with zstd. It is the one thing
// about an archive for which the verifier needs more than the standard library,
// and therefore apart from it.
package unzstd

import (
	"bytes"
	"io"

	"github.com/klauspost/compress/zstd"
)

// maxWindow is the memory a frame may ask for.
const maxWindow = 64 << 20

// Open is a verifier.Unpack for zstd.
func Open(packed []byte) (io.ReadCloser, error) {
	d, err := zstd.NewReader(bytes.NewReader(packed), zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow))
	if err != nil {
		return nil, err
	}
	return d.IOReadCloser(), nil
}

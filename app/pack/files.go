package pack

import (
	"archive/zip"
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"time"
)

// File is a file of a pack, as its manifest lists it.
type File struct {
	Path   string `json:"path"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// files writes a zip, and keeps what the manifest needs of each file.
type files struct {
	zip  *zip.Writer
	list []File
}

// modified is the time of every file: the beginning of what zip can say.
var modified = time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)

// write makes one file out of what fill writes.
func (f *files) write(path string, fill func(w io.Writer) error) error {
	if n := len(f.list); n > 0 && f.list[n-1].Path >= path && path != manifestPath {
		return fmt.Errorf("pack: %s comes behind %s", path, f.list[n-1].Path)
	}
	entry, err := f.zip.CreateHeader(&zip.FileHeader{Name: path, Method: zip.Deflate, Modified: modified})
	if err != nil {
		return fmt.Errorf("pack: %s: %w", path, err)
	}
	m := &measure{to: entry, sum: sha256.New()}
	buffered := bufio.NewWriterSize(m, 64<<10)
	if err := fill(buffered); err != nil {
		return fmt.Errorf("pack: %s: %w", path, err)
	}
	if err := buffered.Flush(); err != nil {
		return fmt.Errorf("pack: %s: %w", path, err)
	}
	f.list = append(f.list, File{path, m.size, hex.EncodeToString(m.sum.Sum(nil))})
	return nil
}

// put makes a file of bytes.
func (f *files) put(path string, content []byte) error {
	return f.write(path, func(w io.Writer) error {
		_, err := w.Write(content)
		return err
	})
}

// measure counts and hashes what goes through it.
type measure struct {
	to   io.Writer
	sum  hash.Hash
	size int64
}

// Write implements io.Writer.
func (m *measure) Write(p []byte) (int, error) {
	n, err := m.to.Write(p)
	m.size += int64(n)
	_, _ = m.sum.Write(p[:n]) // never fails
	return n, err
}

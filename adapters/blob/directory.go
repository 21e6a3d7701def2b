package blob

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"strata.dev/strata/app/objectstore"
)

const (
	temporary = ".tmp"    // where objects are written before they are linked into their place; no key begins with a dot
	leftover  = time.Hour // after which a file there is nobody's any more
)

// directory is a store in a directory.
type directory struct{ root string }

func openDirectory(root string) (*directory, error) {
	d := &directory{filepath.Clean(root)}
	if err := os.MkdirAll(filepath.Join(d.root, temporary), 0o700); err != nil {
		return nil, fmt.Errorf("object store: %w", err)
	}
	if err := d.sweep(time.Now().Add(-leftover)); err != nil {
		return nil, fmt.Errorf("object store: %w", err)
	}
	return d, nil
}

// sweep removes what killed processes have left.
func (d *directory) sweep(before time.Time) error {
	entries, err := os.ReadDir(filepath.Join(d.root, temporary))
	if err != nil {
		return err
	}
	for _, e := range entries {
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) || err == nil && (!info.Mode().IsRegular() || info.ModTime().After(before)) {
			continue
		}
		if err == nil && e.Name() != lockName {
			err = os.Remove(filepath.Join(d.root, temporary, e.Name()))
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

func (d *directory) path(key string) string { return filepath.Join(d.root, filepath.FromSlash(key)) }

// Put implements objectstore.Store.
func (d *directory) Put(ctx context.Context, key string, body []byte) error {
	if err := d.prepare(ctx, key, body); err != nil {
		return failed("put", key, err)
	}
	path := d.path(key)
	if _, err := os.Lstat(path); err == nil {
		return failed("put", key, d.exists(path))
	}
	if err := d.makeFolders(filepath.Dir(path)); err != nil {
		return failed("put", key, err)
	}
	name, err := d.write(body)
	if err != nil {
		return failed("put", key, err)
	}
	err = os.Link(name, path)
	if errors.Is(err, fs.ErrExist) {
		err = d.exists(path)
	} else if err == nil {
		err = syncFolder(filepath.Dir(path))
	}
	if err = errors.Join(err, os.Remove(name)); err != nil {
		return failed("put", key, err)
	}
	return nil
}

// exists says that somebody was first, once what is there is sure to stay: the
// winner may not have come as far as to sync the folder.
func (d *directory) exists(path string) error {
	if err := syncFolder(filepath.Dir(path)); err != nil {
		return err
	}
	return objectstore.ErrExists
}

func (d *directory) prepare(ctx context.Context, key string, body []byte) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if len(body) > objectstore.MaxBytes {
		return objectstore.ErrTooLarge
	}
	return objectstore.CheckKey(key)
}

// makeFolders makes what is missing between the root and dir, durably. A root
// that has gone stays gone: that is a disk that was taken away.
func (d *directory) makeFolders(dir string) error {
	if _, err := os.Stat(dir); err == nil || dir == d.root {
		return err
	}
	parent := filepath.Dir(dir)
	if err := d.makeFolders(parent); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncFolder(parent)
}

// write makes a synced file of body and gives its name.
func (d *directory) write(body []byte) (name string, err error) {
	f, err := os.CreateTemp(filepath.Join(d.root, temporary), "object-*") // mode 0600
	if err != nil {
		return "", err
	}
	_, err = f.Write(body)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return "", errors.Join(err, os.Remove(f.Name()))
	}
	return f.Name(), nil
}

func syncFolder(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// Get implements objectstore.Store.
func (d *directory) Get(ctx context.Context, key string) ([]byte, error) {
	if err := d.prepare(ctx, key, nil); err != nil {
		return nil, failed("get", key, err)
	}
	f, err := os.Open(d.path(key))
	if err != nil {
		return nil, failed("get", key, absent(err))
	}
	defer f.Close() // it was only read
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return nil, failed("get", key, errors.Join(err, objectstore.ErrNotFound))
	}
	if info.Size() > objectstore.MaxBytes {
		return nil, failed("get", key, objectstore.ErrTooLarge)
	}
	body := make([]byte, info.Size())
	if _, err := io.ReadFull(f, body); err != nil {
		return nil, failed("get", key, err)
	}
	return body, nil
}

func absent(err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return objectstore.ErrNotFound
	}
	return err
}

// Stat implements objectstore.Store.
func (d *directory) Stat(ctx context.Context, key string) (objectstore.Object, error) {
	if err := d.prepare(ctx, key, nil); err != nil {
		return objectstore.Object{}, failed("stat", key, err)
	}
	info, err := os.Stat(d.path(key))
	if err != nil {
		return objectstore.Object{}, failed("stat", key, absent(err))
	}
	if !info.Mode().IsRegular() {
		return objectstore.Object{}, failed("stat", key, objectstore.ErrNotFound)
	}
	return objectstore.Object{Key: key, Size: info.Size(), ModifiedAt: info.ModTime().UTC()}, nil
}

// Load implements objectstore.Mutable.
func (d *directory) Load(ctx context.Context, key string) (body []byte, version string, err error) {
	if body, err = d.Get(ctx, key); err != nil {
		return nil, "", err
	}
	return body, versionOf(body), nil
}

func versionOf(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}

// Replace implements objectstore.Mutable.
func (d *directory) Replace(ctx context.Context, key, version string, body []byte) error {
	if err := d.prepare(ctx, key, body); err != nil {
		return failed("replace", key, err)
	}
	err := d.locked(func() error {
		_, is, err := d.Load(ctx, key)
		if errors.Is(err, objectstore.ErrNotFound) || err == nil && is != version {
			return objectstore.ErrChanged
		}
		if err != nil {
			return err
		}
		name, err := d.write(body)
		if err != nil {
			return err
		}
		return d.forget(d.path(key), func(path string) error { return os.Rename(name, path) })
	})
	if err != nil {
		return failed("replace", key, err)
	}
	return nil
}

// Delete implements objectstore.Mutable.
func (d *directory) Delete(ctx context.Context, key string) error {
	if err := d.prepare(ctx, key, nil); err != nil {
		return failed("delete", key, err)
	}
	err := d.locked(func() error { return d.forget(d.path(key), os.Remove) })
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return failed("delete", key, err)
	}
	return nil
}

// forget takes the file at path away, durably, then overwrites its bytes: they
// must not be found on the disk. In this order nobody ever reads an object of
// zeros, and a crash between the two leaves bytes that no name leads to.
func (d *directory) forget(path string, take func(path string) error) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err == nil {
		err = take(path)
	}
	if err == nil {
		err = syncFolder(filepath.Dir(path))
	}
	if err == nil {
		_, err = f.WriteAt(make([]byte, info.Size()), 0)
	}
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// Describe implements Store.
func (d *directory) Describe(context.Context) (Description, error) {
	if _, err := os.ReadDir(filepath.Join(d.root, temporary)); err != nil {
		return Description{Location: d.root}, fmt.Errorf("object store: %w", err)
	}
	return Description{Location: d.root}, nil
}
